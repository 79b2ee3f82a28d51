import type { Log } from '../log/log.js';
import type {
  ArrivedMessage,
  CancelOutcome,
  DeadOutcome,
  Message,
  RevisionOutcome,
  SessionCancelled,
} from '../store/messages.js';
import type { Store } from '../store/store.js';

export interface MessageActionsOptions {
  readonly store: Pick<
    Store,
    'cancelMessage' | 'cancelSession' | 'reviseMessage' | 'retryDead' | 'discardMessage'
  >;
  /** Ends the turn of a message that was cancelled, if it runs in this process. */
  readonly cutOff: (messageId: string) => void;
  /** The message has changed, and the change is on disk. */
  readonly onChange: (messageId: string, session: string) => void;
  readonly log: Log;
}

/** Actions of people on messages that were accepted. Each is on disk when its promise resolves, and leaves a record. */
export class MessageActions {
  readonly #options: MessageActionsOptions;

  constructor(options: MessageActionsOptions) {
    this.#options = options;
  }

  /** Resolves with null if there is no such message. */
  async cancelMessage(id: string): Promise<CancelOutcome | null> {
    const outcome = await this.#options.store.cancelMessage(id);
    if (outcome?.outcome === 'cancelled') {
      this.#cancelled(outcome.message, outcome.running);
      this.#record('Cancelled', outcome.message);
    }
    return outcome;
  }

  /** See `Store.reviseMessage`. A person did it in their chat, so it leaves no record. */
  async reviseMessage(arrived: ArrivedMessage, text: string | null): Promise<RevisionOutcome | null> {
    const outcome = await this.#options.store.reviseMessage(arrived, text);
    if (outcome?.outcome === 'revised') this.#options.onChange(outcome.message.id, outcome.message.session);
    return outcome;
  }

  /** Resolves with null if there is no such session. */
  async cancelSession(session: string): Promise<SessionCancelled | null> {
    const cancelled = await this.#options.store.cancelSession(session);
    const messages = cancelled?.messages ?? [];
    for (const { id, running } of messages) {
      this.#cancelled({ id, session }, running);
      this.#record('Cancelled', { id, session });
    }
    return cancelled;
  }

  /** Takes in the messages of a session that were cancelled because another one came. */
  interrupted(session: string, messages: SessionCancelled['messages']): void {
    for (const { id, running } of messages) this.#cancelled({ id, session }, running);
  }

  /** Resolves with null if there is no such message. */
  async retryDead(id: string): Promise<DeadOutcome | null> {
    return this.#acted('Tried again', await this.#options.store.retryDead(id));
  }

  /** Resolves with null if there is no such message. */
  async discardMessage(id: string): Promise<DeadOutcome | null> {
    return this.#acted('Discarded', await this.#options.store.discardMessage(id));
  }

  #acted(done: string, outcome: DeadOutcome | null): DeadOutcome | null {
    if (outcome?.outcome === 'done') {
      const { id, session } = outcome.message;
      this.#options.onChange(id, session);
      this.#record(done, outcome.message);
    }
    return outcome;
  }

  #record(done: string, { id, session }: Pick<Message, 'id' | 'session'>): void {
    this.#options.log.notice(`${done} by request: the message ${id} of the session "${session}"`, {
      SD_GATEWAY_SESSION: session,
      SD_GATEWAY_MESSAGE: id,
    });
  }

  #cancelled({ id, session }: Pick<Message, 'id' | 'session'>, running: boolean): void {
    if (running) this.#options.cutOff(id);
    this.#options.onChange(id, session);
  }
}
