import type { AgentEvent, AgentQuestion } from '../../agents/agent.js';
import type { Log } from '../../log/log.js';
import type { TurnWait } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { Turn } from '../../store/turns.js';
import { errorMessage } from '../../text/failure-text.js';
import { turnFields } from './policy.js';
import type { TurnTimer } from './turn-timer.js';

/**
 * Asks a person; resolves with the id of an option, or with null for a no. When `signal` is aborted, the turn has ended
 * and nobody waits for the answer any more.
 */
export type AskPerson = (turn: Turn, question: AgentQuestion, signal: AbortSignal) => Promise<string | null>;

type QuestionEvent = Extract<AgentEvent, { readonly type: 'question' }>;

export interface TurnQuestionsOptions {
  readonly store: Pick<Store, 'setTurnWait'>;
  readonly log: Log;
  readonly ask?: AskPerson;
  /** A turn begins to wait: another one may run in its place. */
  readonly onWait: (turn: Turn) => void;
  /** A turn waits no longer. */
  readonly onGoOn: (turn: Turn) => void;
}

/** The turns that wait for a person, whose time stands still, or for their agent. They hold no slot. */
export class TurnQuestions {
  readonly #options: TurnQuestionsOptions;
  /** The open questions of each turn. */
  readonly #open = new Map<Turn, number>();
  /** Aborted when the turn has ended, however it did. */
  readonly #ends = new Map<Turn, AbortController>();

  constructor(options: TurnQuestionsOptions) {
    this.#options = options;
  }

  /** The number of turns that wait. */
  get waiting(): number {
    return this.#open.size;
  }

  /** True if the turn waits. */
  holds(turn: Turn): boolean {
    return this.#open.has(turn);
  }

  ask(turn: Turn, { question, answer }: QuestionEvent, timer: TurnTimer, signal: AbortSignal): void {
    const { ask, log, onWait } = this.#options;
    if (ask === undefined) {
      answer(null);
      return;
    }
    const open = this.#open.get(turn) ?? 0;
    this.#open.set(turn, open + 1);
    if (open === 0) {
      timer.pause();
      this.#note(turn, 'question');
      onWait(turn);
    }
    ask(turn, question, AbortSignal.any([signal, this.#endOf(turn).signal])).then(
      (optionId) => this.#answered(turn, timer, () => answer(optionId)),
      (error: unknown) => {
        const reason = errorMessage(error);
        log.err(
          `A question of an agent could not be asked, and is answered with no: ${reason}`,
          turnFields(turn),
        );
        this.#answered(turn, timer, () => answer(null));
      },
    );
  }

  #endOf(turn: Turn): AbortController {
    const known = this.#ends.get(turn) ?? new AbortController();
    this.#ends.set(turn, known);
    return known;
  }

  /** The turn waits for its agent, until it ends. Its time goes on. */
  waitForCallback(turn: Turn): void {
    if (this.#open.has(turn)) return;
    this.#open.set(turn, 1);
    this.#note(turn, 'callback');
    this.#options.onWait(turn);
  }

  /** The turn has ended. */
  end(turn: Turn): void {
    this.#ends.get(turn)?.abort();
    this.#ends.delete(turn);
    if (this.#open.delete(turn)) this.#options.onGoOn(turn);
  }

  #answered(turn: Turn, timer: TurnTimer, answer: () => void): void {
    const open = this.#open.get(turn);
    // Its turn has ended.
    if (open === undefined) return;
    if (open > 1) {
      this.#open.set(turn, open - 1);
    } else {
      this.#open.delete(turn);
      this.#options.onGoOn(turn);
      timer.goOn();
      this.#note(turn, null);
    }
    answer();
  }

  /** For people who look at the message: the turn itself does not go by it. */
  #note(turn: Turn, wait: TurnWait | null): void {
    const { store, log } = this.#options;
    store.setTurnWait(turn, wait).catch((error: unknown) => {
      log.warning(`The store did not note what a turn waits for: ${errorMessage(error)}`, turnFields(turn));
    });
  }
}
