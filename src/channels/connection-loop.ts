import { pause } from '../lifecycle/effects/waits.js';
import { errorMessage } from '../text/failure-text.js';
import { backoffMs, channelBackoff } from './backoff.js';
import type { ChannelContext } from './channel.js';
import type { Complaints } from './complaints.js';
import type { KeptHealth } from './kept-health.js';
import { type ChannelTrouble, isDown, passing } from './trouble.js';

/** Between two looks at another gateway's claim, in milliseconds. */
export const standbyMs = 5_000;

export interface ConnectionLoopOptions {
  readonly context: Pick<ChannelContext, 'name' | 'clock'>;
  readonly health: KeptHealth;
  readonly complaints: Complaints;
  /** Ends the loop. */
  readonly signal: AbortSignal;
  /** One poll or connection, and all that it needs. Null: it went well, and the next one follows at once. */
  readonly step: () => Promise<ChannelTrouble | null>;
  /** Called before the wait for the next try, but not on standby. */
  readonly onTrouble: (trouble: ChannelTrouble) => Promise<void>;
}

/** Keeps a channel connected to its platform: it tries again, later each time, and tells operators why. */
export class ConnectionLoop {
  readonly #options: ConnectionLoopOptions;
  #failures = 0;

  constructor(options: ConnectionLoopOptions) {
    this.#options = options;
  }

  /** Resolves at the end of the channel. Never rejects. */
  async run(): Promise<void> {
    const { signal, step } = this.#options;
    while (!signal.aborted) {
      const trouble = await step().catch((error: unknown) => passing(errorMessage(error)));
      if (signal.aborted) return;
      if (trouble !== null) await this.#rest(trouble);
    }
  }

  /** The platform was heard: the next wait is a short one. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** Ends with the channel, too. */
  pause(delayMs: number): Promise<void> {
    const { context, signal } = this.#options;
    return pause({ clock: context.clock, signal }, delayMs);
  }

  async #rest(trouble: ChannelTrouble): Promise<void> {
    const { context, health, complaints, onTrouble } = this.#options;
    const { kind, reason, retryAfterMs } = trouble;
    if (kind === 'standby') {
      health.enter('starting', reason);
      return this.pause(standbyMs);
    }
    this.#failures += 1;
    const delayMs = Math.max(retryAfterMs ?? 0, backoffMs(channelBackoff, this.#failures - 1));
    if (isDown(trouble, this.#failures)) {
      health.enter('down', reason);
      complaints.note(
        kind,
        `The channel ${context.name} is down: ${reason}. The next try is in ${Math.round(delayMs / 100) / 10} s.`,
      );
    }
    await onTrouble(trouble);
    await this.pause(delayMs);
  }
}
