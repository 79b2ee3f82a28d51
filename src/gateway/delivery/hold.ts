import { waitAsked } from './backoff.js';

/**
 * Until when nothing is sent to a destination, as it has asked for that by `Retry-After`: a pure function, beside the
 * circuit, which goes by failures. Times and spans in milliseconds.
 *
 * @param until what it has asked for before, which stands where the new wish ends earlier; 0: nothing
 * @param asked for how long it asks now; null: it does not
 */
export function heldUntil(until: number, asked: number | null, now: number): number {
  return asked === null ? until : Math.max(until, now + waitAsked(asked));
}
