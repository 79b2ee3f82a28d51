import type { Recovery } from '../../open-store.js';
import { expiredDeliveries, reclaimDeliveries } from './deliveries.js';
import { releaseAllLeases } from './leases.js';
import { endWaitsOfClockAhead } from './queue.js';
import type { Transaction } from './transaction.js';
import { expiredTurns, reclaimTurns } from './turns.js';

const unlimited = Number.MAX_SAFE_INTEGER;

/**
 * Takes back what owners held that are gone. Only at open: this database belongs to one gateway at a time (a lock beside
 * the database sees to that), so these are all, and no lease has to run out first.
 */
export function recover(
  transaction: Transaction,
  { isOwnFault }: { readonly isOwnFault: boolean },
): Recovery {
  const { sql } = transaction;
  endWaitsOfClockAhead(transaction);
  releaseAllLeases(transaction);
  const held = sql.all(expiredTurns, unlimited, '', -1);
  const turns = reclaimTurns(transaction, held, { alone: held.length === 1, isOwnFault });
  const deliveries = reclaimDeliveries(transaction, sql.all(expiredDeliveries, unlimited, '', -1));
  return {
    resumedTurns: turns.resumed,
    deadTurns: turns.dead,
    resumedDeliveries: deliveries.resumed,
    unknownDeliveries: { resent: deliveries.resent, setAside: deliveries.setAside },
  };
}
