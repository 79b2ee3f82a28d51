import { type KilledTurn, keptRuns, type Recovery, type RunRecord } from '../../open-store.js';
import { killsInARow, waitAfterKills } from '../../rules/kills.js';
import { idToBytes, idToText } from './columns.js';
import { expiredDeliveries, reclaimDeliveries } from './deliveries.js';
import { releaseAllLeases } from './leases.js';
import { endWaitsOfClockAhead } from './queue.js';
import { putRecord, readRecord } from './records.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';
import { expiredTurns, reclaimTurns, type TurnRow } from './turns.js';

const insertRun = sql<[id: Buffer, record: string]>('INSERT INTO runs (id, record) VALUES (?, ?)');
const changeRun = sql<[record: string, id: Buffer]>('UPDATE runs SET record = ? WHERE id = ?');
const forgetRuns = sql<[kept: number]>('DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - ?');
// No more than the newest so many by their numbers, which have no gaps but at the old end.
const newestRuns = valueSql<[newest: number], string>(
  'SELECT record FROM runs WHERE number > (SELECT max(number) FROM runs) - ? ORDER BY number DESC',
);

export function beginRun(transaction: Transaction, run: RunRecord): readonly RunRecord[] {
  const { sql } = transaction;
  sql.run(insertRun, idToBytes(run.id), JSON.stringify(run));
  sql.run(forgetRuns, keptRuns);
  return readRuns(transaction, keptRuns);
}

export function updateRun({ sql }: Transaction, run: RunRecord): void {
  sql.run(changeRun, JSON.stringify(run), idToBytes(run.id));
}

export function readRuns({ sql }: Transaction, limit: number): readonly RunRecord[] {
  return sql
    .all(newestRuns, Math.max(0, Math.min(limit, keptRuns)))
    .map((record) => JSON.parse(record) as RunRecord);
}

const nameOf = valueSql<[session: number], string>('SELECT name FROM sessions WHERE number = ?');

/** Kills in a row at which a message's turn was under way, by its id; and how long they are kept, in ms. */
const killsKind = 'kills';
const killsKeptMs = 86_400_000;
/** Turns that are looked at. */
const mostKilledTurns = 1_000;

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
  const waiting = isOwnFault ? new Map<number, KilledTurn>() : afterKills(transaction, held);
  const turns = reclaimTurns(transaction, held, {
    alone: held.length === 1,
    isOwnFault,
    waitOf: ({ message }) => waiting.get(message)?.waitMs ?? null,
  });
  const deliveries = reclaimDeliveries(transaction, sql.all(expiredDeliveries, unlimited, '', -1));
  return {
    resumedTurns: turns.resumed,
    deadTurns: turns.dead,
    resumedDeliveries: deliveries.resumed,
    unknownDeliveries: { resent: deliveries.resent, setAside: deliveries.setAside },
    killedTurns: [...waiting.values()],
  };
}

/** Turns that wait, as they were under way at several kills in a row, by the numbers of their messages. */
function afterKills(transaction: Transaction, held: readonly TurnRow[]): ReadonlyMap<number, KilledTurn> {
  const waiting = new Map<number, KilledTurn>();
  // One kill is no row: most starts look at no turn, and at two runs at most.
  if (held.length === 0 || killsInARow(readRuns(transaction, 2), transaction.now) < 2) return waiting;
  for (const [place, { id, message, session }] of held.slice(0, mostKilledTurns).entries()) {
    const messageId = idToText(id);
    const before = readRecord(transaction, killsKind, messageId)?.value;
    const kills = (typeof before === 'number' ? before : 1) + 1;
    putRecord(transaction, { kind: killsKind, key: messageId, value: kills, expiresInMs: killsKeptMs });
    const wait = waitAfterKills(kills);
    if (wait === null) continue;
    // The one whose doing they are is not to take the same others with it each time.
    const waitMs = Math.round(wait * (1 + place / held.length));
    waiting.set(message, { messageId, session: transaction.sql.get(nameOf, session) ?? '', kills, waitMs });
  }
  return waiting;
}
