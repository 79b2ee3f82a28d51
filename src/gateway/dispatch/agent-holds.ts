import type { Clock } from '../../lifecycle/effects/clock.js';
import type { Log } from '../../log/log.js';

/** Between two tries to start an agent. */
const firstDelayMs = 1_000;
const longestDelayMs = 60_000;

/** An agent that can't be started: its messages wait, and one turn at a time tries again. Times as `Date.now()` has them. */
export interface AgentHold {
  /** When the first of these starts failed. */
  readonly since: number;
  /** The error of the last one. */
  readonly reason: string;
  /** Starts that failed in a row. */
  readonly failures: number;
  /** No turn begins before. */
  readonly nextAttemptAt: number;
  /** A turn tries now. */
  readonly attempting: boolean;
}

/**
 * The hold after a start that failed. Turns that began together with the first one that failed don't lengthen it, unless
 * the agent asks for a longer wait.
 *
 * @param retryAfterMs the wait that the agent asks for; null: it doesn't
 */
export function afterFailedStart(
  hold: AgentHold | null,
  reason: string,
  now: number,
  retryAfterMs: number | null = null,
): AgentHold {
  const askedFor = now + (retryAfterMs ?? 0);
  if (hold !== null && !hold.attempting) {
    return askedFor > hold.nextAttemptAt ? { ...hold, reason, nextAttemptAt: askedFor } : hold;
  }
  const failures = (hold?.failures ?? 0) + 1;
  const delayMs = Math.min(firstDelayMs * 2 ** (failures - 1), longestDelayMs);
  const nextAttemptAt = Math.max(now + delayMs, askedFor);
  return { since: hold?.since ?? now, reason, failures, nextAttemptAt, attempting: false };
}

/** Number of the free slots that turns may take: one once the next attempt is due, none before and beside it. */
export function slotsUnderHold(hold: AgentHold | null, freeSlots: number, now: number): number {
  if (hold === null) return freeSlots;
  return hold.attempting || now < hold.nextAttemptAt ? 0 : Math.min(freeSlots, 1);
}

/** A turn begins; if the next attempt is due, it is that. */
export function onAttempt(hold: AgentHold | null, now: number): AgentHold | null {
  return hold === null || now < hold.nextAttemptAt ? hold : { ...hold, attempting: true };
}

/** The turn that tried ended before it was known whether the agent can be started. */
export function onInconclusive(hold: AgentHold | null): AgentHold | null {
  return hold === null ? null : { ...hold, attempting: false };
}

export interface AgentStartsOptions {
  /** For records, such as "The agent" or "The agent fast". */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Turns may begin again. */
  readonly wake: () => void;
}

/** Keeps the hold of an agent: told of each start, it says how many turns may begin. */
export class AgentStarts {
  readonly #options: AgentStartsOptions;
  #hold: AgentHold | null = null;
  #cancelWake: () => void = () => undefined;

  constructor(options: AgentStartsOptions) {
    this.#options = options;
  }

  get hold(): AgentHold | null {
    return this.#hold;
  }

  /** Time until a turn may begin, in milliseconds; null: it may now. */
  get waitMs(): number | null {
    if (this.#hold === null) return null;
    const left = this.#hold.nextAttemptAt - this.#options.clock.now();
    if (this.#hold.attempting) return Math.max(left, firstDelayMs);
    return left > 0 ? left : null;
  }

  /** Number of the free slots that turns may take. */
  slots(freeSlots: number): number {
    return slotsUnderHold(this.#hold, freeSlots, this.#options.clock.now());
  }

  /** A turn begins. */
  begun(): void {
    this.#hold = onAttempt(this.#hold, this.#options.clock.now());
  }

  succeeded(): void {
    if (this.#hold === null) return;
    this.#options.log.notice(
      `${this.#options.name} can be started again; before, ${this.#hold.failures} starts in a row failed.`,
    );
    this.forget();
    this.#options.wake();
  }

  /** @param retryAfterMs the wait that the agent asks for; null: it doesn't */
  failed(reason: string, retryAfterMs: number | null = null): void {
    const { clock, log, wake } = this.#options;
    const before = this.#hold;
    const hold = afterFailedStart(before, reason, clock.now(), retryAfterMs);
    if (hold === before) return;
    this.#hold = hold;
    const delayMs = hold.nextAttemptAt - clock.now();
    this.#cancelWake();
    this.#cancelWake = clock.after(delayMs, wake);
    log[before === null ? 'err' : 'debug'](
      `${this.#options.name} can't be started: ${reason.replace(/\.$/, '')}. Its messages wait, and no attempt counts. The next one comes in ${delayMs / 1_000} s.`,
    );
  }

  /** The turn was cut off before it was known whether the agent can be started. */
  inconclusive(): void {
    this.#hold = onInconclusive(this.#hold);
  }

  /** Another agent takes its place, or no turn begins any more. */
  forget(): void {
    this.#cancelWake();
    this.#hold = null;
  }
}

/** Keeps the hold of each agent by its name, so that one that can't be started holds up no other. */
export class AgentHolds {
  readonly #options: Omit<AgentStartsOptions, 'name'>;
  readonly #byName = new Map<string, AgentStarts>();

  constructor(options: Omit<AgentStartsOptions, 'name'>) {
    this.#options = options;
  }

  of(name: string): AgentStarts {
    let starts = this.#byName.get(name);
    if (starts === undefined) {
      starts = new AgentStarts({ ...this.#options, name: `The agent "${name}"` });
      this.#byName.set(name, starts);
    }
    return starts;
  }

  /** Agents that are held now. */
  held(): ReadonlyMap<string, AgentHold> {
    const held = [...this.#byName].flatMap(([name, { hold }]) =>
      hold === null ? [] : [[name, hold] as const],
    );
    return new Map(held);
  }

  /** Others take their places, or no turn begins any more. */
  forget(): void {
    for (const starts of this.#byName.values()) starts.forget();
    this.#byName.clear();
  }
}
