import { setMaxListeners } from 'node:events';
import type { Clock } from '../../lifecycle/effects/clock.js';
import type { Log, LogFields } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';
import { ClaimLoop, LeaseRenewal } from './claim-loop.js';
import { renewalIntervalMs, StoreCalls, StoredWrite, type WriteOutcome } from './store-calls.js';

export interface WorkLoopFacts {
  readonly state: 'open' | 'draining' | 'drained';
  /** Why the last call to the store failed; null when it did not. */
  readonly storeTrouble: string | null;
  /** Now, unless a call to the store is unanswered: then when it was made. Milliseconds since the Unix epoch. */
  readonly lastProgressAt: number;
}

export interface DrainOutcome {
  /** Items that came to their own end, or whose message is dead. */
  readonly finished: number;
  /** Items that were cut off and wait again, or do so from the next start on. */
  readonly putBack: number;
}

/** The outcome of a whole drain. */
export interface DrainedWork extends DrainOutcome {
  /** Messages that went dead meanwhile, by their turn or their reply. */
  readonly dead: number;
}

/** Names of the store calls in records: each one completes "The store could not …". */
export interface WorkLoopPurposes {
  readonly claim: string;
  readonly due: string;
  readonly write: string;
  readonly putBack: string;
}

export interface WorkLoopOptions<Item> {
  /** The caller's name in records about the store. */
  readonly name: 'dispatcher' | 'deliverer';
  readonly purposes: WorkLoopPurposes;
  readonly log: Log;
  readonly clock: Clock;
  readonly leaseMs: () => number;
  /** The number of items that may begin, while it is open. */
  readonly freeSlots: () => number;
  readonly claim: (limit: number) => Promise<readonly Item[]>;
  readonly nextDueInMs: () => Promise<number | null>;
  /** An item was claimed, and is to begin. */
  readonly onClaimed: (item: Item) => void;
  /** An item was claimed too late: it is to be put back. */
  readonly onClaimedLate: (item: Item) => void;
  /** True if anything is claimed whose lease must not run out. */
  readonly isHolding: () => boolean;
  readonly renewLeases: () => Promise<void>;
  /** There is no more time: what runs is to be cut off. */
  readonly onGiveUp: () => void;
  /** Resolves once nothing runs. */
  readonly ended: () => Promise<unknown>;
  /** Items that came to their own end since the start, or whose message is dead. */
  readonly finishedCount: () => number;
  /** Items that are to be put back. */
  readonly unfinishedCount: () => number;
  /** Gives the number that the store has put back. */
  readonly putBack: () => Promise<number>;
}

/**
 * The common part of running turns and of delivering replies: it claims from the store up to a number of slots, holds the
 * claims by a lease, writes each end until the store has it, and drains.
 */
export class WorkLoop<Item> {
  readonly calls: StoreCalls;
  readonly claims: ClaimLoop;
  readonly renewal: LeaseRenewal;
  readonly #options: WorkLoopOptions<Item>;
  readonly #storedWrite: StoredWrite;
  readonly #giveUp = new AbortController();
  #state: WorkLoopFacts['state'] = 'open';
  #drain: Promise<DrainOutcome> | null = null;

  constructor(options: WorkLoopOptions<Item>) {
    this.#options = options;
    // As many as there are turns and sends under way listen to it.
    setMaxListeners(0, this.#giveUp.signal);
    const { log, clock, name, purposes, leaseMs, freeSlots, nextDueInMs, isHolding, renewLeases } = options;
    const calls = new StoreCalls(log, clock, name);
    this.calls = calls;
    this.claims = new ClaimLoop({
      clock,
      leaseMs,
      freeSlots: () => (this.isOpen ? freeSlots() : 0),
      claim: (limit) => this.#claim(limit),
      nextDueInMs: () => calls.run(purposes.due, nextDueInMs),
    });
    this.renewal = new LeaseRenewal({
      clock,
      intervalMs: () => renewalIntervalMs(leaseMs()),
      isHolding,
      renew: () => calls.run('renew leases', renewLeases),
    });
    this.#storedWrite = new StoredWrite({
      calls,
      clock,
      purpose: purposes.write,
      giveUp: this.#giveUp.signal,
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Aborted once nothing may go on for longer. */
  get giveUp(): AbortSignal {
    return this.#giveUp.signal;
  }

  facts(): WorkLoopFacts {
    return {
      state: this.#state,
      storeTrouble: this.calls.trouble,
      lastProgressAt: this.calls.waitingSince ?? this.#options.clock.now(),
    };
  }

  /** Begins an item that is claimed now; after the drain has begun it is put back instead. */
  take(item: Item): void {
    if (this.isOpen) this.#options.onClaimed(item);
    else this.#options.onClaimedLate(item);
  }

  /** Writes the end of an item until the store has it. `write` gives false when the claim was lost. */
  write(write: () => Promise<boolean>): Promise<WriteOutcome> {
    return this.#storedWrite.write(write);
  }

  /** Tells somebody outside: what that throws must not touch the work. */
  notify(tell: () => void, fields: LogFields): void {
    try {
      tell();
    } catch (error) {
      const reason = errorMessage(error);
      this.#options.log.err(`Could not notify a subscriber of a message's change: ${reason}`, fields);
    }
  }

  /**
   * Claims no more, has what runs end within `timeoutMs` or until `signal` is aborted, cuts off the rest and puts it back.
   * Nothing runs when the promise resolves.
   *
   * @param settled resolves once nothing is claimed any more in another way
   */
  drain(timeoutMs: number, signal?: AbortSignal, settled?: () => Promise<void>): Promise<DrainOutcome> {
    this.#drain ??= this.#drainOnce(timeoutMs, signal, settled);
    return this.#drain;
  }

  async #claim(limit: number): Promise<number> {
    const { claim, purposes } = this.#options;
    const items = await this.calls.run(purposes.claim, () => claim(limit));
    for (const item of items) this.take(item);
    return items.length;
  }

  async #drainOnce(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    settled: (() => Promise<void>) | undefined,
  ): Promise<DrainOutcome> {
    const { clock, ended, finishedCount } = this.#options;
    this.#state = 'draining';
    const finishedBefore = finishedCount();
    const claimed = Promise.all([this.claims.stop(), settled?.()]);
    const giveUp = () => this.#giveUpNow();
    const cancelDeadline = clock.after(timeoutMs, giveUp);
    signal?.addEventListener('abort', giveUp);
    if (signal?.aborted || timeoutMs <= 0) giveUp();
    await claimed;
    await ended();
    cancelDeadline();
    signal?.removeEventListener('abort', giveUp);
    const putBack = await this.#putBack();
    this.#state = 'drained';
    this.renewal.stop();
    return { finished: finishedCount() - finishedBefore, putBack };
  }

  #giveUpNow(): void {
    this.#giveUp.abort();
    this.#options.onGiveUp();
  }

  async #putBack(): Promise<number> {
    const { putBack, unfinishedCount, purposes, log } = this.#options;
    try {
      return await this.calls.run(purposes.putBack, putBack);
    } catch {
      // On record by StoreCalls; all of it still stands there as claimed.
      log.err(`The store could not ${purposes.putBack} now; the next start does it.`);
      return unfinishedCount();
    }
  }
}
