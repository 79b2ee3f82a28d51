import { DecoratorHandler, type Dispatcher } from 'undici';

/** Whether the first byte of an attempt may have gone out: what ends before it has surely not arrived. */
export interface Beginning {
  begun: boolean;
}

interface StartHandler {
  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void;
}

/** The types of undici have the methods of this class as they were before version 7. */
const Decorator = DecoratorHandler as unknown as new (handler: Dispatcher.DispatchHandler) => StartHandler;

class NotingHandler extends Decorator {
  constructor(
    handler: Dispatcher.DispatchHandler,
    private readonly beginning: Beginning,
  ) {
    super(handler);
  }

  /** Called once there is a connection, just before the request is written to it. */
  override onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.beginning.begun = true;
    super.onRequestStart(controller, context);
  }
}

/** Notes in a request’s `opaque`, a `Beginning`, that it begins. */
export function noteBeginning(dispatch: Dispatcher.Dispatch): Dispatcher.Dispatch {
  return (options, handler) => {
    const { opaque } = options as { readonly opaque?: Beginning };
    return dispatch(options, opaque === undefined ? handler : new NotingHandler(handler, opaque));
  };
}
