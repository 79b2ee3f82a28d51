import { errorMessage } from '../text/failure-text.js';
import type { ChannelCheckpoint, ChannelContext, Received } from './channel.js';
import { type StoreRetries, storeFails } from './until-stored.js';

/** Puts messages of people on disk with the position behind them, and waits for a store that fails. */
export class StoredMessages {
  readonly #context: Pick<ChannelContext, 'receive' | 'log'>;
  readonly #retries: StoreRetries;

  constructor(context: Pick<ChannelContext, 'receive' | 'log'>, retries: StoreRetries) {
    this.#context = context;
    this.#retries = retries;
  }

  /**
   * Resolves with true once all are on disk, in their order, but for those that no store can take. False: the channel ended
   * first, and the position is not on disk, so they must not be acknowledged.
   *
   * @param checkpoint undefined: there is no position
   */
  async put(messages: readonly Received[], checkpoint: ChannelCheckpoint | undefined): Promise<boolean> {
    let refusal: unknown = null;
    const isStored = await this.untilStored(async () => {
      try {
        await this.#context.receive(messages, checkpoint);
      } catch (error) {
        if (storeFails(error)) throw error;
        refusal = error ?? new Error('the store gives no reason');
      }
    });
    if (refusal === null || !isStored) return isStored;
    const [first, ...others] = messages;
    if (first === undefined) throw refusal;
    if (others.length > 0) {
      // One of them can't be taken: the others are. The position moves with the last one.
      for (const each of messages.slice(0, -1)) if (!(await this.#putAlone(each))) return false;
      return this.put(messages.slice(-1), checkpoint);
    }
    this.#noteLoss(refusal);
    return checkpoint === undefined ? true : this.put([], checkpoint);
  }

  /** Tries until the store has taken it. False: the channel has ended. */
  async untilStored(write: () => Promise<void>): Promise<boolean> {
    try {
      await this.#retries.untilStored(write);
      return true;
    } catch (error) {
      if (storeFails(error)) return false;
      throw error;
    }
  }

  /** Without a position: that is behind all of them. */
  #putAlone(message: Received): Promise<boolean> {
    return this.untilStored(async () => {
      try {
        await this.#context.receive([message]);
      } catch (error) {
        if (storeFails(error)) throw error;
        this.#noteLoss(error);
      }
    });
  }

  #noteLoss(error: unknown): void {
    this.#context.log.err(`A message can't be stored, and is left out: ${errorMessage(error)}`);
  }
}

/** The deletion of a message on its platform, which says who may do that: no person is asked for. */
export function deletionOf(conversation: string, id: string): Received {
  return {
    conversation,
    id,
    text: '',
    person: null,
    isGroup: null,
    origin: 'deleted',
    replyTo: null,
  };
}
