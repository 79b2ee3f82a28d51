import { setImmediate as nextTurn } from 'node:timers/promises';
import { StoreError } from '../../store/store-error.js';
import { errorMessage } from '../../text/failure-text.js';
import { backoffMs } from '../backoff.js';
import type { ChannelContext, Received, ReceiveOutcome } from '../channel.js';
import type { InboundLine } from './protocol.js';

/** The key of the checkpoint. */
export const cursorKey = 'cursor';

/** Messages that are written in one transaction at most, and those that may wait for it until no more are read. */
const mostAtOnce = 200;
const mostWaiting = 1_000;
const mostWaitingCharacters = 4 * 1024 ** 2;
/** Between two tries of a store that fails. */
const storeBackoff = { firstDelayMs: 100, delayLimitMs: 5_000 };

/** A message that came. */
export interface InboxItem {
  readonly cursor: InboundLine['cursor'];
  readonly received: Received;
  /** Called once it is settled what becomes of the message, and that and the cursor are on disk. */
  readonly settled: (outcome: ReceiveOutcome) => void;
  /** Called if the store can't ever take it. */
  readonly refused: (reason: string) => void;
}

/** Puts messages on disk in their order, many at once, and each with the cursor behind it. */
export class Inbox {
  readonly #context: Pick<ChannelContext, 'receive' | 'clock' | 'log' | 'signal'>;
  #waiting: InboxItem[] = [];
  #waitingCharacters = 0;
  #writing: Promise<void> | null = null;
  #onRoom: (() => void)[] = [];
  #fails = false;

  constructor(context: Pick<ChannelContext, 'receive' | 'clock' | 'log' | 'signal'>) {
    this.#context = context;
  }

  /** Resolves when there is room for more. */
  async add(item: InboxItem): Promise<void> {
    this.#waiting.push(item);
    this.#waitingCharacters += item.received.text.length;
    this.#writing ??= this.#write();
    if (this.#hasRoom()) return;
    await new Promise<void>((resolve) => this.#onRoom.push(resolve));
  }

  /** Resolves when all is on disk, or given up at the end of the channel. */
  async idle(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  #hasRoom(): boolean {
    return this.#waiting.length < mostWaiting && this.#waitingCharacters < mostWaitingCharacters;
  }

  async #write(): Promise<void> {
    // Messages of the same turn of the event loop are one transaction.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, mostAtOnce);
      if (!(await this.#store(batch))) this.#waiting = [];
      this.#waitingCharacters = this.#waiting.reduce((sum, { received }) => sum + received.text.length, 0);
      if (this.#hasRoom()) for (const resolve of this.#onRoom.splice(0)) resolve();
    }
    this.#writing = null;
  }

  /** Tries until the store has taken it. False: the channel ends, and nothing of it was acknowledged. */
  async #store(batch: readonly InboxItem[]): Promise<boolean> {
    for (let failures = 0; ; failures += 1) {
      const failure = await this.#try(batch);
      if (failure === null) return true;
      if (!(failure instanceof StoreError) || failure.reason === 'internal') {
        return batch.length === 1 ? this.#refuse(batch[0], failure) : this.#storeEach(batch);
      }
      if (this.#context.signal.aborted || failure.reason === 'closed') return false;
      if (!this.#fails) {
        this.#fails = true;
        this.#context.log.err(
          `Messages are not acknowledged, as the store does not take them: ${failure.message} It is tried again.`,
        );
      }
      await this.#pause(backoffMs(storeBackoff, failures));
    }
  }

  /** Gives the failure; null if all is on disk. */
  async #try(batch: readonly InboxItem[]): Promise<unknown> {
    const cursor = batch.findLast(({ cursor }) => cursor !== undefined)?.cursor;
    let outcomes: readonly ReceiveOutcome[];
    try {
      outcomes = await this.#context.receive(
        batch.map(({ received }) => received),
        cursor === undefined ? undefined : { key: cursorKey, value: cursor },
      );
    } catch (error) {
      return error ?? new Error('the store gives no reason');
    }
    if (this.#fails) this.#context.log.notice('The store takes messages again.');
    this.#fails = false;
    for (const [index, { settled }] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined) settled(outcome);
    }
    return null;
  }

  /** One of them can't be taken: the others are. */
  async #storeEach(batch: readonly InboxItem[]): Promise<boolean> {
    for (const item of batch) if (!(await this.#store([item]))) return false;
    return true;
  }

  #refuse(item: InboxItem | undefined, failure: unknown): true {
    this.#context.log.err(`The store can't take a message: ${errorMessage(failure)}`);
    item?.refused('the store can’t take it; the gateway’s journal says why');
    return true;
  }

  async #pause(delayMs: number): Promise<void> {
    const { clock, signal } = this.#context;
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = clock.after(delayMs, end);
      signal.addEventListener('abort', end);
    });
  }
}
