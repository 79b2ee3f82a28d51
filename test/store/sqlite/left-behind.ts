import { expect } from 'vitest';
import type { ArchivedMessage, ArchivedRecord, ArchivedSession } from '../../../src/store/archive.js';
import {
  type Message,
  type MessageState,
  type Metadata,
  type ReplyTarget,
  type SessionPolicy,
  type TokenUsage,
  type UnknownPolicy,
  webhookTarget,
} from '../../../src/store/messages.js';
import type { Recovery, RunRecord } from '../../../src/store/open-store.js';

/**
 * The remains that fixtures/make.mjs leaves behind. The start at `startedAt` has migrated them and taken back what
 * was under way. One list serves all versions: `since` says which version was the first to know such a session. Later
 * versions that know something better have it in the version's place.
 */
export const startedAt = 7_000;

/** A member that is not given is as of a message that waits for its first attempt. */
interface Left {
  readonly state?: MessageState;
  readonly text?: string;
  readonly metadata?: Metadata;
  readonly sender?: string;
  readonly attempts?: number;
  readonly crashes?: number;
  readonly putBacks?: number;
  readonly begun?: boolean;
  /** Default: when it was accepted. */
  readonly changedAt?: number;
  readonly retriedAt?: number;
  readonly error?: string;
  /** Number of the message whose turn it is part of. */
  readonly collectedIn?: number;
  readonly key?: { readonly name: string; readonly byte: number };
  /** False: its receiver takes a reply that comes twice for two. */
  readonly idempotent?: boolean;
  /** The receiver's choice for a reply that may have arrived. */
  readonly unknownPolicy?: UnknownPolicy;
  /** Text of its reply. True: of the one to its own text. */
  readonly reply?: string | true;
  /** Tokens that the reply took. */
  readonly usage?: TokenUsage;
  /** Its delivery; null if it has a receiver, and nothing to be posted. */
  readonly delivery?: LeftDelivery | null;
  /** The target of one that has a receiver; default: a URL. */
  readonly target?: ReplyTarget;
  readonly parts?: ArchivedMessage['parts'];
  readonly generation?: number;
  readonly deltas?: ArchivedMessage['deltas'];
}

interface LeftDelivery {
  readonly state?: 'delivered' | 'dead';
  /** The end of a notice's `webhook-id`. */
  readonly notice?: string;
  readonly attempts?: number;
  readonly unknown?: number;
  readonly nextAttemptAt?: number;
  readonly deliveredAt?: number;
  readonly lastError?: string;
}

export interface LeftSession {
  readonly since: number;
  readonly session: string;
  readonly policy?: SessionPolicy;
  readonly agent?: string;
  readonly generation?: number;
  readonly firstSeq?: number;
  readonly messages: readonly Left[];
}

const receiver = 'https://receiver.example/';
const chat: ReplyTarget = { channel: 'telegram', address: '7', options: { thread: 1 } };
const replied: Left = { state: 'replied', attempts: 1, changedAt: 3_000, reply: true };
const dead: Left = { state: 'dead', attempts: 1, changedAt: 3_000, error: 'exit status 3' };
const cutOff = 'the outcome of attempt 1 is unknown, as the gateway went down after it had begun';
const setAside = `${cutOff}; set aside for a person to send it again or to discard it (delivery.unknown is "ask")`;
const sentAgain = `${cutOff}; sent again under the same webhook-id`;
/** A chat's message has an id, and no header. */
const sentAgainToChat = `${cutOff}; sent again under the same id`;

const posted = (delivery: LeftDelivery = {}): Left => ({ ...replied, delivery });
const undelivered = (lastError: string, delivery: LeftDelivery = {}): Left => ({
  ...replied,
  state: 'dead',
  error: `The reply could not be delivered: ${lastError}`,
  delivery: { state: 'dead', attempts: 1, lastError, ...delivery },
});
const delivered: Left = {
  ...posted({ state: 'delivered', attempts: 1, deliveredAt: 4_000 }),
  state: 'delivered',
  changedAt: 4_000,
};
const told = (delivery: LeftDelivery): Left => ({ ...dead, delivery: { notice: '_failed', ...delivery } });

export function leftBehind(version: number): readonly LeftSession[] {
  /** Crashes before the last one: counted since version 6. */
  const crashes = (count: number) => (version >= 6 ? count : 0);
  /** True for a turn that was put back or tried again: known since version 5. */
  const begun = version >= 5;
  /** Told from the first since version 5. */
  const secondNotice = version >= 5 ? '_failed_3600' : '_failed';
  const wasRunning: Left = { attempts: 1, changedAt: startedAt, crashes: 1 };
  const triedAgain: Left = { changedAt: 3_600, retriedAt: 3_600, begun };
  const all: readonly LeftSession[] = [
    {
      since: 1,
      session: 'poison',
      messages: [
        {
          ...dead,
          changedAt: 300,
          error: expect.stringMatching(/^Set aside after attempt 1: the gateway that ran it went down/),
          crashes: crashes(1),
        },
      ],
    },
    {
      since: 1,
      session: 'resent',
      messages: [
        posted({ attempts: 2, nextAttemptAt: 9_100, lastError: 'HTTP 503', unknown: version >= 3 ? 1 : 0 }),
      ],
    },
    {
      since: 1,
      session: 'resumed',
      messages: [{ attempts: 2, changedAt: 3_000, error: 'exit status 3', crashes: crashes(1) }],
    },
    {
      since: 1,
      session: 'running again',
      messages: [{ ...wasRunning, attempts: 2, crashes: crashes(1) + 1 }],
    },
    {
      since: 1,
      session: 'replied',
      messages: [
        {
          ...replied,
          text: 'grüße 🦀, it’s "quoted" and it\'s\ntwo\u2028lines',
          metadata: { deep: { list: [1, 2.5, null, true], at: 7, ä: 'ö' } },
        },
      ],
    },
    { since: 1, session: 'delivered', messages: [{ ...delivered, key: { name: 'key', byte: 5 } }] },
    { since: 1, session: 'dead', messages: [{ ...dead, attempts: 2 }] },
    { since: 1, session: 'undeliverable', messages: [{ ...undelivered('HTTP 410'), changedAt: 4_000 }] },
    {
      since: 1,
      session: 'postponed',
      messages: [posted({ attempts: 1, nextAttemptAt: 9_200, lastError: 'HTTP 503' })],
    },
    {
      since: 1,
      session: 'posting',
      messages: [posted({ attempts: 1, unknown: 1, lastError: sentAgain }), posted()],
    },
    {
      since: 1,
      session: 'retried',
      messages: [{ attempts: 1, changedAt: 3_000, error: 'timed out' }],
    },
    { since: 1, session: 'running', messages: [{ ...wasRunning, key: { name: 'key', byte: 5 } }, {}] },
    { since: 1, session: 'mixed', messages: [replied, dead, {}] },
    { since: 1, session: 'put back', messages: [{ changedAt: 3_700, begun }] },
    { since: 8, session: 'stopped', messages: [{ changedAt: 3_700, begun, putBacks: 1 }] },
    { since: 1, session: 'recalled', messages: [posted()] },
    { since: 1, session: 'waiting', messages: [posted(), posted()] },
    {
      since: 1,
      session: 'failed',
      messages: [{ ...dead, delivery: version >= 4 ? { notice: '_failed' } : null }],
    },
    { since: 1, session: 'queued', messages: [{}, { key: { name: 'key 2', byte: 6 } }] },

    {
      since: 3,
      session: 'set aside',
      messages: [{ ...undelivered(setAside, { unknown: 1 }), changedAt: 400, idempotent: false }],
    },
    {
      since: 3,
      session: 'unknown',
      messages: [
        { ...undelivered(setAside, { unknown: 1 }), changedAt: startedAt, idempotent: false },
        { ...posted(), idempotent: false },
      ],
    },
    { since: 3, session: 'claimed', messages: [{ ...posted(), idempotent: false }] },
    {
      since: 7,
      session: 'dropped',
      messages: [
        {
          ...undelivered(`${cutOff}; not sent again (reply_to.unknown is "drop")`, { unknown: 1 }),
          changedAt: startedAt,
          idempotent: false,
          unknownPolicy: 'drop',
        },
      ],
    },
    {
      since: 7,
      session: 'sent anyhow',
      messages: [
        {
          ...posted({
            attempts: 1,
            unknown: 1,
            lastError: `${cutOff}; sent again (reply_to.unknown is "resend")`,
          }),
          idempotent: false,
          unknownPolicy: 'resend',
        },
      ],
    },
    {
      since: 3,
      session: 'uncertain',
      messages: [posted({ attempts: 1, unknown: 1, nextAttemptAt: 9_300, lastError: 'timed out' })],
    },
    { since: 3, session: 'put off', messages: [posted({ nextAttemptAt: 9_400 })] },
    {
      since: 3,
      session: 'cut off',
      messages: [posted({ unknown: 1, lastError: 'the outcome of attempt 1 is unknown' })],
    },

    { since: 4, session: 'cancelled', messages: [{ state: 'cancelled', changedAt: 3_000 }] },
    {
      since: 4,
      session: 'cancelling',
      messages: [{ state: 'cancelled', attempts: 1, changedAt: 3_000 }, {}],
    },
    {
      since: 4,
      session: 'told',
      messages: [told({ state: 'delivered', attempts: 1, deliveredAt: 4_000 })],
    },
    {
      since: 4,
      session: 'telling',
      messages: [told({ attempts: 1, unknown: 1, lastError: sentAgain })],
    },
    {
      since: 4,
      session: 'untold',
      messages: [told({ attempts: 1, nextAttemptAt: 9_500, lastError: 'HTTP 503' })],
    },
    {
      since: 4,
      session: 'never told',
      messages: [told({ state: 'dead', attempts: 1, lastError: 'HTTP 410' })],
    },
    {
      since: 4,
      session: 'dead again',
      messages: [
        {
          ...told({ notice: secondNotice, state: 'delivered', attempts: 1, deliveredAt: 4_000 }),
          ...triedAgain,
          changedAt: 3_700,
          error: 'exit status 4',
        },
      ],
    },
    { since: 4, session: 'tried again', messages: [triedAgain, wasRunning, {}] },
    {
      since: 4,
      session: 'sent again',
      messages: [
        {
          ...posted({ attempts: 1, nextAttemptAt: 9_600, lastError: 'HTTP 502' }),
          changedAt: 3_600,
          retriedAt: 3_600,
        },
      ],
    },
    {
      since: 4,
      session: 'discarded',
      messages: [
        {
          state: 'cancelled',
          attempts: 1,
          changedAt: 3_600,
          error: 'Discarded when it was dead: exit status 3',
        },
      ],
    },
    { since: 4, session: 'run again', messages: [triedAgain] },

    { since: 5, session: 'policy only', policy: 'queue', messages: [] },
    {
      since: 5,
      session: 'collects',
      policy: 'collect',
      messages: [
        { state: 'collected', sender: 'ada', changedAt: 2_000, collectedIn: 2, delivery: null },
        { ...delivered, sender: 'bob', reply: 'reply to message 1 to collects\n\nmessage 2 to collects' },
      ],
    },
    {
      since: 5,
      session: 'collecting',
      policy: 'collect',
      messages: [{ state: 'collected', changedAt: 2_000, collectedIn: 2 }, wasRunning, {}],
    },
    {
      since: 5,
      session: 'interrupts',
      policy: 'interrupt',
      messages: [
        {
          state: 'cancelled',
          attempts: 1,
          changedAt: 1_002,
          error: expect.stringMatching(/^Interrupted by the message /),
        },
        {
          state: 'cancelled',
          changedAt: 1_003,
          error: expect.stringMatching(/^Interrupted by the message /),
        },
        {},
      ],
    },
    { since: 5, session: 'on arrival', messages: [wasRunning] },
    {
      since: 11,
      session: 'asks',
      agent: 'writer',
      generation: 2,
      firstSeq: 2,
      messages: [
        replied,
        {
          ...wasRunning,
          generation: 2,
          deltas: [
            { position: 1, attempt: 1, text: 'it ' },
            { position: 2, attempt: 1, text: 'is' },
          ],
        },
      ],
    },
    {
      since: 12,
      session: 'counted',
      messages: [{ ...replied, usage: { inputTokens: 12, outputTokens: 3 } }],
    },
    {
      since: 10,
      session: 'previewed',
      messages: [
        { ...wasRunning, delivery: null, target: chat, parts: [{ part: 0, receipt: { id: 8 }, at: 2_000 }] },
      ],
    },
    {
      since: 10,
      session: 'in parts',
      messages: [
        {
          ...posted({ attempts: 1, unknown: 1, lastError: sentAgainToChat }),
          target: chat,
          parts: [{ part: 1, receipt: { id: 7 }, at: 3_500 }],
        },
      ],
    },
    { since: 5, session: 'ada 1', messages: [{ sender: 'ada' }, { sender: 'ada' }] },
    { since: 5, session: 'ada 2', messages: [{ sender: 'ada' }] },
    { since: 5, session: 'bob', messages: [{ sender: 'bob' }] },
  ];
  return all.filter(({ since }) => since <= version);
}

export function recoveryOf(version: number): Recovery {
  return {
    resumedTurns: version >= 11 ? 7 : version >= 10 ? 6 : version >= 5 ? 5 : version >= 4 ? 3 : 2,
    deadTurns: 0,
    resumedDeliveries: [1, 3, 4, 7, 10].filter((since) => version >= since).length,
    unknownDeliveries: {
      resent: [1, 4, 7, 10].filter((since) => version >= since).length,
      setAside: [3, 7].filter((since) => version >= since).length,
    },
    killedTurns: [],
  };
}

/** Newest first. */
export function runsOf(version: number): readonly unknown[] {
  if (version < 2) return [];
  const run = (number: number): Partial<RunRecord> => ({
    id: `018f0000-0000-7000-9000-00000000000${number}`,
    startedAt: 100 * number,
    version: '0.1.0',
  });
  return [
    { ...run(4), resumedTurns: 2, stop: null },
    { ...run(3), stop: expect.objectContaining({ exitStatus: 70, error: 'the drain failed', sender: null }) },
    { ...run(2), readyAt: null, startDuration: null, stop: null },
    {
      ...run(1),
      invocationId: null,
      stop: expect.objectContaining({
        exitStatus: 0,
        sender: { pid: 1, uid: 0, comm: 'systemd' },
        job: { type: 'restart', shutdown: null, because: null },
      }),
    },
  ].map((expected) => expect.objectContaining(expected));
}

/** Session, number and attempt. */
type Place = readonly [session: string, seq: number, attempt: number];

const places = (version: number, all: readonly (readonly [since: number, ...Place])[]): readonly Place[] =>
  all.filter(([since]) => since <= version).map(([, ...place]) => place);

/** The order in which turns run, each session’s one after another, to the end; those that are due later are the last. */
export const turnsOf = (version: number): readonly Place[] =>
  places(version, [
    // Work that was under way goes on first,
    [1, 'running again', 1, 3],
    [1, 'running', 1, 2],
    [4, 'tried again', 2, 2],
    [5, 'collecting', 2, 2],
    [5, 'on arrival', 1, 2],
    [10, 'previewed', 1, 2],
    [11, 'asks', 2, 2],
    // then what the last run had put back, and the others in their order,
    [1, 'put back', 1, 1],
    [8, 'stopped', 1, 1],
    [4, 'run again', 1, 1],
    [1, 'queued', 1, 1],
    [1, 'mixed', 3, 1],
    [5, 'ada 1', 1, 1],
    [5, 'bob', 1, 1],
    // messages behind a turn that was cancelled,
    [5, 'interrupts', 3, 1],
    [4, 'cancelling', 2, 1],
    // a sender’s second session in the next round,
    [5, 'ada 2', 1, 1],
    // and what is next in each session.
    [1, 'running', 2, 1],
    [4, 'tried again', 1, 1],
    [5, 'collecting', 3, 1],
    [1, 'queued', 2, 1],
    [5, 'ada 1', 2, 1],
    [4, 'tried again', 3, 1],
    [1, 'retried', 1, 2],
    [1, 'resumed', 1, 3],
  ]);

/** The same for what is posted. */
export const deliveriesOf = (version: number): readonly Place[] =>
  places(version, [
    [1, 'posting', 1, 2],
    [3, 'claimed', 1, 1],
    [7, 'sent anyhow', 1, 2],
    [4, 'telling', 1, 2],
    [10, 'in parts', 1, 2],
    [3, 'cut off', 1, 1],
    [1, 'recalled', 1, 1],
    [1, 'waiting', 1, 1],
    [4, 'failed', 1, 1],
    [3, 'unknown', 2, 1],
    [1, 'posting', 2, 1],
    [1, 'waiting', 2, 1],
    [1, 'resent', 1, 3],
    [1, 'postponed', 1, 2],
    [3, 'uncertain', 1, 2],
    [3, 'put off', 1, 1],
    [4, 'untold', 1, 2],
    [4, 'sent again', 1, 2],
  ]);

export const recordsOf = (version: number): readonly ArchivedRecord[] =>
  version < 10
    ? []
    : [
        record('checkpoint:telegram', 'bot', 41, 77, null),
        record('person', 'ada', { role: 'owner' }, 75, null),
        record('person', 'bob', { code: 'x' }, 76, 9_999_999),
      ];

function record(
  kind: string,
  key: string,
  value: ArchivedRecord['value'],
  version: number,
  expires_at: number | null,
): ArchivedRecord {
  return { type: 'record', kind, key, value, version, changed_at: 1_000, expires_at };
}

/** Gives the id that a message had before. */
export type IdOf = (session: string, seq: number) => string;

const acceptedAt = (seq: number): number => 1_000 + seq;
const textOf = (session: string, seq: number, { text }: Left): string =>
  text ?? `message ${seq} to ${session}`;
const targetOf = ({ delivery, target }: Left): ReplyTarget | null =>
  delivery === undefined ? null : (target ?? webhookTarget(receiver));

function replyOf(session: string, seq: number, left: Left) {
  const { reply } = left;
  if (reply === undefined) return null;
  const text = reply === true ? `reply to ${textOf(session, seq, left)}` : reply;
  return { text, metadata: { r: true }, at: 3_000 };
}

function shownReply(session: string, seq: number, left: Left) {
  const reply = replyOf(session, seq, left);
  return reply === null || left.usage === undefined ? reply : { ...reply, usage: left.usage };
}

function archivedReply(session: string, seq: number, left: Left) {
  const reply = replyOf(session, seq, left);
  if (reply === null || left.usage === undefined) return reply;
  const { inputTokens, outputTokens } = left.usage;
  return { ...reply, usage: { input_tokens: inputTokens, output_tokens: outputTokens } };
}

export function messagesOf({ session, messages }: LeftSession, idOf: IdOf): readonly Message[] {
  return messages.map((left, index) => {
    const seq = index + 1;
    const id = idOf(session, seq);
    const turn = left.collectedIn === undefined ? undefined : messages[left.collectedIn - 1];
    const { delivery } = left;
    return {
      id,
      session,
      seq,
      state: left.state ?? 'queued',
      text: textOf(session, seq, left),
      metadata: left.metadata ?? { n: seq },
      replyTo: targetOf(left),
      sender: left.sender ?? null,
      channel: 'http',
      acceptedAt: acceptedAt(seq),
      attempts: left.attempts ?? 0,
      reply: shownReply(session, left.collectedIn ?? seq, turn ?? left),
      delivery:
        delivery == null
          ? null
          : {
              kind: delivery.notice === undefined ? 'reply' : 'notice',
              webhookId: webhookIdOf(id, delivery),
              attempts: delivery.attempts ?? 0,
              nextAttemptAt: delivery.nextAttemptAt ?? null,
              deliveredAt: delivery.deliveredAt ?? null,
              lastError: delivery.lastError ?? null,
              unknown: delivery.unknown ?? 0,
            },
      error: left.error ?? null,
      changedAt: left.changedAt ?? acceptedAt(seq),
      generation: left.generation ?? 1,
      waitingFor: null,
      collectedIn:
        left.collectedIn === undefined
          ? null
          : { id: idOf(session, left.collectedIn), state: turn?.state ?? 'queued' },
    };
  });
}

const webhookIdOf = (id: string, { notice = '' }: LeftDelivery): string =>
  `msg_${id.replaceAll('-', '')}${notice}`;

export function archivedSessionOf(left: LeftSession): ArchivedSession {
  const { session, policy, messages, agent, generation, firstSeq } = left;
  return {
    type: 'session',
    session,
    last_seq: messages.length,
    last_accepted_at: acceptedAt(messages.length),
    policy: policy ?? null,
    agent: agent ?? null,
    generation: generation ?? 1,
    first_seq: firstSeq ?? 1,
  };
}

export function archivedMessagesOf(
  { session, messages }: LeftSession,
  idOf: IdOf,
): readonly ArchivedMessage[] {
  return messages.map((left, index) => {
    const seq = index + 1;
    const id = idOf(session, seq);
    const target = targetOf(left);
    const { delivery, key } = left;
    return {
      type: 'message',
      id,
      session,
      seq,
      state: left.state ?? 'queued',
      text: textOf(session, seq, left),
      metadata: left.metadata ?? { n: seq },
      sender: left.sender ?? null,
      channel: 'http',
      accepted_at: acceptedAt(seq),
      changed_at: left.changedAt ?? acceptedAt(seq),
      retried_at: left.retriedAt ?? null,
      attempts: left.attempts ?? 0,
      crashes: left.crashes ?? 0,
      put_backs: left.putBacks ?? 0,
      error: left.error ?? null,
      held: false,
      begun: left.begun ?? false,
      collected_in: left.collectedIn === undefined ? null : idOf(session, left.collectedIn),
      reply_to:
        target === null
          ? null
          : { ...target, idempotent: left.idempotent ?? true, unknown: left.unknownPolicy ?? null },
      idempotency:
        key === undefined ? null : { key: key.name, fingerprint: Buffer.alloc(32, key.byte).toString('hex') },
      reply: archivedReply(session, seq, left),
      parts: left.parts ?? [],
      generation: left.generation ?? 1,
      deltas: left.deltas ?? [],
      delivery:
        delivery == null
          ? null
          : {
              kind: delivery.notice === undefined ? 'reply' : 'notice',
              webhook_id: webhookIdOf(id, delivery),
              state: delivery.state ?? 'pending',
              attempts: delivery.attempts ?? 0,
              delivered_at: delivery.deliveredAt ?? null,
              last_error: delivery.lastError ?? null,
              unknown: delivery.unknown ?? 0,
              begun_at: null,
              held: false,
            },
    };
  });
}
