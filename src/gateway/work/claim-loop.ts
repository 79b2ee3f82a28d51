import type { Clock } from '../../lifecycle/effects/clock.js';
import { dueDelayMs, storeRetryDelayMs } from './store-calls.js';

export interface ClaimLoopOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  /** The number of items that may begin now. */
  readonly freeSlots: () => number;
  /** Claims up to `limit` items, hands them out and gives their number. */
  readonly claim: (limit: number) => Promise<number>;
  /** As `Store.nextDueInMs`. */
  readonly nextDueInMs: () => Promise<number | null>;
}

/** Claims work when some may be ready, and else sleeps until some is due: one timer, no polling. */
export class ClaimLoop {
  readonly #options: ClaimLoopOptions;
  /** So many items may be ready. */
  #wanted = 0;
  #asking = 0;
  #stopped = false;
  #underWay: Promise<void> | null = null;
  #failures = 0;
  /** The wait after a failure of the store, which wakes by itself. */
  #cancelPause: (() => void) | null = null;
  #due: { readonly at: number; readonly cancel: () => void } | null = null;
  #dueKnown = false;

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
  }

  /** The claim under way: the store may hold more for this owner than is known here. Null: there is none. */
  get underWay(): Promise<void> | null {
    return this.#underWay;
  }

  /** Slots that the claim under way may fill. */
  get asking(): number {
    return this.#asking;
  }

  /** Something may be ready. Costs nothing when all slots are taken: the end of an item wakes again. */
  wake(): void {
    this.#want(Number.POSITIVE_INFINITY);
  }

  /** An item ends, so that its session may have another one ready, for which there is its slot. */
  wakeForNext(): void {
    this.#want(this.#wanted + 1);
  }

  /** Something is to be tried again after so many milliseconds. */
  dueIn(delayMs: number): void {
    this.#sleep(dueDelayMs(delayMs, this.#options.leaseMs()));
  }

  /** No claim begins any more; resolves once the one under way has handed out its items. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wanted = 0;
    this.#cancelPause?.();
    this.#cancelPause = null;
    this.#due?.cancel();
    this.#due = null;
    await this.#underWay;
  }

  #want(items: number): void {
    if (this.#stopped || this.#cancelPause !== null || this.#options.freeSlots() < 1) return;
    this.#wanted = items;
    this.#underWay ??= this.#claimWhileWanted();
  }

  async #claimWhileWanted(): Promise<void> {
    const { claim, freeSlots } = this.#options;
    while (this.#wanted > 0) {
      const limit = Math.min(this.#wanted, freeSlots());
      this.#wanted = 0;
      if (limit < 1) break;
      try {
        this.#asking = limit;
        const claimed = await claim(limit);
        this.#failures = 0;
        // There may be more where these came from.
        if (claimed === limit) this.#wanted = Number.POSITIVE_INFINITY;
        if (this.#wanted === 0 && !this.#dueKnown && !this.#stopped) await this.#askWhatIsDue();
      } catch {
        // On record by StoreCalls.
        this.#failures += 1;
        this.#wanted = 0;
        this.#pause(storeRetryDelayMs(this.#failures));
      } finally {
        this.#asking = 0;
      }
    }
    this.#underWay = null;
  }

  async #askWhatIsDue(): Promise<void> {
    const due = await this.#options.nextDueInMs();
    this.#dueKnown = true;
    this.#sleep(dueDelayMs(due, this.#options.leaseMs()));
  }

  /** Until then at the latest. */
  #sleep(delayMs: number): void {
    const { clock } = this.#options;
    const at = clock.now() + delayMs;
    if (this.#stopped || (this.#due !== null && this.#due.at <= at)) return;
    this.#due?.cancel();
    const cancel = clock.after(delayMs, () => {
      this.#due = null;
      this.#dueKnown = false;
      this.wake();
      // If all slots are taken, the end of an item wakes again.
    });
    this.#due = { at, cancel };
  }

  #pause(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancelPause = this.#options.clock.after(delayMs, () => {
      this.#cancelPause = null;
      this.wake();
    });
  }
}

export interface LeaseRenewalOptions {
  readonly clock: Clock;
  /** Between two renewals. */
  intervalMs(): number;
  /** True if anything is claimed whose lease must not run out. */
  isHolding(): boolean;
  renew(): Promise<unknown>;
}

/**
 * Renews claims for as long as any is held. After a failure it goes on until a renewal has succeeded, so that the
 * trouble which is on record is taken off again.
 */
export class LeaseRenewal {
  #cancel: (() => void) | null = null;
  #failed = false;
  #stopped = false;

  constructor(private readonly options: LeaseRenewalOptions) {}

  /** To be called after each claim. */
  claimed(): void {
    if (this.#cancel === null) this.#schedule();
  }

  /** To be called after each end of a claim. */
  released(): void {
    if (!this.options.isHolding() && !this.#failed) this.#unschedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#unschedule();
  }

  #schedule(): void {
    this.#unschedule();
    this.#cancel = this.options.clock.after(this.options.intervalMs(), () => void this.#renew());
  }

  #unschedule(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  async #renew(): Promise<void> {
    try {
      await this.options.renew();
      this.#failed = false;
    } catch {
      // On record by who makes the call. A claim that is lost by it is noticed when its outcome is written.
      this.#failed = true;
    }
    if (!this.#stopped && (this.options.isHolding() || this.#failed)) this.#schedule();
    else this.#unschedule();
  }
}
