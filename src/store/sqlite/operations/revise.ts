import type { ArrivedMessage, MessageState, RevisionOutcome } from '../../messages.js';
import { mayRevise } from '../../rules/operator-actions.js';
import { cancelMessage } from './by-hand.js';
import { idToText } from './columns.js';
import { readMessage } from './reads.js';
import { sessionNamed } from './sessions.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';

interface RevisedRow {
  readonly id: Buffer;
  readonly message: number;
  readonly state: MessageState;
  readonly attempts: number;
  readonly begun: 0 | 1;
}

const arrivedMessage = sql<[session: number, channel: string, key: string], RevisedRow>(
  `SELECT id, number AS message, state, attempts, begun FROM messages
   WHERE session = ? AND channel = ? AND idempotency_key = ?`,
);
const replaceText = sql<[text: string, message: number]>(
  'UPDATE message_texts SET text = ? WHERE message = ?',
);

/** See `Store.reviseMessage`. */
export function reviseMessage(
  transaction: Transaction,
  { session, channel, idempotencyKey }: ArrivedMessage,
  text: string | null,
): RevisionOutcome | null {
  const number = sessionNamed(transaction, session)?.number;
  if (number === undefined) return null;
  const row = transaction.sql.get(arrivedMessage, number, channel, idempotencyKey);
  if (row === undefined) return null;
  const id = idToText(row.id);
  const isRevised = mayRevise({ state: row.state, hasBegun: row.attempts > 0 || row.begun === 1 }, text);
  if (isRevised && text === null) cancelMessage(transaction, id);
  if (isRevised && text !== null) transaction.sql.run(replaceText, text, row.message);
  const message = readMessage(transaction, id);
  return message === null ? null : { outcome: isRevised ? 'revised' : 'late', message };
}
