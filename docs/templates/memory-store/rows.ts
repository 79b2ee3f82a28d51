import type { RunRecord } from '../../../src/store/open-store.js';
import type { LeaseFacts } from '../../../src/store/rules/fences.js';
import type { Queue, Ticket } from '../../../src/store/rules/ready-queue.js';
import type { DeliveryPart } from '../deliveries.js';
import type { Message, MessageState, NewMessage, Reply, SessionPolicy, TurnWait } from '../messages.js';
import type { StoredRecord } from '../records.js';
import type { Delta } from '../turns.js';

export interface SessionRow {
  readonly name: string;
  readonly messages: MessageRow[];
  lastAcceptedAt: number;
  policy: SessionPolicy | null;
  agent: string | null;
  generation: number;
}

export interface MessageRow {
  /** As it was accepted. */
  sent: NewMessage;
  readonly id: string;
  readonly session: SessionRow;
  readonly seq: number;
  readonly generation: number;
  readonly acceptedAt: number;
  state: MessageState;
  changedAt: number;
  attempts: number;
  crashes: number;
  putBacks: number;
  /** True if an agent may have seen it, though no attempt counts. */
  begun: boolean;
  error: string | null;
  retriedAt: number | null;
  waitingFor: TurnWait | null;
  collectedIn: MessageRow | null;
  reply: (Reply & { readonly at: number }) | null;
  delivery: DeliveryRow | null;
  parts: DeliveryPart[];
  deltas: Delta[];
}

export interface DeliveryRow {
  readonly webhookId: string;
  readonly isNotice: boolean;
  state: 'pending' | 'delivered' | 'dead';
  attempts: number;
  deliveredAt: number | null;
  lastError: string | null;
  unknown: number;
  begunAt: number | null;
}

/** A session in a queue: ready with a ticket, waiting for its time, or held by an owner. */
export interface Head {
  message: MessageRow;
  sender: string | null;
  ticket: Ticket | null;
  retryAt: number | null;
  owner: string | null;
  epoch: number;
  leaseUntil: number | null;
}

export interface BlobRow {
  owner: MessageRow | null;
  readonly chunks: Uint8Array[];
}

/** All that a store holds. It outlives the stores that are opened on it. */
export class Database {
  readonly sessions = new Map<string, SessionRow>();
  /** By their ids, in the order in which they were accepted. */
  readonly messages = new Map<string, MessageRow>();
  readonly heads: Record<Queue, Map<SessionRow, Head>> = { turn: new Map(), delivery: new Map() };
  readonly records = new Map<string, StoredRecord>();
  readonly leases = new Map<string, LeaseFacts>();
  readonly blobs = new Map<string, BlobRow>();
  readonly runs: RunRecord[] = [];
  lastPosition = 0;
  presentRound = 0;
  epoch = 0;

  message(id: string): MessageRow | undefined {
    return this.messages.get(id.toLowerCase());
  }

  count(state: MessageState): number {
    return [...this.messages.values()].filter((row) => row.state === state).length;
  }

  /** Makes the session if there is none. */
  sessionNamed(name: string, now: number): SessionRow {
    const known = this.sessions.get(name);
    if (known !== undefined) return known;
    const made = {
      name,
      messages: [],
      lastAcceptedAt: now,
      policy: null,
      agent: null,
      generation: 1,
    };
    this.sessions.set(name, made);
    return made;
  }
}

export function toMessage(row: MessageRow, deliveries: Map<SessionRow, Head>): Message {
  const { text, metadata, replyTo, channel, sender = null, attachments } = row.sent;
  const { id, seq, state, acceptedAt, attempts, error, changedAt, generation, waitingFor } = row;
  const { collectedIn } = row;
  return {
    id,
    session: row.session.name,
    seq,
    state,
    text,
    metadata,
    replyTo,
    sender,
    channel,
    acceptedAt,
    attempts,
    reply: (collectedIn ?? row).reply,
    delivery: row.delivery === null ? null : toSummary(row, row.delivery, deliveries),
    error,
    changedAt,
    generation,
    waitingFor,
    collectedIn: collectedIn === null ? null : { id: collectedIn.id, state: collectedIn.state },
    ...(attachments === undefined || attachments.length === 0 ? {} : { attachments }),
  };
}

function toSummary(row: MessageRow, delivery: DeliveryRow, deliveries: Map<SessionRow, Head>) {
  const { isNotice, webhookId, attempts, deliveredAt, lastError, unknown } = delivery;
  const head = deliveries.get(row.session);
  return {
    kind: isNotice ? ('notice' as const) : ('reply' as const),
    webhookId,
    attempts,
    nextAttemptAt: head?.message === row ? head.retryAt : null,
    deliveredAt,
    lastError,
    unknown,
  };
}
