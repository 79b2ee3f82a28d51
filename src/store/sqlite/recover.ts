import type { Recovery } from '../store.js';
import { takeBackDeliveries } from './deliveries.js';
import type { Transaction } from './transaction.js';
import { takeBackTurns } from './turns.js';

const everything = Number.MAX_SAFE_INTEGER;

/**
 * Takes back all claims. Only at open: this database belongs to one gateway at a time (a lock on the state directory
 * sees to that), so whoever holds a claim is gone, and no lease has to run out first.
 */
export function recover(transaction: Transaction): Recovery {
  const { sql, now } = transaction;
  // A clock that was set back meanwhile must not hold up what was to be tried again soon.
  for (const line of ['turn', 'delivery'] as const) sql.endWaitsOfLaterClock.run(now, line, now, now);
  const taken = sql.expiredTurns.all(everything, '', -1);
  const turns = takeBackTurns(transaction, taken, { alone: taken.length === 1 });
  const deliveries = takeBackDeliveries(transaction, sql.expiredDeliveries.all(everything, '', -1));
  return {
    resumedTurns: turns.resumed,
    deadTurns: turns.dead,
    resumedDeliveries: deliveries.resumed,
    unknownDeliveries: { resent: deliveries.resent, setAside: deliveries.setAside },
  };
}
