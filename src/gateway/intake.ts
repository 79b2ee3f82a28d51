import type { Message, NewMessage, QueueLimits, SessionCancelled } from '../store/messages.js';
import type { Store } from '../store/store.js';
import type { AcceptOutcome } from '../store/turns.js';
import type { Dispatcher } from './dispatch/dispatcher.js';

export interface IntakeOptions {
  readonly store: Pick<Store, 'accept'>;
  readonly dispatcher: Pick<Dispatcher, 'reserveSlot' | 'wake'>;
  /** Called when a message is on disk, before its turn begins. `interrupted`: the messages cancelled for it. */
  readonly onAccepted: (message: Message, interrupted: SessionCancelled['messages']) => void;
}

/**
 * The way of a new message into the store and, where a slot is free and nothing waits before it, on to its turn: both
 * are written in one transaction.
 */
export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Rejects as `Store.accept` does; then nothing was taken in. */
  async accept(message: NewMessage, limits: QueueLimits): Promise<AcceptOutcome> {
    const { store, dispatcher, onAccepted } = this.#options;
    const slot = dispatcher.reserveSlot();
    let outcome: AcceptOutcome;
    try {
      outcome = await store.accept(message, limits, slot?.claim);
    } catch (error) {
      slot?.release();
      throw error;
    }
    const turn = outcome.outcome === 'accepted' ? outcome.turn : null;
    try {
      if (outcome.outcome === 'accepted') onAccepted(outcome.message, outcome.interrupted);
    } finally {
      // Whatever becomes of the telling, what is claimed is run.
      if (slot === null) dispatcher.wake();
      else if (turn === null) slot.release();
      else slot.fill(turn);
    }
    return outcome;
  }
}
