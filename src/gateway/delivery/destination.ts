import type { PeerState } from '../../channels/reply-sender.js';
import { backoffOf, boundedRetryAfterMs, type ScheduleSettings } from './schedule.js';

/**
 * The circuit breaker of one destination: pure functions. While it is open nothing is sent there; then one attempt, the
 * probe, shows whether the destination is back. Times and spans in milliseconds.
 */
export type Circuit =
  | { readonly state: 'closed'; readonly failures: number }
  | { readonly state: 'open'; readonly failures: number; readonly until: number }
  /** The probe is under way. */
  | { readonly state: 'half-open'; readonly failures: number };

/** The pauses of an open circuit are those of `backoffOf`. */
export type CircuitSettings = Pick<ScheduleSettings, 'retry_delay' | 'retry_delay_limit'>;

/** So many failures in a row open the circuit. */
export const failuresToOpen = 5;

export const closedCircuit: Circuit = { state: 'closed', failures: 0 };

/** True if an attempt may begin. */
export function allowsAttempt(circuit: Circuit, now: number): boolean {
  return circuit.state === 'closed' || (circuit.state === 'open' && now >= circuit.until);
}

/** An attempt begins that the circuit allows. */
export function onAttempt(circuit: Circuit): Circuit {
  return circuit.state === 'open' ? { state: 'half-open', failures: circuit.failures } : circuit;
}

/** The destination has failed an attempt. What had begun before the circuit opened changes nothing. */
export function onFailure(
  circuit: Circuit,
  now: number,
  settings: CircuitSettings,
  random: () => number,
): Circuit {
  if (circuit.state === 'open') return circuit;
  const failures = circuit.failures + 1;
  if (circuit.state === 'closed' && failures < failuresToOpen) return { state: 'closed', failures };
  return { state: 'open', failures, until: now + pause(failures, settings, random) };
}

/** An attempt has ended that says nothing of the destination: a probe is made again at once. */
export function onInconclusive(circuit: Circuit, now: number): Circuit {
  return circuit.state === 'half-open' ? { state: 'open', failures: circuit.failures, until: now } : circuit;
}

/** As long as the backoff after as many attempts, but at least half of it: a probe right away would tell nothing. */
function pause(failures: number, settings: CircuitSettings, random: () => number): number {
  const { retry_delay, retry_delay_limit } = backoffOf(settings);
  const ceiling = Math.min(retry_delay * 2 ** Math.min(failures - 1, 50), retry_delay_limit);
  return Math.ceil((ceiling * (1 + random())) / 2);
}

/**
 * The time until which nothing is sent to a destination, as it has asked for that by `Retry-After`. It stands beside the
 * circuit, which goes by failures.
 *
 * @param until the end that it has asked for before, which stands where the new wish ends earlier; 0: none
 * @param askedMs the span that it asks for now; null: it does not
 */
export function heldUntil(until: number, askedMs: number | null, now: number): number {
  return askedMs === null ? until : Math.max(until, now + boundedRetryAfterMs(askedMs));
}

export interface DestinationSettings extends CircuitSettings {
  /** Attempts under way to one destination at the same time. */
  readonly host_concurrency: number;
}

/** Says what becomes of a delivery that was claimed. */
export type Admission =
  | { readonly kind: 'send' }
  /** A slot will be free in a moment. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'postpone'; readonly until: number; readonly reason: string };

/** A delivery waits no longer here for a slot at its destination, in milliseconds. */
export const longestWait = 250;

/** Deliveries that are put off come back this far apart, and not before `firstReturn`; milliseconds. */
const spacing = 20;
const firstReturn = 1_000;
const latestReturn = 60_000;

/** The news of a destination that the end of an attempt brings. */
export interface AttemptEnd {
  readonly peer: PeerState;
  /** For how long it asks that nothing more is sent, in milliseconds; null: it does not. */
  readonly asked: number | null;
}

/**
 * One host that replies go to: its circuit, the time that it has asked for, and its share of the attempts under way.
 * Deliveries that it can't take now are put off in the store rather than held here, so that one that is down or slow
 * costs the others nothing.
 */
export class ReplyDestination {
  #circuit: Circuit = closedCircuit;
  /** Nothing is sent before that time, as it has asked; 0: it has not. */
  #heldUntil = 0;
  #sending = 0;
  #waiting = 0;
  /** Mean time between two slots that became free while all were taken. */
  #meanGap = 0;
  #fullSince = 0;
  #lastReturn = 0;
  /** The time at which the last one that failed is due again, or at which it failed. Its receiver may put it off for a day. */
  #expectedAt = 0;

  constructor(readonly name: string) {}

  get circuit(): Circuit {
    return this.#circuit;
  }

  /** The end of the time that it has asked for; null: it has not, or it is over. */
  heldUntil(now: number): number | null {
    return now < this.#heldUntil ? this.#heldUntil : null;
  }

  /**
   * True if dropping this destination loses nothing: none in flight, none waiting, circuit closed or old. All that was put
   * off or failed is back by then.
   */
  forgettable(now: number, settings: DestinationSettings): boolean {
    if (this.#sending > 0 || this.#waiting > 0 || now < this.#heldUntil) return false;
    if (this.#circuit === closedCircuit) return true;
    const last = Math.max(this.#probeAt, this.#lastReturn, this.#expectedAt);
    return now > last + Math.max(backoffOf(settings).retry_delay_limit, latestReturn);
  }

  /** A reply that failed is tried again at that time. */
  expect(at: number): void {
    this.#expectedAt = Math.max(this.#expectedAt, at);
  }

  admit(now: number, settings: DestinationSettings): Admission {
    const { state } = this.#circuit;
    if (now < this.#heldUntil) {
      const earliest = Math.max(this.#heldUntil, this.#probeAt);
      // When the time is over it is not to get all at the same moment: it has said that it was too much.
      return this.#postpone(earliest, earliest, `${this.name} has asked for time (Retry-After)`);
    }
    if (!allowsAttempt(this.#circuit, now)) {
      const earliest = state === 'open' ? this.#probeAt : now + firstReturn;
      return this.#postpone(earliest, now, `the circuit of ${this.name} is ${state}: it failed too often`);
    }
    if (this.#sending < settings.host_concurrency) return { kind: 'send' };
    const gap = Math.max(this.#meanGap, now - this.#fullSince);
    if ((this.#waiting + 1) * gap <= longestWait) return { kind: 'wait' };
    return this.postponeBusy(now);
  }

  /** For one that has waited for too long. */
  postponeBusy(now: number): Admission & { kind: 'postpone' } {
    const reason = `${this.name} is busy with ${this.#sending} replies (delivery.host_concurrency)`;
    return this.#postpone(now + firstReturn, now, reason);
  }

  beginWait(): void {
    this.#waiting += 1;
  }

  endWait(): void {
    this.#waiting -= 1;
  }

  begin(now: number, settings: DestinationSettings): void {
    this.#circuit = onAttempt(this.#circuit);
    this.#sending += 1;
    if (this.#sending >= settings.host_concurrency) this.#fullSince = now;
  }

  end(
    { peer, asked }: AttemptEnd,
    now: number,
    settings: DestinationSettings,
    random: () => number,
  ): 'opened' | 'closed' | null {
    if (this.#sending >= settings.host_concurrency) {
      this.#meanGap += (now - this.#fullSince - this.#meanGap) / 4;
      this.#fullSince = now;
    }
    this.#sending -= 1;
    this.#heldUntil = heldUntil(this.#heldUntil, asked, now);
    if (peer === 'failing') this.expect(now);
    const before = this.#circuit;
    if (peer === 'well') this.#circuit = closedCircuit;
    else if (peer === 'failing') this.#circuit = onFailure(before, now, settings, random);
    else this.#circuit = onInconclusive(before, now);
    if (this.#circuit.state === 'open' && before.state === 'closed') return 'opened';
    return this.#circuit.state === 'closed' && before.state !== 'closed' ? 'closed' : null;
  }

  /** The time at which its open circuit lets a probe through; 0: it is not open. */
  get #probeAt(): number {
    return this.#circuit.state === 'open' ? this.#circuit.until : 0;
  }

  /** @param from when the time begins in which all that is put off returns */
  #postpone(earliest: number, from: number, reason: string): Admission & { kind: 'postpone' } {
    const spaced = Math.max(earliest, this.#lastReturn + spacing);
    this.#lastReturn = Math.min(spaced, Math.max(earliest, from + latestReturn));
    return { kind: 'postpone', until: this.#lastReturn, reason };
  }
}
