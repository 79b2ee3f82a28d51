import fc from 'fast-check';
import { type ArchivedMessage, type ArchiveItem, formatArchive } from '../../src/store/archive.js';
import { nearBytes, shown } from '../fuzz/near-bytes.js';
import { nearJson } from '../fuzz/near-json.js';

const idOf = (number: number): string => `019a0000-0000-7000-8000-00000000000${number}`;

function message(number: number, session: string, changes: Partial<ArchivedMessage>): ArchivedMessage {
  return {
    type: 'message',
    id: idOf(number),
    session,
    seq: 1,
    state: 'queued',
    text: 'grüße 🦀\u2028',
    metadata: { from: 'ada', deep: [{ at: 1 }] },
    sender: null,
    channel: 'http',
    generation: 1,
    accepted_at: 1_000,
    changed_at: 2_000,
    retried_at: null,
    attempts: 0,
    crashes: 0,
    put_backs: 0,
    error: null,
    held: false,
    begun: false,
    collected_in: null,
    reply_to: null,
    idempotency: null,
    reply: null,
    delivery: null,
    parts: [],
    deltas: [],
    ...changes,
  };
}

const reply_to = {
  channel: 'webhook',
  address: 'https://receiver.example/',
  options: { thread: 7 },
  idempotent: false,
  unknown: 'drop' as const,
};
const reply = { text: 'it is done', metadata: { at: 7 }, at: 3_000 };
const delivery = {
  kind: 'reply' as const,
  webhook_id: 'msg_1',
  state: 'pending' as const,
  attempts: 1,
  delivered_at: null,
  last_error: 'HTTP 503',
  unknown: 0,
  begun_at: 3_000,
  held: true,
};

const items: readonly ArchiveItem[] = [
  {
    type: 'session',
    session: 'a',
    last_seq: 4,
    last_accepted_at: 1_000,
    policy: 'collect',
    agent: 'writer',
    generation: 2,
    first_seq: 3,
  },
  {
    type: 'session',
    session: 'b',
    last_seq: 9,
    last_accepted_at: 1_000,
    policy: null,
    agent: null,
    generation: 1,
    first_seq: 1,
  },
  message(1, 'a', { state: 'replied', attempts: 1, reply_to, reply, delivery }),
  message(2, 'a', { seq: 2, state: 'collected', collected_in: idOf(3) }),
  message(3, 'a', {
    seq: 3,
    state: 'running',
    held: true,
    attempts: 1,
    put_backs: 2,
    begun: true,
    sender: 'ada',
    generation: 2,
    deltas: [{ position: 4, attempt: 1, text: 'it is' }],
  }),
  message(4, 'b', { seq: 8, idempotency: { key: 'k', fingerprint: '00fF' }, error: 'exit status 3' }),
  message(5, 'b', { seq: 9, state: 'cancelled', held: true, retried_at: 2_000 }),
  message(6, 'a', { seq: 4, parts: [{ part: 1, receipt: { at: 7 }, at: 3_000 }] }),
  {
    type: 'record',
    kind: 'person',
    key: 'ada',
    value: { at: [1] },
    version: 3,
    changed_at: 1_000,
    expires_at: 9_000,
  },
];

/** A right one. */
export const lines: readonly string[] = [...formatArchive(items, 0)].map((line) => line.slice(0, -1));

/** With some of the lines left out, there twice, or in another's place, and perhaps an end that goes with that. */
const arranged = fc
  .record({
    leftOut: fc.option(fc.nat({ max: lines.length - 1 })),
    twice: fc.option(fc.nat({ max: lines.length - 1 })),
    moved: fc.option(fc.tuple(fc.nat({ max: lines.length }), fc.nat({ max: lines.length }))),
    isCounted: fc.boolean(),
  })
  .map(({ leftOut, twice, moved, isCounted }) => {
    const order = lines.flatMap((line, at) => (at === leftOut ? [] : at === twice ? [line, line] : [line]));
    if (moved !== null) order.splice(moved[0], 0, ...order.splice(moved[1], 1));
    const of = (type: string) => order.filter((line) => JSON.parse(line).type === type).length;
    const counts = { sessions: of('session'), messages: of('message'), records: of('record') };
    const end = JSON.stringify({ type: 'end', ...counts });
    return order.map((line) => (isCounted && JSON.parse(line).type === 'end' ? end : line));
  });

/** One line of it, or another, is nearly right: one of a message rather than others. */
function withChanges(from: readonly string[]): fc.Arbitrary<readonly string[]> {
  const all = from.map((_line, at) => at);
  const messages = all.filter((at) => JSON.parse(from[at] ?? 'null').type === 'message');
  const change = fc
    .constantFrom(...all, ...messages, ...messages)
    .chain((at) => fc.tuple(fc.constant(at), nearJson(JSON.parse(from[at] ?? 'null'))));
  return fc
    .array(change, { maxLength: 2 })
    .map((changes) => from.map((line, at) => changes.find(([place]) => place === at)?.[1] ?? line));
}

const textOf = (written: readonly string[]): string => written.map((line) => `${line}\n`).join('');

/** The bytes of an export that is right but for its values, its order, or its bytes, or for all of these. */
export const nearArchive: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 6, arbitrary: withChanges(lines).map((changed) => shown(Buffer.from(textOf(changed)))) },
  { weight: 2, arbitrary: arranged.map((order) => shown(Buffer.from(textOf(order)))) },
  { weight: 2, arbitrary: nearBytes(textOf(lines)) },
  { weight: 1, arbitrary: arranged.chain(withChanges).chain((changed) => nearBytes(textOf(changed))) },
);
