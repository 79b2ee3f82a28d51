import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorMessage } from '../../text/failure-text.js';
import type { ChannelContext, Received, ReceiveOutcome } from '../channel.js';
import { StoreRetries, storeFails } from '../until-stored.js';
import type { InboundLine } from './protocol.js';

/** The key of the checkpoint. */
export const cursorKey = 'cursor';

/** Messages that are written in one transaction at most, and those that may wait for it until no more are read. */
const mostAtOnce = 200;
const mostWaiting = 1_000;
const mostWaitingCharacters = 4 * 1024 ** 2;

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
  readonly #retries: StoreRetries;
  #waiting: InboxItem[] = [];
  #waitingCharacters = 0;
  #writing: Promise<void> | null = null;
  #onRoom: (() => void)[] = [];

  constructor(context: Pick<ChannelContext, 'receive' | 'clock' | 'log' | 'signal'>) {
    this.#context = context;
    this.#retries = new StoreRetries(context);
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
    const cursor = batch.findLast(({ cursor }) => cursor !== undefined)?.cursor;
    const checkpoint = cursor === undefined ? undefined : { key: cursorKey, value: cursor };
    const received = batch.map((item) => item.received);
    let outcomes: readonly ReceiveOutcome[];
    try {
      outcomes = await this.#retries.untilStored(() => this.#context.receive(received, checkpoint));
    } catch (error) {
      if (storeFails(error)) return false;
      return batch.length === 1 ? this.#refuse(batch[0], error) : this.#storeEach(batch);
    }
    for (const [index, { settled }] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined) settled(outcome);
    }
    return true;
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
}
