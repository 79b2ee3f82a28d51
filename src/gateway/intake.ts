import type { Message, NewMessage, QueueLimits, SessionCancelled } from '../store/messages.js';
import type { Checkpoint } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { AcceptOutcome } from '../store/turns.js';
import type { Dispatcher } from './dispatch/dispatcher.js';

export interface IntakeOptions {
  readonly store: Pick<Store, 'accept' | 'acceptAll'>;
  readonly dispatcher: Pick<Dispatcher, 'reserveSlot' | 'wake'>;
  /** The agent of the session, if it begins with this message, which names none. Default: none is chosen. */
  readonly agentOf?: (message: NewMessage) => string;
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
      outcome = await store.accept(this.#withAgent(message), limits, slot?.claim);
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

  /** Takes in what came together, and notes the position behind it. Rejects as `Store.acceptAll` does. */
  async acceptAll(
    messages: readonly NewMessage[],
    limits: QueueLimits,
    checkpoint: Checkpoint | null,
  ): Promise<readonly AcceptOutcome[]> {
    const { store, dispatcher, onAccepted } = this.#options;
    const outcomes = await store.acceptAll(
      messages.map((message) => this.#withAgent(message)),
      limits,
      checkpoint,
    );
    try {
      for (const outcome of outcomes) {
        if (outcome.outcome === 'accepted') onAccepted(outcome.message, outcome.interrupted);
      }
    } finally {
      dispatcher.wake();
    }
    return outcomes;
  }

  #withAgent(message: NewMessage): NewMessage {
    const { agentOf } = this.#options;
    return agentOf === undefined ? message : { ...message, agent: message.agent ?? agentOf(message) };
  }
}
