import { errorMessage } from '../text/failure-text.js';
import { backoffMs, channelBackoff, isStable } from './backoff.js';
import type { ChannelContext } from './channel.js';
import type { KeptHealth } from './kept-health.js';

export interface ProgramRestartsOptions {
  readonly context: Pick<ChannelContext, 'name' | 'clock' | 'log'>;
  readonly health: KeptHealth;
  /** False once nothing is to be started any more. */
  readonly isOpen: () => boolean;
  /** Starts the program. Rejects with the reason if it does not get ready. */
  readonly open: () => Promise<void>;
}

/** Starts the program of a channel again whenever it has ended: after 1 s, doubled for each failure up to 1 min. */
export class ProgramRestarts {
  readonly #options: ProgramRestartsOptions;
  #failures = 0;
  #delayMs = 0;
  #cancel = () => {};

  constructor(options: ProgramRestartsOptions) {
    this.#options = options;
  }

  /** The program had been ready since then, and has ended. */
  ended(readyAt: number, reason: string): void {
    if (isStable(this.#options.context.clock.now() - readyAt)) this.#failures = 0;
    this.#again(reason);
  }

  /** The wait before the last start, or before the one that is to come, in milliseconds. */
  get delayMs(): number {
    return this.#delayMs;
  }

  cancel(): void {
    this.#cancel();
  }

  #again(reason: string): void {
    const { context, health, isOpen, open } = this.#options;
    if (!isOpen()) return;
    const delayMs = backoffMs(channelBackoff, this.#failures);
    this.#delayMs = delayMs;
    this.#failures += 1;
    const next = `started again in ${Math.round(delayMs / 100) / 10} s`;
    if (health.now.reason !== reason) {
      context.log.err(`The channel ${context.name} is down: ${reason}. It is ${next}.`);
    }
    health.enter('down', reason);
    this.#cancel = context.clock.after(delayMs, () => {
      if (isOpen()) open().catch((error: unknown) => this.#again(errorMessage(error)));
    });
  }
}
