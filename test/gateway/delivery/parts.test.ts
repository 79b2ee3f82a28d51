import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ReplyPart, ReplySender, SendOutcome } from '../../../src/channels/reply-sender.js';
import { Deliverer, type DelivererOptions } from '../../../src/gateway/delivery/deliverer.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { Message, MessageState } from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import { acceptOne } from '../../store/samples.js';
import { SqliteFactory } from '../../store/sqlite/sqlite-factory.js';
import { RecordingLog } from './recording-log.js';

let factory: SqliteFactory;
let store: Store;
let ended: (() => Promise<unknown>)[];

beforeEach(async () => {
  factory = new SqliteFactory();
  store = await factory.open({ now: () => Date.now() });
  ended = [];
});
afterEach(async () => {
  for (const end of ended.reverse()) await end();
  await factory.remove();
});

/** A chat that takes one word a message. */
class WordSender implements ReplySender {
  readonly schedule = [1];
  readonly sent: ReplyPart[] = [];

  constructor(
    private readonly answer: (part: ReplyPart, signal: AbortSignal) => SendOutcome | Promise<SendOutcome>,
  ) {}

  destinationOf({ target }: Delivery): string {
    return target.address;
  }

  partsOf(delivery: Delivery): readonly ReplyPart[] {
    return delivery.replyText.split(' ').map((text, index) => ({ delivery, number: index + 1, text }));
  }

  async send(part: ReplyPart, signal: AbortSignal): Promise<SendOutcome> {
    this.sent.push(part);
    return this.answer(part, signal);
  }

  async close(): Promise<void> {}

  get words(): readonly string[] {
    return this.sent.map(({ text }) => text);
  }
}

const delivered = ({ number }: ReplyPart): SendOutcome => ({ kind: 'delivered', receipt: { id: number } });
const failed: SendOutcome = {
  kind: 'retry',
  reason: 'the chat is full',
  retryAfterMilliseconds: null,
  pausesHost: false,
  isRefusal: false,
  peer: 'failing',
  inDoubt: false,
};

async function replied(text: string): Promise<Message> {
  const message = await acceptOne(store, 'a', { replyTo: { channel: 'chat', address: 'room', options: {} } });
  const [turn] = await store.claimTurns({ owner: 'dispatcher', limit: 1, leaseMs: 60_000 });
  if (turn === undefined) throw new Error('unreachable');
  await store.completeTurn(turn, { text, metadata: {} });
  return message;
}

function deliver(
  sender: ReplySender,
  owner = 'first',
  more: Pick<DelivererOptions, 'noticeOf' | 'latePreview'> = {},
) {
  let reached: (state: MessageState) => void = () => undefined;
  const end = new Promise<MessageState>((resolve) => {
    reached = resolve;
  });
  const made = new Deliverer({
    store,
    sender,
    ...more,
    log: new RecordingLog(),
    owner,
    settings: {
      concurrency: 4,
      host_concurrency: 4,
      max_attempts: null,
      retry_delay: null,
      retry_delay_limit: null,
      expire: 0,
      unknown: 'ask',
      lease: 30_000,
    },
    onChange: (_delivery, state) => {
      if (state !== 'replied') reached(state);
    },
  });
  ended.push(() => made.drain(0));
  made.wake();
  return { deliverer: made, end };
}

test('the parts of a reply are sent in their order, each once', async () => {
  const message = await replied('one two three');
  const sender = new WordSender(delivered);
  expect(await deliver(sender).end).toBe('delivered');
  expect(sender.words).toEqual(['one', 'two', 'three']);
  expect(await store.message(message.id)).toMatchObject({ state: 'delivered', delivery: { attempts: 1 } });
});

test('an attempt that fails in the middle is followed by one that goes on behind the last part that arrived', async () => {
  await replied('one two three');
  let tries = 0;
  const sender = new WordSender((part) => {
    if (part.number !== 2) return delivered(part);
    tries += 1;
    return tries === 1 ? failed : delivered(part);
  });
  expect(await deliver(sender).end).toBe('delivered');
  expect(sender.words).toEqual(['one', 'two', 'two', 'three']);
  expect(sender.sent[2]?.delivery).toMatchObject({ attempt: 2, parts: [{ part: 1, receipt: { id: 1 } }] });
});

test('after a crash in the middle the next gateway goes on behind the last part that arrived', async () => {
  const message = await replied('one two three four');
  let hangs: () => void = () => undefined;
  const hung = new Promise<void>((resolve) => {
    hangs = resolve;
  });
  const before = new WordSender((part, signal) => {
    if (part.number < 3) return delivered(part);
    hangs();
    return new Promise((resolve) =>
      signal.addEventListener('abort', () => resolve({ kind: 'aborted', inDoubt: true })),
    );
  });
  deliver(before);
  await hung;
  expect(before.words).toEqual(['one', 'two', 'three']);

  await factory.close();
  store = await factory.open({ now: () => Date.now() });
  const after = new WordSender(delivered);
  expect(await deliver(after, 'second').end).toBe('delivered');
  // The third was under way, and its receiver knows it by its number.
  expect(after.words).toEqual(['three', 'four']);
  expect(after.sent[0]?.delivery.parts).toEqual([
    { part: 1, receipt: { id: 1 } },
    { part: 2, receipt: { id: 2 } },
  ]);
  expect(await store.message(message.id)).toMatchObject({ state: 'delivered' });
});

test('a stop between two parts puts the rest back', async () => {
  const message = await replied('one two three');
  let arrived: () => void = () => undefined;
  const began = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const slow = new WordSender(
    (part, signal) =>
      new Promise((resolve) => {
        arrived();
        signal.addEventListener('abort', () => resolve(delivered(part)));
      }),
  );
  const { deliverer } = deliver(slow);
  await began;
  expect(await deliverer.drain(0)).toMatchObject({ putBack: 1 });
  expect(slow.words).toEqual(['one']);
  const after = new WordSender(delivered);
  expect(await deliver(after, 'second').end).toBe('delivered');
  expect(after.words).toEqual(['two', 'three']);
  expect(await store.message(message.id)).toMatchObject({ state: 'delivered', delivery: { attempts: 1 } });
});

test('a reply of which all parts are on record is delivered without another send', async () => {
  const message = await replied('one');
  const [claimed] = await store.claimDeliveries({ owner: 'gone', limit: 1, leaseMs: 60_000 });
  if (claimed === undefined) throw new Error('unreachable');
  await store.noteDeliveryPart(claimed, 1, { id: 1 });
  await factory.close();
  store = await factory.open({ now: () => Date.now() });
  const sender = new WordSender(delivered);
  expect(await deliver(sender, 'second').end).toBe('delivered');
  expect(sender.words).toEqual([]);
  expect(await store.message(message.id)).toMatchObject({ state: 'delivered' });
});

test.each([
  ['in the words of its channel', () => 'Not answered.', ['Not answered.']],
  ['not at all, if the channel keeps it back', () => null, []],
  ['with the reason', undefined, ['The disk burns: /srv/secret.']],
])('people are told that a message is dead %s', async (_what, noticeOf, said) => {
  const replyTo = { channel: 'chat', address: 'room', options: {} };
  const message = await acceptOne(store, 'a', { replyTo });
  const [turn] = await store.claimTurns({ owner: 'dispatcher', limit: 1, leaseMs: 60_000 });
  if (turn === undefined) throw new Error('unreachable');
  await store.failTurn(turn, 'The disk burns: /srv/secret.', null);
  const sender = new WordSender(delivered);
  sender.partsOf = (delivery) => [{ delivery, number: 1, text: delivery.notice ?? 'a reply' }];
  await deliver(sender, 'first', noticeOf === undefined ? {} : { noticeOf }).end;
  expect(sender.words).toEqual(said);
  expect(await store.message(message.id)).toMatchObject({
    state: 'dead',
    delivery: { kind: 'notice', deliveredAt: expect.any(Number) },
  });
});

test('a preview that arrived when the turn had ended is given to the reply', async () => {
  const message = await replied('one two');
  const sender = new WordSender(delivered);
  expect(await deliver(sender, 'first', { latePreview: async () => ({ id: 'p' }) }).end).toBe('delivered');
  expect(sender.sent.map(({ delivery: { parts } }) => parts)).toEqual([
    [{ part: 0, receipt: { id: 'p' } }],
    [{ part: 0, receipt: { id: 'p' } }],
  ]);
  expect(await store.message(message.id)).toMatchObject({ state: 'delivered' });
});
