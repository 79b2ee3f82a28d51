import type { JsonValue, MessageState, Reply, TurnWait } from '../../messages.js';
import { nextInSession } from '../../rules/ready-queue.js';
import { decideTurnEnd, type TurnEnd, type TurnMessageChange } from '../../rules/turn-end.js';
import type { TurnHold, TurnToPutBack } from '../../turns.js';
import { attach, fromAttachments } from './blobs.js';
import { isHeldBy } from './claims.js';
import { idToBytes } from './columns.js';
import { createDelivery, notePart } from './deliveries.js';
import { addDeltas, forgetDeltas } from './deltas.js';
import { moveSession, type NextRow, requeueAllAtFront } from './queue.js';
import { addUnfinished } from './sessions.js';
import { sql } from './statements.js';
import { countMove, type Transaction } from './transaction.js';

/** A turn under way, by its message. */
export interface TurnRow {
  readonly id: Buffer;
  readonly message: number;
  readonly session: number;
  readonly seq: number;
  readonly state: MessageState;
  readonly error: string | null;
  readonly attempts: number;
  readonly crashes: number;
  readonly reply_address: string | null;
}

interface HeldTurnRow extends TurnRow {
  readonly owner: string | null;
  readonly epoch: number;
}

const turnColumns =
  'm.id, m.number AS message, m.session, m.seq, m.state, m.error, m.attempts, m.crashes, m.reply_address';

const heldTurn = sql<[id: Buffer], HeldTurnRow>(
  `SELECT ${turnColumns}, h.owner, h.epoch
   FROM messages m
   JOIN heads h ON h.line = 'turn' AND h.session = m.session AND h.message = m.number
   WHERE m.id = ?`,
);
// Claims of others: at a start all of them, later those whose lease ran out. Oldest message first.
export const expiredTurns = sql<[now: number, owner: string, limit: number], TurnRow>(
  `SELECT ${turnColumns}
   FROM heads h JOIN messages m ON m.number = h.message
   WHERE h.line = 'turn' AND h.lease_until IS NOT NULL AND h.lease_until <= ? AND h.owner <> ?
   ORDER BY h.lease_until LIMIT 0 + ?`,
);
export const insertReply = sql<
  [
    message: number,
    text: string,
    metadata: string,
    at: number,
    attachments: string | null,
    usage: string | null,
  ]
>('INSERT INTO replies (message, text, metadata, at, attachments, usage) VALUES (?, ?, ?, ?, ?, ?)');
const changeTurn = sql<
  [
    state: MessageState,
    error: string | null,
    now: number,
    uncounted: 0 | 1,
    uncounted: 0 | 1,
    crashed: 0 | 1,
    putBack: 0 | 1,
    message: number,
  ]
>(
  `UPDATE messages SET state = ?, error = ?, changed_at = ?, attempts = attempts - ?, begun = max(begun, ?),
     crashes = crashes + ?, put_backs = put_backs + ?, waiting_for = NULL
   WHERE number = ?`,
);
// `messages` is a JSON array.
const requeueCrashed = sql<
  [crashed: 0 | 1, uncounted: 0 | 1, uncounted: 0 | 1, now: number, messages: string]
>(
  `UPDATE messages SET state = 'queued', crashes = crashes + ?, attempts = attempts - ?, begun = max(begun, ?),
     waiting_for = NULL, changed_at = ?
   WHERE number IN (SELECT value FROM json_each(?))`,
);
// Messages that were dead come first: the head has passed their numbers.
const nextRetried = sql<[session: number], NextRow>(
  `SELECT number, sender FROM messages INDEXED BY messages_retried
   WHERE session = ? AND retried_at IS NOT NULL AND state = 'queued' ORDER BY seq LIMIT 1`,
);
// Messages that are no longer queued (cancelled ones, say) are stepped over once: the head only moves forward.
const nextQueued = sql<[session: number, seq: number], NextRow>(
  `SELECT number, sender FROM messages INDEXED BY messages_queued
   WHERE session = ? AND seq > ? AND state = 'queued' ORDER BY seq LIMIT 1`,
);

export function completeTurn(transaction: Transaction, turn: TurnHold, reply: Reply): boolean {
  const row = heldBy(transaction, turn);
  if (row === null) return false;
  const isTaken = endTurn(transaction, row, { by: 'reply' });
  const { sql, now } = transaction;
  if (!isTaken) return false;
  const { text, metadata, attachments } = reply;
  const usage = reply.usage === undefined ? null : JSON.stringify(reply.usage);
  const files = fromAttachments(attachments);
  sql.run(insertReply, row.message, text, JSON.stringify(metadata), now, files, usage);
  attach(transaction, row.message, attachments);
  return true;
}

export function failTurn(
  transaction: Transaction,
  turn: TurnHold,
  error: string,
  retryInMs: number | null,
): boolean {
  const row = heldBy(transaction, turn);
  return row !== null && endTurn(transaction, row, { by: 'failure', error, retryInMs });
}

export function putBackTurns(transaction: Transaction, turns: readonly TurnToPutBack[]): number {
  let count = 0;
  // The last one first, as each goes to the very front: they end in the order that they were given.
  for (const turn of turns.toReversed()) {
    const row = heldBy(transaction, turn);
    const end: TurnEnd = { by: 'stop', cutOff: turn.cutOff === true, retryInMs: turn.retryInMs ?? null };
    if (row !== null && endTurn(transaction, row, end)) count += 1;
  }
  return count;
}

export function notePreview(transaction: Transaction, turn: TurnHold, receipt: JsonValue): boolean {
  const row = heldBy(transaction, turn);
  if (row !== null) notePart(transaction, row.message, 0, receipt);
  return row !== null;
}

/** The turn of a cancelled message has ended: the session goes on. */
export function releaseTurn(transaction: Transaction, turn: TurnHold): boolean {
  const row = heldBy(transaction, turn);
  return row !== null && endTurn(transaction, row, { by: 'release' });
}

/**
 * Takes turns from an owner that is gone.
 *
 * @param alone no other turn was under way
 * @param isOwnFault the owner ended by itself
 * @param waitOf time until it is run again, in ms; null: it is first in the queue at once. Default: all are
 */
export function reclaimTurns(
  transaction: Transaction,
  rows: readonly TurnRow[],
  {
    waitOf = () => null,
    ...how
  }: {
    readonly alone: boolean;
    readonly isOwnFault: boolean;
    readonly waitOf?: (row: TurnRow) => number | null;
  },
): { readonly resumed: number; readonly dead: number } {
  let resumed = 0;
  let dead = 0;
  // Neighbours that go on are put back together: a start may have ten thousand of them.
  const goOn: TurnRow[] = [];
  for (const row of rows.toReversed()) {
    const end = { by: 'crash', ...how, retryInMs: waitOf(row) } as const;
    const change = decideTurnEnd(ending(row), end, transaction);
    if (change.message?.state === 'queued' && change.session.to === 'front') {
      goOn.push(row);
      continue;
    }
    resumed += requeueAll(transaction, goOn.splice(0).reverse(), how);
    if (change.message?.state === 'dead') dead += 1;
    if (change.message?.state === 'queued') resumed += 1;
    endTurn(transaction, row, end);
  }
  resumed += requeueAll(transaction, goOn.reverse(), how);
  return { resumed, dead };
}

/** Puts turns that a crash has cut off back to the front of the queue, in their order. */
function requeueAll(
  transaction: Transaction,
  turns: readonly TurnRow[],
  { isOwnFault }: { readonly isOwnFault: boolean },
): number {
  if (turns.length === 0) return 0;
  const { sql, now } = transaction;
  const [crashed, uncounted] = isOwnFault ? ([1, 0] as const) : ([0, 1] as const);
  sql.run(
    requeueCrashed,
    crashed,
    uncounted,
    uncounted,
    now,
    JSON.stringify(turns.map(({ message }) => message)),
  );
  requeueAllAtFront(
    transaction,
    'turn',
    turns.map(({ session }) => session),
  );
  countMove(transaction, 'running', 'queued', turns.length);
  return turns.length;
}

/** The turn under this claim; null if the claim was lost, to a later one or to none. */
export function heldBy({ sql }: Transaction, turn: TurnHold): TurnRow | null {
  const held = sql.get(heldTurn, idToBytes(turn.messageId));
  return held !== undefined && isHeldBy(held, turn) ? held : null;
}

function ending({ state, error, attempts, crashes, reply_address }: TurnRow) {
  return { state, error, attempts, crashes, hasTarget: reply_address !== null };
}

/** Does what the rules say of an end; gives whether it was taken. */
function endTurn(transaction: Transaction, row: TurnRow, end: TurnEnd): boolean {
  const { isTaken, message, session, delivery } = decideTurnEnd(ending(row), end, transaction);
  if (message !== null) changeMessage(transaction, row, message);
  if (delivery !== null) createDelivery(transaction, row, delivery);
  if (session.to === 'next') addUnfinished(transaction, row.session, -1);
  moveSession(transaction, 'turn', row, session, () => nextOf(transaction, row));
  return isTaken;
}

function changeMessage(
  transaction: Transaction,
  { message, state: before }: TurnRow,
  { state, error, uncounted, crashed, putBack }: TurnMessageChange,
): void {
  const { sql, now } = transaction;
  const [uncount, crash, stop] = [uncounted ? 1 : 0, crashed ? 1 : 0, putBack ? 1 : 0] as const;
  sql.run(changeTurn, state, error, now, uncount, uncount, crash, stop, message);
  // The reply has all of it, or there is none.
  if (state !== 'queued') forgetDeltas(transaction, message);
  countMove(transaction, before, state);
}

/** The next message of a session whose head has ended. */
export function nextOf(
  { sql }: Transaction,
  { session, seq }: { readonly session: number; readonly seq: number },
): NextRow | undefined {
  const retried = sql.get(nextRetried, session);
  return nextInSession(retried, retried === undefined ? sql.get(nextQueued, session, seq) : undefined);
}

/** Notes on a turn while it runs. */

const changeWait = sql<[wait: TurnWait | null, message: number]>(
  'UPDATE messages SET waiting_for = ? WHERE number = ?',
);

export function setTurnWait(transaction: Transaction, turn: TurnHold, wait: TurnWait | null): boolean {
  const row = runningBy(transaction, turn);
  if (row !== null) transaction.sql.run(changeWait, wait, row.message);
  return row !== null;
}

export function appendDeltas(
  transaction: Transaction,
  turn: TurnHold,
  texts: readonly string[],
): number | null {
  const row = runningBy(transaction, turn);
  return row === null ? null : addDeltas(transaction, row, texts);
}

/** The running turn; null if the claim was lost, or the message was cancelled. */
function runningBy(transaction: Transaction, turn: TurnHold): TurnRow | null {
  const row = heldBy(transaction, turn);
  return row?.state === 'running' ? row : null;
}
