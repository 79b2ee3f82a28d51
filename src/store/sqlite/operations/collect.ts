import type { SessionPolicy, UnknownPolicy } from '../../messages.js';
import { type Collectable, countParts } from '../../rules/ready-queue.js';
import type { CollectedMessage, TurnClaim } from '../../turns.js';
import { toAttachments } from './blobs.js';
import { idToText, parseMetadata, type TargetRow, targetColumns } from './columns.js';
import { addUnfinished } from './sessions.js';
import { sql } from './statements.js';
import { countMove, type Transaction } from './transaction.js';

/** A queued message as far as a turn may be made of it. */
export interface CollectableRow extends TargetRow {
  readonly message: number;
  readonly id: Buffer;
  readonly seq: number;
  readonly attempts: number;
  readonly put_backs: number;
  readonly begun: 0 | 1;
  readonly text: string;
  readonly metadata: string;
  readonly attachments: string | null;
  readonly sender: string | null;
  readonly channel: string;
  readonly reply_idempotent: 0 | 1;
  readonly reply_unknown: UnknownPolicy | null;
  readonly accepted_at: number;
  readonly generation: number;
}

/** The head of a session whose turn comes. */
export interface ReadyTurnRow extends CollectableRow {
  readonly session_number: number;
  readonly crashes: number;
  readonly session: string;
  readonly policy: SessionPolicy | null;
  readonly agent: string | null;
  readonly ready: number;
}

type CollectedRow = Pick<CollectableRow, 'id' | 'seq' | 'text' | 'metadata' | 'attachments' | 'sender'>;

const queuedBehind = sql<[session: number, seq: number, limit: number], CollectableRow>(
  `SELECT m.number AS message, m.id, m.seq, m.attempts, m.put_backs, m.begun, m.generation, t.text, t.metadata, t.attachments, m.sender,
     m.channel, ${targetColumns}, m.reply_idempotent, m.reply_unknown, m.accepted_at
   FROM messages m INDEXED BY messages_queued JOIN message_texts t ON t.message = m.number
   WHERE m.session = ? AND m.seq > ? AND m.state = 'queued' ORDER BY m.seq LIMIT 0 + ?`,
);
const collectInto = sql<[now: number, into: number, message: number]>(
  "UPDATE messages SET state = 'collected', changed_at = ?, collected_in = ? WHERE number = ?",
);
// By their numbers, which is the order in which they were accepted.
const collectedIn = sql<[message: number], CollectedRow>(
  `SELECT m.id, m.seq, t.text, t.metadata, t.attachments, m.sender
   FROM messages m INDEXED BY messages_collected JOIN message_texts t ON t.message = m.number
   WHERE m.collected_in = ? AND m.collected_in IS NOT NULL ORDER BY m.number`,
);

/**
 * Makes one turn of the head of a session that collects and of what waits behind it: the last of them runs, the others
 * are part of its turn. It stays made of these, whatever comes later and however often it is run.
 */
export function collect(transaction: Transaction, head: ReadyTurnRow, claim: TurnClaim): CollectableRow {
  const { sql, now } = transaction;
  const limit = (claim.collectLimit ?? 1) - 1;
  const collects = (head.policy ?? claim.policy) === 'collect' && limit > 0;
  if (!collects) return head;
  const turn = [head, ...partsOf(transaction, head, limit)];
  const last = turn.at(-1) ?? head;
  const others = turn.slice(0, -1);
  for (const { message } of others) sql.run(collectInto, now, last.message, message);
  addUnfinished(transaction, head.session_number, -others.length);
  countMove(transaction, 'queued', 'collected', others.length);
  return last;
}

/** The messages behind the head that are run with it. */
function partsOf({ sql }: Transaction, head: ReadyTurnRow, limit: number): readonly CollectableRow[] {
  const read: CollectableRow[] = [];
  // Their texts are read no further than they are wanted.
  function* behind(): Generator<Collectable> {
    for (const row of sql.iterate(queuedBehind, head.session_number, head.seq, limit)) {
      read.push(row);
      yield collectable(row);
    }
  }
  return read.slice(0, countParts(collectable(head), behind()));
}

function collectable(row: CollectableRow): Collectable {
  return {
    text: row.text,
    hasBegun: row.attempts > 0 || row.begun === 1,
    target: JSON.stringify([
      row.reply_channel,
      row.reply_address,
      row.reply_options,
      row.reply_idempotent,
      row.reply_unknown,
    ]),
    generation: row.generation,
  };
}

/** Messages that are part of this message's turn, in their order. */
export function collectedOf({ sql }: Transaction, { message }: CollectableRow): readonly CollectedMessage[] {
  return sql.all(collectedIn, message).map((row) => ({
    messageId: idToText(row.id),
    seq: row.seq,
    text: row.text,
    metadata: parseMetadata(row.metadata),
    sender: row.sender,
    ...toAttachments(row.attachments),
  }));
}
