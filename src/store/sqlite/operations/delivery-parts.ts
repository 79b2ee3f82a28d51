import type { DeliveryPart } from '../../deliveries.js';
import type { JsonValue } from '../../messages.js';
import { parseJson } from './columns.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';

const upsertPart = sql<[message: number, part: number, receipt: string, at: number]>(
  `INSERT INTO delivery_parts (message, part, receipt, at) VALUES (?, ?, ?, ?)
   ON CONFLICT (message, part) DO UPDATE SET receipt = excluded.receipt, at = excluded.at`,
);
const partsOf = sql<[message: number], { readonly part: number; readonly receipt: string }>(
  'SELECT part, receipt FROM delivery_parts WHERE message = ? ORDER BY part',
);

export function notePart({ sql, now }: Transaction, message: number, part: number, receipt: JsonValue): void {
  sql.run(upsertPart, message, part, JSON.stringify(receipt), now);
}

/** What a channel has taken of the message's reply, in its order. */
export function readParts({ sql }: Transaction, message: number): readonly DeliveryPart[] {
  return sql.all(partsOf, message).map(({ part, receipt }) => ({ part, receipt: parseJson(receipt) }));
}
