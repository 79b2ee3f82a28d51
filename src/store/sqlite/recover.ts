import type { Recovery } from '../store.js';
import { takeBackDeliveries } from './deliveries.js';
import type { TakenTurnRow } from './sql.js';
import type { Transaction } from './transaction.js';
import { takeBackTurns } from './turns.js';

/** Turns that are taken back in one step: those who wait for an answer wait no longer than that takes. */
const turnsInStep = 250;

const everything = Number.MAX_SAFE_INTEGER;

export interface FirstStep extends Recovery {
  /** Whether there are turns left for `recoverMore`; the counts tell of them already. */
  readonly more: boolean;
}

/**
 * The turns of one step. None is left alone for a later one: should that be the next start's, it would look as if it had
 * run alone, which is held against a turn (takeBackTurns).
 */
function step(
  { sql }: Transaction,
  owner: string,
): { readonly taken: TakenTurnRow[]; readonly more: boolean } {
  const held = sql.expiredTurns.all(everything, owner, turnsInStep + 2);
  return held.length < turnsInStep + 2
    ? { taken: held, more: false }
    : { taken: held.slice(0, turnsInStep), more: true };
}

/**
 * Takes back all claims. Only at open: this database belongs to one gateway at a time (a lock on the state directory
 * sees to that), so whoever holds a claim is gone, and no lease has to run out first.
 *
 * With an `owner`, whose claims are to come, a start need not wait for thousands of turns: the most of them are left to
 * `recoverMore`. A turn that still waits for that holds its session, as one that runs does.
 */
export function recover(transaction: Transaction, now: number, owner: string | null): FirstStep {
  const { sql, counters, repeatable } = transaction;
  // A clock that was set back meanwhile must not hold up what was to be tried again soon.
  for (const line of ['turn', 'delivery'] as const) sql.endWaitsOfLaterClock.run(now, line, now, now);
  const { taken, more } =
    owner === null
      ? { taken: sql.expiredTurns.all(everything, '', -1), more: false }
      : step(transaction, owner);
  const turns = takeBackTurns(transaction, taken, now, { alone: taken.length === 1 });
  // Those that were cancelled are no longer counted as running.
  const left = counters.running;
  const deliveries = takeBackDeliveries(transaction, sql.expiredDeliveries.all(everything, '', -1), now);
  return {
    more,
    resumedTurns: turns.resumed + (repeatable ? left : 0),
    deadTurns: turns.dead + (repeatable ? 0 : left),
    resumedDeliveries: deliveries.resumed,
    unknownDeliveries: { resent: deliveries.resent, setAside: deliveries.setAside },
  };
}

/** Takes back some more of what `recover` left; says whether there is still more. */
export function recoverMore(transaction: Transaction, now: number, owner: string): boolean {
  const { taken, more } = step(transaction, owner);
  // Of that many none was alone.
  takeBackTurns(transaction, taken, now, { alone: false });
  return more;
}
