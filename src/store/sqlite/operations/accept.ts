import type { NewMessage, QueueLimits, SessionCancelled, UnknownPolicy } from '../../messages.js';
import { type Checkpoint, checkpointKind } from '../../records.js';
import { type AcceptanceFacts, decideAcceptance, fullReason } from '../../rules/acceptance.js';
import { hasSlot } from '../../rules/ready-queue.js';
import type { ArrivalClaim } from '../../turns.js';
import type { Accepted } from '../thread/protocol.js';
import { attach, fromAttachments } from './blobs.js';
import { cancelSession } from './by-hand.js';
import { enqueueHeld, poisonSuspectIsRunning } from './claims.js';
import { fromTarget, idToBytes, idToText } from './columns.js';
import { anyReadyBeside, enqueue, head } from './queue.js';
import { readMessage } from './reads.js';
import { putRecord } from './records.js';
import { addUnfinished, extend, type SessionRow, sessionNamed } from './sessions.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';
import { insertReply } from './turns.js';

interface KeyRow {
  readonly id: Buffer;
  readonly fingerprint: Buffer;
}

const messageByKey = sql<[session: number, channel: string, key: string], KeyRow>(
  'SELECT id, fingerprint FROM messages WHERE session = ? AND channel = ? AND idempotency_key = ?',
);
const insertMessage = sql<
  [
    id: Buffer,
    session: number,
    seq: number,
    state: 'queued' | 'running' | 'dead' | 'replied',
    attempts: 0 | 1,
    acceptedAt: number,
    changedAt: number,
    channel: string,
    replyChannel: string,
    replyAddress: string | null,
    replyOptions: string | null,
    replyIdempotent: 0 | 1,
    replyUnknown: UnknownPolicy | null,
    key: string | null,
    fingerprint: Uint8Array | null,
    sender: string | null,
    generation: number,
  ]
>(
  `INSERT INTO messages (id, session, seq, state, attempts, accepted_at, changed_at, channel, reply_channel,
     reply_address, reply_options, reply_idempotent, reply_unknown, idempotency_key, fingerprint, sender, generation)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
);
const noteError = sql<[error: string, message: number]>('UPDATE messages SET error = ? WHERE number = ?');
const insertText = sql<[message: number, text: string, metadata: string, attachments: string | null]>(
  'INSERT INTO message_texts (message, text, metadata, attachments) VALUES (?, ?, ?, ?)',
);

/** Takes a message in at the end of its session. */
export function accept(
  transaction: Transaction,
  message: NewMessage,
  limits: QueueLimits,
  claim?: ArrivalClaim,
): Accepted {
  const known = sessionNamed(transaction, message.session);
  const earlier = earlierOf(transaction, message, known);
  const facts = factsOf(transaction, known, earlier);
  const { fingerprint, setAside } = message;
  const agent = known === undefined ? (message.agent ?? null) : known.agent;
  const wantsTurn = claim !== undefined && hasSlot(agent, claim.agentSlots);
  const decision = decideAcceptance(facts, {
    fingerprint,
    limits,
    wantsTurn,
    isSetAside: setAside !== undefined,
  });
  switch (decision.outcome) {
    case 'repeated':
    case 'conflict':
      return answerAgain(transaction, idToText((earlier as KeyRow).id), decision.outcome);
    case 'full':
      if (message.deadIfFull === true) keepAsDead(transaction, message, known, agent, fullReason(decision));
      return decision;
    case 'set-aside':
      keepAsDead(transaction, message, known, agent, setAside ?? '');
      return decision;
    case 'accepted': {
      const { interrupts, isHead, begins } = decision;
      const interrupted = interrupts ? interruptFor(transaction, message) : [];
      const generation = known?.generation ?? 1;
      const earlier = (known?.last_seq ?? 0) === 0 ? keepEarlier(transaction, message, agent) : 0;
      const begun = earlier === 0 ? known : sessionNamed(transaction, message.session);
      const session = extend(transaction, message.session, begun, agent);
      const seq = decision.seq + earlier;
      const number = insert(transaction, message, {
        session,
        seq,
        state: begins ? 'running' : 'queued',
        generation,
      });
      attach(transaction, number, message.attachments);
      const next = { number, sender: message.sender ?? null };
      const epoch = begins && claim !== undefined ? enqueueHeld(transaction, session, next, claim) : null;
      if (epoch === null && isHead) enqueue(transaction, 'turn', session, next);
      transaction.counters[begins ? 'running' : 'queued'] += 1;
      return { outcome: 'accepted', seq, acceptedAt: transaction.now, epoch, agent, generation, interrupted };
    }
  }
}

/** Puts a message at the end of its session that is done with at once. */
function keepAsDead(
  transaction: Transaction,
  message: NewMessage,
  known: SessionRow | undefined,
  agent: string | null,
  reason: string,
): void {
  const session = extend(transaction, message.session, known, agent);
  addUnfinished(transaction, session, -1);
  const seq = (known?.last_seq ?? 0) + 1;
  const generation = known?.generation ?? 1;
  const number = insert(transaction, message, { session, seq, state: 'dead', generation });
  transaction.sql.run(noteError, reason, number);
  attach(transaction, number, message.attachments);
  transaction.counters.dead += 1;
}

/** Begins the message's session with turns that were made elsewhere; gives how many. */
function keepEarlier(transaction: Transaction, message: NewMessage, agent: string | null): number {
  const { earlier = [], session: name, channel, sender = null } = message;
  for (const [index, { id, text, reply }] of earlier.entries()) {
    const session = extend(transaction, name, sessionNamed(transaction, name), agent);
    addUnfinished(transaction, session, -1);
    const turn: NewMessage = {
      id,
      session: name,
      text,
      metadata: {},
      replyTo: null,
      idempotencyKey: null,
      fingerprint: null,
      sender,
      channel,
    };
    const number = insert(transaction, turn, { session, seq: index + 1, state: 'replied', generation: 1 });
    transaction.sql.run(insertReply, number, reply, '{}', transaction.now, null, null);
    transaction.counters.replied += 1;
  }
  return earlier.length;
}

/** Takes in messages that came together, and notes how far the channel has been read. */
export function acceptAll(
  transaction: Transaction,
  messages: readonly NewMessage[],
  limits: QueueLimits,
  checkpoint: Checkpoint | null,
): readonly Accepted[] {
  const outcomes = messages.map((message) => accept(transaction, message, limits));
  if (checkpoint !== null) {
    const { channel, key, value } = checkpoint;
    putRecord(transaction, { kind: checkpointKind(channel), key, value });
  }
  return outcomes;
}

function earlierOf(
  { sql }: Transaction,
  { channel, idempotencyKey }: NewMessage,
  session: SessionRow | undefined,
): KeyRow | undefined {
  if (session === undefined || idempotencyKey === null) return undefined;
  return sql.get(messageByKey, session.number, channel, idempotencyKey);
}

function factsOf(
  transaction: Transaction,
  session: SessionRow | undefined,
  earlier: KeyRow | undefined,
): AcceptanceFacts {
  const first = session === undefined ? undefined : head(transaction, 'turn', session.number);
  // Only a turn that would begin at once needs the last two: they are looked up when asked for.
  return {
    earlier: earlier ?? null,
    session:
      session === undefined
        ? null
        : { lastSeq: session.last_seq, unfinished: session.unfinished, policy: session.policy },
    head: first === undefined ? null : { isHeld: first.owner !== null },
    queued: transaction.counters.queued,
    get othersWait() {
      return anyReadyBeside(transaction, 'turn', session?.number ?? 0);
    },
    get poisonSuspectRuns() {
      return poisonSuspectIsRunning(transaction);
    },
  };
}

function answerAgain(transaction: Transaction, id: string, outcome: 'repeated' | 'conflict'): Accepted {
  const earlier = outcome === 'repeated' ? readMessage(transaction, id) : null;
  return earlier === null
    ? { outcome: 'conflict', messageId: id }
    : { outcome: 'repeated', message: earlier };
}

function interruptFor(transaction: Transaction, { id, session }: NewMessage): SessionCancelled['messages'] {
  return cancelSession(transaction, session, `Interrupted by the message ${id}.`)?.messages ?? [];
}

function insert(
  { sql, now }: Transaction,
  message: NewMessage,
  place: {
    readonly session: number;
    readonly seq: number;
    readonly state: 'queued' | 'running' | 'dead' | 'replied';
    readonly generation: number;
  },
): number {
  const { session, seq, state, generation } = place;
  const key = message.idempotencyKey;
  const target = fromTarget(message.replyTo);
  const { lastInsertRowid } = sql.run(
    insertMessage,
    idToBytes(message.id),
    session,
    seq,
    state,
    state === 'running' ? 1 : 0,
    now,
    now,
    message.channel,
    target.reply_channel,
    target.reply_address,
    target.reply_options,
    message.replyIdempotent === false ? 0 : 1,
    message.replyUnknown ?? null,
    key,
    key === null ? null : message.fingerprint,
    message.sender ?? null,
    generation,
  );
  const number = Number(lastInsertRowid);
  const attachments = fromAttachments(message.attachments);
  sql.run(insertText, number, message.text, JSON.stringify(message.metadata), attachments);
  return number;
}
