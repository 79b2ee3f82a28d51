import { isMessageId, noticeIdOf, turnIdOf, webhookIdOf } from '../../../src/store/ids.js';
import type { StorePolicy } from '../../../src/store/open-store.js';
import { decideAcceptance, fullReason } from '../../../src/store/rules/acceptance.js';
import { type DeliveryEnd, decideDeliveryEnd } from '../../../src/store/rules/delivery-end.js';
import {
  decideCancel,
  decideDiscard,
  decideRetry,
  mayRevise,
} from '../../../src/store/rules/operator-actions.js';
import {
  type Collectable,
  countParts,
  hasSlot,
  turnText,
  withinSlots,
} from '../../../src/store/rules/ready-queue.js';
import {
  decideTurnEnd,
  mayBegin,
  poisonSuspectRuns,
  type TurnEnd,
} from '../../../src/store/rules/turn-end.js';
import { StoreError } from '../../../src/store/store-error.js';
import type { Delivery, DeliveryFailure, DeliveryHold } from '../deliveries.js';
import type {
  ArrivedMessage,
  Attachment,
  JsonValue,
  NewMessage,
  QueueLimits,
  Reply,
  RevisionOutcome,
} from '../messages.js';
import type {
  AcceptOutcome,
  ArrivalClaim,
  Claim,
  Turn,
  TurnClaim,
  TurnHold,
  TurnToPutBack,
} from '../turns.js';
import {
  admitRetries,
  advance,
  enqueue,
  expired,
  type Fence,
  held,
  heldBy,
  hold,
  moveSession,
  nextOf,
  placeIn,
  ready,
} from './queues.js';
import { type Database, type MessageRow, type SessionRow, toMessage } from './rows.js';

/** Keeps the empty ones, which tell a late reader that what it has read is void. */
function forgetDeltas(row: MessageRow): void {
  row.deltas = row.deltas.filter(({ text }) => text === '');
}

/** Changes of messages, turns and deliveries: each loads what a rule asks for, and applies what it decides. */
export class Operations {
  constructor(
    readonly database: Database,
    readonly policy: StorePolicy,
    /** The time of the call. */
    readonly now: () => number,
    readonly changed: (session: string) => void,
  ) {}

  accept(message: NewMessage, limits: QueueLimits, claim?: ArrivalClaim): AcceptOutcome {
    const { database } = this;
    const known = database.sessions.get(message.session);
    const head = known && database.heads.turn.get(known);
    const earlier = this.#earlier(message);
    const agent = known === undefined ? (message.agent ?? null) : known.agent;
    const wantsTurn = claim !== undefined && hasSlot(agent, claim.agentSlots);
    const decision = decideAcceptance(
      {
        earlier: earlier === undefined ? null : { fingerprint: earlier.sent.fingerprint ?? new Uint8Array() },
        session: known === undefined ? null : this.#sessionFacts(known),
        head: head === undefined ? null : { isHeld: head.owner !== null },
        queued: database.count('queued'),
        othersWait: ready(database, 'turn').some((other) => other.message.session !== known),
        poisonSuspectRuns: this.#poisonSuspectRuns(),
      },
      {
        fingerprint: message.fingerprint,
        limits,
        wantsTurn,
        isSetAside: message.setAside !== undefined,
      },
    );
    if (decision.outcome === 'full') {
      if (message.deadIfFull === true) this.#keepAsDead(message, fullReason(decision));
      return decision;
    }
    if (decision.outcome === 'set-aside') {
      this.#keepAsDead(message, message.setAside ?? '');
      return decision;
    }
    if (decision.outcome !== 'accepted') {
      const { id } = earlier as MessageRow;
      return decision.outcome === 'conflict'
        ? { outcome: 'conflict', messageId: id }
        : { outcome: 'repeated', message: this.#shown(earlier as MessageRow) };
    }
    this.#check(message);
    const reason = `Interrupted by the message ${message.id}.`;
    const interrupted = decision.interrupts
      ? (this.cancelSession(message.session, reason)?.messages ?? [])
      : [];
    const before = (known?.messages.length ?? 0) === 0 ? this.#insertEarlier(message) : 0;
    const row = this.#insert(message, decision.seq + before);
    let turn: Turn | null = null;
    if (decision.begins && claim !== undefined) turn = this.#begin(row, row, claim);
    else if (decision.isHead) enqueue(database, 'turn', row);
    this.changed(message.session);
    return { outcome: 'accepted', message: this.#shown(row), turn, interrupted };
  }

  /** Begins a session with turns that were made elsewhere; gives how many. */
  #insertEarlier(message: NewMessage): number {
    const { earlier = [], attachments: _files, ...common } = message;
    for (const [index, { id, text, reply }] of earlier.entries()) {
      const sent = {
        ...common,
        id,
        text,
        metadata: {},
        replyTo: null,
        idempotencyKey: null,
        fingerprint: null,
      };
      const row = this.#insert(sent, index + 1);
      Object.assign(row, { state: 'replied', reply: { text: reply, metadata: {}, at: this.now() } });
    }
    return earlier.length;
  }

  #keepAsDead(message: NewMessage, error: string): void {
    this.#check(message);
    const seq = (this.database.sessions.get(message.session)?.messages.length ?? 0) + 1;
    Object.assign(this.#insert(message, seq), { state: 'dead', error });
    this.changed(message.session);
  }

  /** The message of its session and channel with the same key. */
  #earlier({ session, channel, idempotencyKey: key }: NewMessage): MessageRow | undefined {
    if (key === null) return undefined;
    const rows = this.database.sessions.get(session)?.messages;
    return rows?.find(({ sent }) => sent.idempotencyKey === key && sent.channel === channel);
  }

  #sessionFacts(session: SessionRow) {
    const queued = session.messages.filter(({ state }) => state === 'queued').length;
    const isHeld = this.database.heads.turn.get(session)?.owner != null;
    return {
      lastSeq: session.messages.length,
      unfinished: queued + (isHeld ? 1 : 0),
      policy: session.policy,
    };
  }

  /** Throws before anything is changed: so all of a call is done, or nothing. */
  #check({ id, attachments }: NewMessage): void {
    if (!isMessageId(id)) throw new StoreError('internal', `The message id "${id}" is not a UUID.`);
    if (this.database.message(id) !== undefined) throw new StoreError('internal', `${id} is there already.`);
    this.#checkFiles(attachments);
  }

  #checkFiles(attachments: readonly Attachment[] = []): void {
    for (const { id, sizeBytes } of attachments) {
      const blob = this.database.blobs.get(id);
      const size = blob?.chunks.reduce((sum, { length }) => sum + length, 0);
      if (size !== sizeBytes || blob?.owner !== null) {
        throw new StoreError(
          'internal',
          `The file ${id} is not in the store whole, or belongs to another message.`,
        );
      }
    }
  }

  #giveFiles(owner: MessageRow, attachments: readonly Attachment[] = []): void {
    for (const { id } of attachments) Object.assign(this.database.blobs.get(id) ?? {}, { owner });
  }

  acceptAll(messages: readonly NewMessage[], limits: QueueLimits): readonly AcceptOutcome[] {
    for (const message of messages) if (this.#earlier(message) === undefined) this.#check(message);
    return messages.map((message) => this.accept(message, limits));
  }

  #insert(message: NewMessage, seq: number): MessageRow {
    const isNew = !this.database.sessions.has(message.session);
    const session = this.database.sessionNamed(message.session, this.now());
    if (isNew) session.agent = message.agent ?? null;
    const row: MessageRow = {
      sent: message,
      id: message.id.toLowerCase(),
      session,
      seq,
      generation: session.generation,
      acceptedAt: this.now(),
      state: 'queued',
      changedAt: this.now(),
      attempts: 0,
      crashes: 0,
      putBacks: 0,
      begun: false,
      error: null,
      retriedAt: null,
      waitingFor: null,
      collectedIn: null,
      reply: null,
      delivery: null,
      parts: [],
      deltas: [],
    };
    session.messages.push(row);
    session.lastAcceptedAt = this.now();
    this.database.messages.set(row.id, row);
    this.#giveFiles(row, message.attachments);
    return row;
  }

  claimTurns(claim: TurnClaim): readonly Turn[] {
    const { database, policy } = this;
    if (claim.limit < 1) return [];
    const gone = expired(database, 'turn', claim.owner, this.now());
    const alone = held(database, 'turn').length === 1;
    for (const row of gone.toReversed()) this.endTurn(row, { by: 'crash', alone, isOwnFault: true });
    admitRetries(database, 'turn', claim.limit, this.now());
    if (this.#poisonSuspectRuns()) return [];
    const waiting = ready(database, 'turn').map(({ message }) => ({ message, agent: message.session.agent }));
    const heads = withinSlots(waiting, claim.limit, claim.agentSlots ?? new Map()).map(
      ({ message }) => message,
    );
    const anyHeld = held(database, 'turn').length > 0;
    const begins = mayBegin(
      heads.map(({ crashes }) => crashes),
      anyHeld,
      policy.maxAttempts,
    );
    return heads.slice(0, begins).map((head) => this.#begin(this.#collect(head, claim), head, claim));
  }

  #poisonSuspectRuns(): boolean {
    const crashes = held(this.database, 'turn').map(({ message }) => message.crashes);
    const facts = { running: this.database.count('running'), mostCrashes: Math.max(0, ...crashes) };
    return poisonSuspectRuns(facts, this.policy.maxAttempts);
  }

  /** Makes one turn of the head of a session and of what waits behind it: the last of them runs. */
  #collect(head: MessageRow, claim: TurnClaim): MessageRow {
    const limit = (claim.collectLimit ?? 1) - 1;
    if ((head.session.policy ?? claim.policy) !== 'collect' || limit < 1) return head;
    const behind = head.session.messages.filter(({ seq, state }) => seq > head.seq && state === 'queued');
    const parts = countParts(toCollectable(head), behind.slice(0, limit).map(toCollectable));
    const turn = [head, ...behind.slice(0, parts)];
    const last = turn.at(-1) ?? head;
    for (const row of turn.slice(0, -1)) {
      Object.assign(row, { state: 'collected', changedAt: this.now(), collectedIn: last });
    }
    return last;
  }

  #begin(row: MessageRow, head: MessageRow, claim: ArrivalClaim): Turn {
    const fence = hold(this.database, 'turn', row, claim, this.now());
    Object.assign(row, { state: 'running', attempts: row.attempts + 1, changedAt: this.now() });
    this.changed(head.session.name);
    const { text, metadata, sender = null, channel, replyTo, attachments } = row.sent;
    const collected = collectedIn(row).map(({ id, seq, sent }) => ({
      messageId: id,
      seq,
      text: sent.text,
      metadata: sent.metadata,
      sender: sent.sender ?? null,
      ...files(sent.attachments),
    }));
    return {
      turnId: turnIdOf(row.id),
      messageId: row.id,
      session: row.session.name,
      seq: row.seq,
      text: turnText(collected, text),
      metadata,
      sender,
      channel,
      ...files(attachments),
      collected,
      replyTo,
      acceptedAt: row.acceptedAt,
      agent: row.session.agent,
      generation: row.generation,
      attempt: row.attempts,
      putBacks: row.putBacks,
      deltas: row.deltas.at(-1)?.position ?? 0,
      ...fence,
    };
  }

  /** Does what the rules say of an end; gives whether it was taken. */
  endTurn(row: MessageRow, end: TurnEnd): boolean {
    const facts = { ...row, hasTarget: row.sent.replyTo !== null };
    const { isTaken, message, session, delivery } = decideTurnEnd(facts, end, this.policy);
    if (message !== null) {
      const { state, error, uncounted, crashed, putBack } = message;
      Object.assign(row, { state, error, changedAt: this.now(), waitingFor: null });
      row.attempts -= uncounted ? 1 : 0;
      row.begun ||= uncounted;
      row.crashes += crashed ? 1 : 0;
      row.putBacks += putBack ? 1 : 0;
      if (state !== 'queued') forgetDeltas(row);
    }
    if (delivery !== null) this.#createDelivery(row, delivery);
    moveSession(this.database, 'turn', row, session, this.now());
    this.changed(row.session.name);
    return isTaken;
  }

  completeTurn(turn: TurnHold, reply: Reply): boolean {
    const row = heldBy(this.database, 'turn', turn);
    if (row === undefined) return false;
    if (row.state === 'running') this.#checkFiles(reply.attachments);
    const isTaken = this.endTurn(row, { by: 'reply' });
    if (!isTaken) return false;
    const { text, metadata, attachments, usage } = reply;
    row.reply = {
      text,
      metadata,
      at: this.now(),
      ...files(attachments),
      ...(usage === undefined ? {} : { usage }),
    };
    this.#giveFiles(row, attachments);
    return true;
  }

  endHeldTurn(turn: TurnHold, end: TurnEnd): boolean {
    const row = heldBy(this.database, 'turn', turn);
    return row !== undefined && this.endTurn(row, end);
  }

  putBackTurns(turns: readonly TurnToPutBack[]): number {
    // The last one first, as each goes to the very front.
    return turns.toReversed().filter((turn) =>
      this.endHeldTurn(turn, {
        by: 'stop',
        cutOff: turn.cutOff === true,
        retryInMs: turn.retryInMs ?? null,
      }),
    ).length;
  }

  #createDelivery(row: MessageRow, kind: 'reply' | 'notice'): void {
    const isNotice = kind === 'notice';
    row.delivery = {
      webhookId: isNotice ? noticeIdOf(row.id, row.retriedAt) : webhookIdOf(row.id),
      isNotice,
      state: 'pending',
      attempts: 0,
      deliveredAt: null,
      lastError: null,
      unknown: 0,
      begunAt: null,
    };
    enqueue(this.database, 'delivery', row);
  }

  claimDeliveries(claim: Claim): readonly Delivery[] {
    const { database } = this;
    if (claim.limit < 1) return [];
    const gone = expired(database, 'delivery', claim.owner, this.now()).slice(0, claim.limit);
    for (const row of gone.toReversed()) this.#endDelivery(row, { by: 'crash' });
    admitRetries(database, 'delivery', claim.limit, this.now());
    return ready(database, 'delivery')
      .slice(0, claim.limit)
      .map(({ message }) => this.#claimDelivery(message, claim));
  }

  #claimDelivery(row: MessageRow, claim: Claim): Delivery {
    const { delivery, sent } = row;
    if (delivery === null || sent.replyTo === null)
      throw new Error(`The delivery of ${row.id} goes nowhere.`);
    const fence: Fence = hold(this.database, 'delivery', row, claim, this.now());
    const idempotent = sent.replyIdempotent !== false;
    delivery.attempts += 1;
    // One that may be sent twice counts as begun from now on.
    delivery.begunAt = idempotent ? this.now() : null;
    const repliedAt = row.reply?.at ?? row.changedAt;
    const { attachments } = row.reply ?? {};
    return {
      messageId: row.id,
      session: row.session.name,
      seq: row.seq,
      target: sent.replyTo,
      parts: [...row.parts].sort((a, b) => a.part - b.part),
      webhookId: delivery.webhookId,
      text: sent.text,
      metadata: sent.metadata,
      collected: collectedIn(row).map(({ id, seq }) => ({ messageId: id, seq })),
      notice: delivery.isNotice ? (row.error ?? '') : null,
      replyText: row.reply?.text ?? '',
      replyMetadata: row.reply?.metadata ?? {},
      repliedAt,
      dueSince: Math.max(row.retriedAt ?? repliedAt, repliedAt),
      attempt: delivery.attempts,
      idempotent,
      unknownPolicy: sent.replyUnknown ?? null,
      ...(attachments === undefined ? {} : { replyAttachments: attachments }),
      ...fence,
    };
  }

  #endDelivery(row: MessageRow, end: DeliveryEnd): void {
    const { delivery, sent } = row;
    if (delivery === null) throw new Error(`The message ${row.id} has no delivery.`);
    const facts = {
      ...delivery,
      state: row.state,
      channel: sent.replyTo?.channel ?? 'webhook',
      idempotent: sent.replyIdempotent !== false,
      unknownPolicy: sent.replyUnknown ?? null,
      hasBegun: delivery.begunAt !== null,
    };
    const change = decideDeliveryEnd(facts, end, this.policy.unknownPolicy);
    const { state, error, uncounted, unknown } = change.delivery;
    const isPending = state === 'pending';
    Object.assign(delivery, {
      state,
      begunAt: null,
      lastError: isPending ? (error ?? delivery.lastError) : error,
    });
    delivery.attempts -= uncounted ? 1 : 0;
    delivery.unknown += unknown ? 1 : 0;
    if (state === 'delivered') delivery.deliveredAt = this.now();
    if (change.message !== null) Object.assign(row, change.message, { changedAt: this.now() });
    moveSession(this.database, 'delivery', row, change.session, this.now());
    this.changed(row.session.name);
  }

  /** Changes a delivery that is held by just this claim. False when the claim was lost. */
  withDelivery(delivery: DeliveryHold, change: (row: MessageRow) => void): boolean {
    const row = heldBy(this.database, 'delivery', delivery);
    if (row !== undefined) change(row);
    return row !== undefined;
  }

  endHeldDelivery(delivery: DeliveryHold, end: DeliveryEnd): boolean {
    return this.withDelivery(delivery, (row) => this.#endDelivery(row, end));
  }

  failDelivery(delivery: DeliveryHold, failure: DeliveryFailure): boolean {
    return this.endHeldDelivery(delivery, { by: 'failure', failure });
  }

  notePart(row: MessageRow, part: number, receipt: JsonValue): void {
    row.parts = [...row.parts.filter((known) => known.part !== part), { part, receipt }];
  }

  cancelMessage(id: string) {
    const row = this.database.message(id);
    if (row === undefined) return null;
    const decision = decideCancel(row, placeIn(this.database, 'turn', row));
    if (decision.outcome === 'settled') return { outcome: 'settled' as const, message: this.#shown(row) };
    if (decision.changes) this.#setCancelled(row, row.error);
    if (decision.session === 'next') advance(this.database, 'turn', row.session, nextOf('turn', row));
    return { outcome: 'cancelled' as const, message: this.#shown(row), running: decision.running };
  }

  cancelSession(name: string, reason: string | null = null) {
    const session = this.database.sessions.get(name);
    if (session === undefined) return null;
    const first = this.database.heads.turn.get(session)?.message;
    if (first === undefined) return { messages: [] };
    const rows = session.messages.filter(({ state }) => state === 'queued' || state === 'running');
    const messages = rows.map((row) => ({ id: row.id, seq: row.seq, running: row.state === 'running' }));
    if (first.state === 'queued') advance(this.database, 'turn', session, undefined);
    for (const row of rows) this.#setCancelled(row, row.state === 'running' ? reason : (reason ?? row.error));
    return { messages };
  }

  reviseMessage(
    { session, channel, idempotencyKey }: ArrivedMessage,
    text: string | null,
  ): RevisionOutcome | null {
    const row = this.database.sessions
      .get(session)
      ?.messages.find(({ sent }) => sent.channel === channel && sent.idempotencyKey === idempotencyKey);
    if (row === undefined) return null;
    const isRevised = mayRevise({ state: row.state, hasBegun: row.attempts > 0 || row.begun }, text);
    if (isRevised && text === null) this.cancelMessage(row.id);
    if (isRevised && text !== null) row.sent = { ...row.sent, text };
    if (isRevised) this.changed(session);
    return { outcome: isRevised ? 'revised' : 'late', message: this.#shown(row) };
  }

  #setCancelled(row: MessageRow, error: string | null, changedAt = this.now()): void {
    Object.assign(row, { state: 'cancelled', error, changedAt, waitingFor: null });
    forgetDeltas(row);
    this.changed(row.session.name);
  }

  retryDead(id: string) {
    const row = this.database.message(id);
    if (row === undefined) return null;
    const place = placeIn(this.database, 'delivery', row);
    const decision = decideRetry(handled(row), place);
    if (decision.outcome === 'done') {
      const now = this.now();
      Object.assign(row, { error: null, retriedAt: now, changedAt: now });
      if (decision.again === 'turn') {
        // Its notice is withdrawn.
        row.delivery = null;
        if (place === 'head') advance(this.database, 'delivery', row.session, nextOf('delivery', row));
        Object.assign(row, { state: 'queued', attempts: 0, crashes: 0, putBacks: 0, begun: true, parts: [] });
        enqueue(this.database, 'turn', row);
      } else {
        row.state = 'replied';
        if (decision.delivery === 'new') this.#createDelivery(row, 'reply');
        if (decision.delivery === 'again') {
          Object.assign(row.delivery ?? {}, { state: 'pending', attempts: 0, begunAt: null });
          enqueue(this.database, 'delivery', row);
        }
      }
      this.changed(row.session.name);
    }
    return { outcome: decision.outcome, message: this.#shown(row) };
  }

  discardMessage(id: string) {
    const row = this.database.message(id);
    if (row === undefined) return null;
    const place = placeIn(this.database, 'delivery', row);
    const decision = decideDiscard(handled(row), place);
    if (decision.outcome === 'done') {
      const head = this.database.heads.delivery.get(row.session);
      if (decision.delivery === 'hurry' && head?.message === row && head.retryAt !== null) {
        head.retryAt = Math.min(head.retryAt, this.now());
      }
      if (decision.delivery === 'give-up') {
        Object.assign(row.delivery ?? {}, { state: 'dead', begunAt: null });
        if (place === 'head') advance(this.database, 'delivery', row.session, nextOf('delivery', row));
      }
      const { message } = decision;
      if (message !== null) this.#setCancelled(row, message.error, message.changedAt ?? this.now());
    }
    return { outcome: decision.outcome, message: this.#shown(row) };
  }

  #shown(row: MessageRow) {
    return toMessage(row, this.database.heads.delivery);
  }
}

function collectedIn(row: MessageRow): readonly MessageRow[] {
  return row.session.messages.filter((part) => part.collectedIn === row);
}

function toCollectable(row: MessageRow): Collectable {
  const { text, replyTo, replyIdempotent = true, replyUnknown = null } = row.sent;
  return {
    text,
    hasBegun: row.attempts > 0 || row.begun,
    target: JSON.stringify([replyTo, replyIdempotent, replyUnknown]),
    generation: row.generation,
  };
}

function handled(row: MessageRow) {
  return {
    state: row.state,
    error: row.error,
    changedAt: row.changedAt,
    hasTarget: row.sent.replyTo !== null,
    isReplied: row.reply !== null,
    delivery: row.delivery?.state ?? null,
    deliveryError: row.delivery?.lastError ?? null,
  };
}

function files(attachments: readonly Attachment[] | undefined): {
  readonly attachments?: readonly Attachment[];
} {
  return attachments === undefined || attachments.length === 0 ? {} : { attachments };
}
