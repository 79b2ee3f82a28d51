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
