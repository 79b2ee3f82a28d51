import type { Delivery } from '../../store/deliveries.js';

/** The replies to one destination whose attempts have failed, and that are tried again. */
export interface RetriedReplies {
  /** The destination, as in the facts of its circuit. */
  readonly origin: string;
  readonly replies: number;
  /** The most attempts that one of them has had. */
  readonly attempts: number;
  /** The first failure that this gateway has seen of them, in milliseconds since the Unix epoch. */
  readonly since: number;
  /** The newest failure's reason. */
  readonly reason: string;
}

/** More destinations are not told of. */
const mostOrigins = 20;

interface Failed {
  readonly origin: string;
  readonly attempts: number;
  readonly since: number;
  readonly reason: string;
  readonly retryAt: number;
}

/** One that was deleted meanwhile has no further attempt. It is forgotten so long after that was due, in milliseconds. */
const forgetAfterMs = 3_600_000;

/** The oldest are forgotten beyond this number, until their next attempt fails. */
const mostReplies = 10_000;

/** Knows which replies have failed and are tried again. A restart forgets it, but not the number of attempts. */
export class RetryRegister {
  /** By the message's id; the newest failure last. */
  readonly #failed = new Map<string, Failed>();

  note(
    { messageId, attempt }: Pick<Delivery, 'messageId' | 'attempt'>,
    origin: string,
    { error, retryAt }: { readonly error: string; readonly retryAt: number },
    now: number,
  ): void {
    const since = this.#failed.get(messageId)?.since ?? now;
    this.#failed.delete(messageId);
    this.#failed.set(messageId, { origin, attempts: attempt, since, reason: error, retryAt });
    for (const oldest of this.#failed.keys()) {
      if (this.#failed.size <= mostReplies) break;
      this.#failed.delete(oldest);
    }
  }

  forget(messageId: string): void {
    this.#failed.delete(messageId);
  }

  /** The destinations with the most attempts first. */
  facts(now: number): readonly RetriedReplies[] {
    const byOrigin = new Map<string, RetriedReplies>();
    for (const [messageId, { origin, attempts, since, reason, retryAt }] of this.#failed) {
      if (now > retryAt + forgetAfterMs) {
        this.#failed.delete(messageId);
        continue;
      }
      const known = byOrigin.get(origin);
      byOrigin.set(origin, {
        origin,
        replies: (known?.replies ?? 0) + 1,
        attempts: Math.max(known?.attempts ?? 0, attempts),
        since: Math.min(known?.since ?? since, since),
        reason,
      });
    }
    return [...byOrigin.values()].sort((a, b) => b.attempts - a.attempts).slice(0, mostOrigins);
  }
}
