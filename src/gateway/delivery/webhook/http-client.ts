import type { Socket } from 'node:net';
import { buildConnector, DecoratorHandler, type Dispatcher } from 'undici';

/** True if the first byte of an attempt may have gone out: what ends before it has surely not arrived. */
export interface RequestStart {
  begun: boolean;
}

interface StartHandler {
  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void;
}

/** The types of undici have the methods of this class as they were before version 7. */
const Decorator = DecoratorHandler as unknown as new (handler: Dispatcher.DispatchHandler) => StartHandler;

class TrackingHandler extends Decorator {
  constructor(
    handler: Dispatcher.DispatchHandler,
    private readonly start: RequestStart,
  ) {
    super(handler);
  }

  /** Called once there is a connection, just before the request is written to it. */
  override onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.start.begun = true;
    super.onRequestStart(controller, context);
  }
}

/** Notes in a request’s `opaque`, a `RequestStart`, that it begins. */
export function trackRequestStart(dispatch: Dispatcher.Dispatch): Dispatcher.Dispatch {
  return (options, handler) => {
    const { opaque } = options as { readonly opaque?: RequestStart };
    return dispatch(options, opaque === undefined ? handler : new TrackingHandler(handler, opaque));
  };
}

/** Bytes of an answer that are parsed in one turn of the event loop. Most answers have fewer. */
const bytesOfTurn = 1_024;

/**
 * Connects as undici does, and lets a receiver that answers without end have its share of a turn of the event loop: undici
 * parses all that has come in one go, and what comes may be headers or chunks of a single byte.
 */
export function pacedConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(options);
  return (target, callback) =>
    connect(target, (...outcome) => {
      const [, socket] = outcome;
      if (socket) readInTurns(socket);
      callback(...outcome);
    });
}

/** undici calls `read` on each "readable" event until that gives null. */
function readInTurns(socket: Socket): void {
  const read = socket.read.bind(socket);
  let waits = false;
  socket.read = (size?: number) => {
    // Node.js itself passes 0, to have the kernel read.
    if (size !== undefined) return read(size);
    if (waits || socket.destroyed) return null;
    if (socket.readableLength <= bytesOfTurn) return read();
    waits = true;
    setImmediate(() => {
      waits = false;
      socket.emit('readable');
    });
    return read(bytesOfTurn);
  };
}
