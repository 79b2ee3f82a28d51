import type { Clock } from '../../lifecycle/clock.js';

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
