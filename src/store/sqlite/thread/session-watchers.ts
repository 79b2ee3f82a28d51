import type { Call, OperationName, ResultOf } from './protocol.js';

/** Those who want to know of changes of a session, in this process. */
export class SessionWatchers {
  readonly #bySession = new Map<string, Set<() => void>>();
  readonly #told = new Set<string>();

  watch(session: string, changed: () => void): () => void {
    const watchers = this.#bySession.get(session) ?? new Set();
    this.#bySession.set(session, watchers);
    // The same function may be given twice.
    const watcher = () => changed();
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#bySession.get(session) === watchers) this.#bySession.delete(session);
    };
  }

  /** What was called is done. */
  answered(call: Call, result: unknown): void {
    if (this.#bySession.size === 0) return;
    for (const session of changedBy(call, result)) this.#changed(session);
  }

  /** Tells it once for all that comes in this round of the event loop. */
  #changed(session: string): void {
    if (this.#told.has(session) || !this.#bySession.has(session)) return;
    this.#told.add(session);
    setImmediate(() => {
      this.#told.delete(session);
      for (const watcher of [...(this.#bySession.get(session) ?? [])]) watcher();
    });
  }
}

/** Sessions that a call may have changed, as far as it knows them. */
function changedBy(call: Call, result: unknown): readonly string[] {
  switch (call.operation) {
    case 'accept':
      return [call.parameters[0].session];
    case 'acceptAll':
      return call.parameters[0].map(({ session }) => session);
    case 'claimTurns':
      return resultOf<'claimTurns'>(result).map(({ session }) => session);
    case 'completeTurn':
    case 'failTurn':
    case 'releaseTurn':
    case 'setTurnWait':
    case 'appendDeltas':
    case 'completeDelivery':
    case 'failDelivery':
      return [call.parameters[0].session];
    case 'putBackTurns':
    case 'putBackDeliveries':
      return call.parameters[0].map(({ session }) => session);
    case 'cancelMessage':
    case 'retryDead':
    case 'discardMessage': {
      const message = resultOf<'cancelMessage' | 'retryDead'>(result)?.message;
      return message === undefined ? [] : [message.session];
    }
    case 'cancelSession':
    case 'setPolicy':
    case 'setAgent':
    case 'resetSession':
      return [call.parameters[0]];
    default:
      return [];
  }
}

function resultOf<Name extends OperationName>(result: unknown): ResultOf<Name> {
  return result as ResultOf<Name>;
}
