import type { CollectedMessage, TurnClaim } from '../store.js';
import { idToText } from './identifiers.js';
import { parseMetadata } from './reads.js';
import type { CollectableRow, TurnRow } from './sql.js';
import type { Transaction } from './transaction.js';

/** A turn is made of no more texts than these UTF-16 code units hold, but for its first. */
const longestText = 1_048_576;

/**
 * Makes one turn of the head of a session that collects and of what waits behind it: the last of them runs, the others
 * are part of its turn. It stays made of these, whatever comes later and however often it is run. Only messages whose
 * reply goes to the same place are put together.
 */
export function collect(transaction: Transaction, head: TurnRow, claim: TurnClaim): CollectableRow {
  const { sql, counters, now } = transaction;
  const limit = (claim.collectLimit ?? 1) - 1;
  const collects = (head.policy ?? claim.policy) === 'collect' && limit > 0;
  if (!collects || hasBegun(head)) return head;
  let last: CollectableRow = head;
  const others: CollectableRow[] = [];
  let length = head.text.length;
  for (const row of sql.collectable.iterate(head.session_number, head.seq, limit)) {
    length += row.text.length;
    if (hasBegun(row) || !repliesAlike(row, head) || length > longestText) break;
    others.push(last);
    last = row;
  }
  for (const { message } of others) sql.collect.run(now, last.message, message);
  sql.addUnfinished.run(-others.length, head.session_number);
  counters.queued -= others.length;
  counters.collected += others.length;
  return last;
}

/** What is part of this message's turn, in its order. */
export function collectedOf({ sql }: Transaction, { message }: CollectableRow): readonly CollectedMessage[] {
  return sql.collectedIn.all(message).map((row) => ({
    messageId: idToText(row.id),
    seq: row.seq,
    text: row.text,
    metadata: parseMetadata(row.metadata),
    sender: row.sender,
  }));
}

/** The text that an agent is given which takes but one. */
export function turnText(collected: readonly CollectedMessage[], text: string): string {
  return [...collected.map((message) => message.text), text].join('\n\n');
}

/** An agent has seen its turn, perhaps: then it is made of the same for ever. */
function hasBegun({ attempts, begun }: CollectableRow): boolean {
  return attempts > 0 || begun === 1;
}

function repliesAlike(a: CollectableRow, b: CollectableRow): boolean {
  return (
    a.reply_url === b.reply_url &&
    a.reply_idempotent === b.reply_idempotent &&
    a.reply_unknown === b.reply_unknown
  );
}
