import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Log } from '../../../log/log.js';

/** Ends the headers of a request, and a chunked body (RFC 9112, 2.1 and 7.1). Node.js takes no bare line feed for it. */
const endOfSection = Buffer.from('\r\n\r\n');
const nothing = Buffer.alloc(0);

/** A chunk of a body may be a single byte, so that fewer of them are parsed at once. */
const largestChunkedPieceBytes = 2_048;

/** Pieces of a connection that are parsed in one go: enough for the headers and the body of a small request. */
const piecesAtOnce = 2;

/** Connections that go on in one turn of the event loop, where more have something to be parsed. */
const connectionsOfTurn = 8;

/** After a read that filled its buffer, which has this size, libuv reads once more in the same turn. */
const fullReadBytes = 65_536;

type Parse = (bytes: Buffer) => void;

/**
 * Has each connection of the server begin a request only when the answer before it has gone to the kernel, and no two in
 * the same turn of the event loop. Node.js by itself begins all that one read brings, thousands, whether the client takes
 * the answers or not. What waits stays in the connection's read buffer, which is bounded, and behind that in the kernel.
 */
export function paceRequests(server: Server, log: Pick<Log, 'warning'>): void {
  const connections = new WeakMap<Duplex, PacedConnection>();
  const turns = new Turns();
  let warned = false;
  server.on('connection', (socket) => {
    // Node's own listener gives the parser whatever bytes it is called with.
    const [parse, ...others] = socket.listeners('data');
    if (parse !== undefined && others.length === 0) {
      socket.off('data', parse as Parse);
      connections.set(socket, new PacedConnection(socket, parse as Parse, turns));
    } else if (!warned) {
      warned = true;
      log.warning(
        `With Node.js ${process.version} the requests of a connection can't be taken one at a time: a client that sends many without reading costs memory. Use a release that docs/install.md names.`,
      );
    }
  });
  const begin = (request: IncomingMessage, response: ServerResponse) =>
    connections.get(request.socket)?.begin(request, response);
  server.prependListener('request', begin);
  server.prependListener('checkContinue', begin);
  server.prependListener('checkExpectation', begin);
  server.prependListener('clientError', (_error, socket) => connections.get(socket)?.end());
}

/** The connections that have something to be parsed, each in its turn. */
class Turns {
  readonly #waiting: (() => void)[] = [];

  /** Calls back in a later turn of the event loop. */
  wait(goOn: () => void): void {
    this.#waiting.push(goOn);
    if (this.#waiting.length === 1) this.#callInNextTurn();
  }

  #callInNextTurn(): void {
    setImmediate(() => {
      for (const goOn of this.#waiting.splice(0, connectionsOfTurn)) goOn();
      if (this.#waiting.length > 0) this.#callInNextTurn();
    });
  }
}

/** Stands between a connection and Node's parser. */
class PacedConnection {
  readonly #socket: Socket;
  readonly #parse: Parse;
  readonly #turns: Turns;
  /** The latest. */
  #request: IncomingMessage | null = null;
  /** The bytes of its body that are still to come; null if its chunks say so themselves. */
  #bodyLeft: number | null = 0;
  /** Answers that have not all gone to the kernel. */
  #owed = 0;
  /** The last bytes that were parsed, where an end of a section may have begun in them. */
  #tail = nothing;
  /** It goes on when it is its turn. */
  #waits = false;
  #ended = false;

  constructor(socket: Socket, parse: Parse, turns: Turns) {
    this.#socket = socket;
    this.#parse = parse;
    this.#turns = turns;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
  }

  begin(request: IncomingMessage, response: ServerResponse): void {
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    this.#request = request;
    this.#bodyLeft = encoding === undefined ? Number(length ?? 0) : null;
    this.#owed += 1;
    response.once('close', () => {
      this.#owed -= 1;
      if (this.#socket.isPaused()) this.#goOnInTurn();
    });
  }

  /** Stops parsing: the bytes were no request, and nothing behind them is one. */
  end(): void {
    this.#ended = true;
  }

  get #isHeld(): boolean {
    return this.#owed > 0 && this.#request?.complete !== false;
  }

  #take(bytes: Buffer): void {
    let rest = bytes;
    for (let pieces = 0; pieces < piecesAtOnce && rest.length > 0; pieces++) {
      if (this.#waits || this.#isHeld) break;
      // Nothing can be answered any more: what comes is dropped, no faster than the rest.
      if (this.#ended || !this.#socket.writable) {
        rest = nothing;
        break;
      }
      const piece = rest.subarray(0, this.#pieceLength(rest));
      rest = rest.subarray(piece.length);
      this.#parse(piece);
      // Node.js takes no more of the body for now, and will say when it does.
      if (this.#socket.isPaused()) {
        this.#putBack(rest);
        return;
      }
    }
    if (rest.length === 0 && bytes.length < fullReadBytes) return;
    this.#socket.pause();
    this.#putBack(rest);
    if (!this.#isHeld) this.#goOnInTurn();
  }

  #putBack(bytes: Buffer): void {
    if (bytes.length > 0 && !this.#socket.destroyed) this.#socket.unshift(bytes);
  }

  #goOnInTurn(): void {
    if (this.#waits) return;
    this.#waits = true;
    this.#turns.wait(() => {
      this.#waits = false;
      if (!this.#isHeld) this.#socket.resume();
    });
  }

  /** Up to the end of the headers or of the body, as the next request may begin behind it. */
  #pieceLength(bytes: Buffer): number {
    if (this.#request?.complete !== false) return this.#sectionLength(bytes);
    // Node.js knows the end of one that is longer than it says.
    if (!this.#bodyLeft) return this.#sectionLength(bytes.subarray(0, largestChunkedPieceBytes));
    const length = Math.min(bytes.length, this.#bodyLeft);
    this.#bodyLeft -= length;
    return length;
  }

  #sectionLength(bytes: Buffer): number {
    const tail = this.#tail;
    this.#tail = nothing;
    const seam = tail.length === 0 ? tail : Buffer.concat([tail, bytes.subarray(0, 3)]);
    const inSeam = seam.indexOf(endOfSection);
    if (inSeam !== -1) return inSeam + endOfSection.length - tail.length;
    const start = bytes.indexOf(endOfSection);
    if (start !== -1) return start + endOfSection.length;
    // Copied, so that it doesn't hold all that was read.
    this.#tail = Buffer.from(Buffer.concat([tail, bytes.subarray(-3)]).subarray(-3));
    return bytes.length;
  }
}
