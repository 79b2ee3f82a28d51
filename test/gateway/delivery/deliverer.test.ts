import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  Deliverer,
  type DelivererOptions,
  type DeliverySettings,
} from '../../../src/gateway/delivery/deliverer.js';
import { failuresToOpen } from '../../../src/gateway/delivery/destination.js';
import {
  createWebhookSecret,
  parseWebhookSecrets,
} from '../../../src/gateway/delivery/webhook/webhook-request.js';
import { createWebhookSender } from '../../../src/gateway/delivery/webhook/webhook-sender.js';
import { type Clock, systemClock } from '../../../src/lifecycle/effects/clock.js';
import {
  type Message,
  type MessageState,
  type UnknownPolicy,
  webhookTarget,
} from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import { acceptOne } from '../../store/samples.js';
import { SqliteFactory } from '../../store/sqlite/sqlite-factory.js';
import { withCalls } from '../../store/with-calls.js';
import Database from '../../support/sqlite.mjs';
import { type Answer, hang, Receiver, reset, status } from './receiver.js';
import { RecordingLog } from './recording-log.js';

const secret = createWebhookSecret();
let factory: SqliteFactory;
let store: Store;
let ended: (() => Promise<unknown>)[];
/** The store's clock. */
let storeNow: () => number;

beforeEach(async () => {
  factory = new SqliteFactory();
  storeNow = Date.now;
  store = await factory.open({ busyTimeout: 50, now: () => storeNow() });
  ended = [];
});
afterEach(async () => {
  for (const end of ended.reverse()) await end();
  await factory.remove();
});

async function receiver(...answers: Answer[]): Promise<Receiver> {
  const made = await Receiver.listen(...answers);
  ended.push(() => made.close());
  return made;
}

interface Fixture {
  readonly deliverer: Deliverer;
  readonly log: RecordingLog;
  /** A reload with these settings. */
  configure(settings: Partial<DeliverySettings>): void;
  /** Resolves when a message has got to this state, now or before. */
  until(message: Message, state: MessageState): Promise<void>;
}

function deliverer(
  settings: Partial<DeliverySettings> = {},
  options: Partial<DelivererOptions> & { allow?: string[]; timeout?: number } = {},
): Fixture {
  const { clock } = options;
  if (clock !== undefined) storeNow = () => clock.now();
  const log = new RecordingLog();
  const seen = new Set<string>();
  const waiting = new Map<string, () => void>();
  const sender = createWebhookSender({
    allow: options.allow ?? ['127.0.0.0/8'],
    timeout: options.timeout ?? 10_000,
    secrets: parseWebhookSecrets(secret),
    userAgent: 'sd-gateway/0.0.0',
  });
  const began: DeliverySettings = {
    concurrency: 16,
    host_concurrency: 16,
    expire: 86_400_000,
    unknown: 'ask',
    max_attempts: 10,
    retry_delay: 1,
    retry_delay_limit: 1,
    lease: 30_000,
    ...settings,
  };
  const made = new Deliverer({
    store,
    sender,
    log,
    owner: 'first',
    settings: began,
    onChange: (delivery, state) => {
      const key = `${delivery.messageId} ${state}`;
      seen.add(key);
      waiting.get(key)?.();
    },
    ...options,
  });
  ended.push(async () => {
    await made.drain(0);
    await sender.close();
  });
  return {
    deliverer: made,
    log,
    configure: (changes) => made.configure(sender, { ...began, ...changes }),
    until: (message, state) => {
      const key = `${message.id} ${state}`;
      return seen.has(key) ? Promise.resolve() : new Promise((resolve) => waiting.set(key, resolve));
    },
  };
}

/** A message whose reply waits to be posted. */
async function replied(
  session: string,
  url: string,
  {
    idempotent = true,
    unknown = null,
    now,
  }: { idempotent?: boolean; unknown?: UnknownPolicy | null; now?: number } = {},
): Promise<Message> {
  const present = storeNow;
  if (now !== undefined) storeNow = () => now;
  const message = await acceptOne(store, session, {
    replyTo: webhookTarget(url),
    replyIdempotent: idempotent,
    replyUnknown: unknown,
    text: 'secret question',
  });
  const turns = await store.claimTurns({ owner: 'dispatcher', limit: 1, leaseMs: 60_000 });
  for (const turn of turns) await store.completeTurn(turn, { text: `reply to ${turn.seq}`, metadata: {} });
  storeNow = present;
  return message;
}

const record = async (message: Message) => (await store.message(message.id)) as Message;

describe('delivering', () => {
  test('each session in order, and the sessions side by side', async () => {
    const to = await receiver(status(204));
    const messages: Message[] = [];
    for (const session of ['a', 'b', 'a', 'b', 'a'])
      messages.push(await replied(session, to.url(`/${session}`)));
    const { deliverer: made, until } = deliverer();
    made.wake();
    await Promise.all(messages.map((message) => until(message, 'delivered')));
    const seqs = (path: string) =>
      to.received.filter((got) => got.path === path).map((got) => JSON.parse(got.body).data.seq);
    expect(seqs('/a')).toEqual([1, 2, 3]);
    expect(seqs('/b')).toEqual([1, 2]);
    expect(await record(messages[0] as Message)).toMatchObject({
      state: 'delivered',
      delivery: { attempts: 1 },
    });
    expect(made.facts()).toMatchObject({ delivered: 5, failed: 0, dead: 0, storeTrouble: null });
    for (const got of to.received) new Webhook(secret).verify(got.body, got.headers);
  });

  test('again after a failure, under the same webhook-id, and then what is behind it', async () => {
    const to = await receiver(status(500), status(503), status(200));
    const first = await replied('a', to.url());
    const second = await replied('a', to.url());
    const { deliverer: made, log, until } = deliverer();
    made.wake();
    await until(second, 'delivered');
    const ids = to.received.map((got) => got.headers['webhook-id']);
    expect(ids.slice(0, 3)).toEqual(new Array(3).fill((await record(first)).delivery?.webhookId));
    expect(ids[3]).toBe((await record(second)).delivery?.webhookId);
    expect(new Set(ids).size).toBe(2);
    expect(await record(first)).toMatchObject({ state: 'delivered', delivery: { attempts: 3 } });
    expect(log.records.filter(({ priority }) => priority === 'warning').map(({ fields }) => fields)).toEqual(
      [1, 2].map((attempt) => ({
        SD_GATEWAY_SESSION: 'a',
        SD_GATEWAY_MESSAGE: first.id,
        SD_GATEWAY_ATTEMPT: attempt,
      })),
    );
    expect(JSON.stringify(log.records)).not.toMatch(/secret question|reply to/);
  });

  test('whoever counts them is told of the end of each attempt', async () => {
    const to = await receiver(status(500), status(204), reset, status(400));
    const ends: unknown[] = [];
    const { deliverer: made, until } = deliverer({}, { onEnd: (_delivery, end) => void ends.push(end) });
    const first = await replied('a', to.url());
    made.wake();
    await until(first, 'delivered');
    const second = await replied('a', to.url());
    made.wake();
    await until(second, 'dead');
    expect(ends).toEqual([
      { outcome: 'failed', unknown: false },
      { outcome: 'delivered', unknown: false },
      { outcome: 'failed', unknown: true },
      { outcome: 'dead', unknown: false },
    ]);
  });

  test("not before the receiver's Retry-After", async () => {
    const to = await receiver(status(429, { 'retry-after': '3600' }));
    const message = await replied('a', to.url());
    const before = Date.now();
    const { deliverer: made, until } = deliverer();
    made.wake();
    await until(message, 'replied');
    const { delivery, state } = await record(message);
    expect(state).toBe('replied');
    expect(delivery?.nextAttemptAt).toBeGreaterThanOrEqual(before + 3_600_000);
    expect(to.received).toHaveLength(1);
  });

  test.each([
    ['the receiver refuses it', status(400), ['127.0.0.0/8'], /HTTP 400/],
    ['the receiver redirects', status(301, { location: 'http://127.0.0.1/' }), ['127.0.0.0/8'], /redirects/],
    ['its target is not allowed', status(200), [], /delivery\.allow/],
  ])('dead at once when %s, and the next one is sent', async (_name, answer, allow, reason) => {
    const to = await receiver(answer);
    const messages = [await replied('a', to.url()), await replied('a', to.url())];
    const { deliverer: made, log, until } = deliverer({}, { allow });
    made.wake();
    for (const message of messages) {
      await until(message, 'dead');
      const { state, error, delivery } = await record(message);
      expect(state).toBe('dead');
      expect(error).toMatch(reason);
      expect(delivery?.attempts).toBe(1);
    }
    expect(log.records.map(({ priority }) => priority)).toEqual(['err', 'err']);
    expect(made.facts()).toMatchObject({ failed: 2, dead: 2 });
  });

  test('dead after the last attempt', async () => {
    const to = await receiver(status(500));
    const message = await replied('a', to.url());
    const { deliverer: made, until } = deliverer({ max_attempts: 3 });
    made.wake();
    await until(message, 'dead');
    expect(to.received).toHaveLength(3);
    expect((await record(message)).error).toContain('HTTP 500');
  });

  test('so many at a time, and no more', async () => {
    const held: (() => void)[] = [];
    const to = await receiver((_request, response) => held.push(() => response.end()));
    const messages: Message[] = [];
    for (let index = 0; index < 5; index += 1) messages.push(await replied(`s${index}`, to.url()));
    const { deliverer: made, until } = deliverer({ concurrency: 2 });
    made.wake();
    await to.arrived(2);
    made.wake();
    expect(made.facts().inFlight).toBe(2);
    for (let index = 0; index < 5; index += 1) {
      await to.arrived(index + 1);
      expect(made.facts().inFlight).toBeLessThanOrEqual(2);
      held[index]?.();
    }
    await Promise.all(messages.map((message) => until(message, 'delivered')));
    expect(to.received).toHaveLength(5);
  });

  test('a receiver that hangs holds up no other session', async () => {
    const stuck = await receiver(hang);
    const fine = await receiver(status(200));
    await replied('a', stuck.url());
    const message = await replied('b', fine.url());
    const { deliverer: made, until } = deliverer({ concurrency: 2 });
    made.wake();
    await until(message, 'delivered');
    await stuck.arrived(1);
    expect(made.facts()).toMatchObject({ delivered: 1, failed: 0 });
  });
});

describe('one host and the others', () => {
  test('a host that fails is asked once in a while, and its replies use up no attempts', async () => {
    const fails = await receiver(status(503));
    const fine = await receiver(status(200));
    for (let index = 0; index < 40; index += 1) await replied(`failing ${index}`, fails.url());
    const {
      deliverer: made,
      log,
      until,
    } = deliverer({
      concurrency: 2,
      retry_delay: 3_600_000,
      retry_delay_limit: 3_600_000,
    });
    const message = await replied('z', fine.url());
    made.wake();
    await until(message, 'delivered');
    await made.settle(60_000);
    // Deliveries that were under way when the circuit opened are the last.
    expect(fails.received.length).toBeLessThanOrEqual(failuresToOpen + 1);
    expect(made.facts().circuits).toMatchObject([{ origin: new URL(fails.url()).origin, state: 'open' }]);
    expect(log.records.filter((record) => record.message.includes('failed in a row'))).toHaveLength(1);
    const page = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        store.sessionMessages(`failing ${index}`, { limit: 1, after: null }),
      ),
    );
    const attempts = page.map((each) => each?.items[0]?.delivery?.attempts ?? -1);
    expect(attempts.reduce((sum, each) => sum + each, 0)).toBe(fails.received.length);
  });

  test.each([
    ['is no trouble any more once nothing can come back to it', 1, 3_600_000],
    ['is waited for as long as it has asked for itself', 2, 2 * 3_600_000],
  ])('a host that fails to the end %s', async (_what, max_attempts, wait) => {
    const fails = await receiver(status(503, { 'retry-after': '3600' }));
    for (const session of ['a', 'b', 'c', 'd', 'e']) await replied(session, fails.url());
    let now = Date.now();
    const { deliverer: made, log } = deliverer(
      { max_attempts, retry_delay_limit: 3_600_000 },
      { clock: { now: () => now, after: (...timer) => systemClock.after(...timer) } },
    );
    made.wake();
    await expect.poll(() => made.facts().failed).toBe(5);
    await made.settle(60_000);
    expect(made.facts().circuits).toHaveLength(1);
    now += wait - 10_000;
    expect(made.facts().circuits).toHaveLength(1);
    now += 20_000;
    expect(made.facts().circuits).toEqual([]);
    expect(log.records.at(-1)?.message).toContain('Nothing is left to be delivered to http://127.0.0.1');
  });

  test.each([
    [429, 0],
    [503, 1],
  ])(
    'a host that asks for time by HTTP %i gets nothing before it is over, and the others do',
    async (code, failures) => {
      const clock = new ManualClock();
      const asks = await receiver(status(code, { 'retry-after': '3600' }), status(200));
      const fine = await receiver(status(200));
      const first = await replied('a', asks.url());
      const { deliverer: made, log, until } = deliverer({}, { clock });
      made.wake();
      await until(first, 'replied');
      const held = [await replied('b', asks.url('/b')), await replied('c', asks.url('/c'))];
      const other = await replied('d', fine.url());
      made.wake();
      await until(other, 'delivered');
      await made.settle(60_000);
      const end = clock.now() + 3_600_000;
      const { origin } = new URL(asks.url());
      expect(made.facts().circuits).toEqual([{ origin, state: 'held', failures, until: end }]);
      expect(log.records.filter(({ message }) => message.includes(`${origin} asks for time`))).toHaveLength(
        1,
      );
      for (const message of held) {
        const { state, delivery } = await record(message);
        expect({ state, attempts: delivery?.attempts }).toEqual({ state: 'replied', attempts: 0 });
        expect(delivery?.nextAttemptAt).toBeGreaterThanOrEqual(end);
      }
      clock.advance(3_599_999);
      await made.settle(60_000);
      expect(asks.received).toHaveLength(1);
      clock.advance(60_000);
      await Promise.all([first, ...held].map((message) => until(message, 'delivered')));
      expect(asks.received).toHaveLength(1 + 3);
      expect(made.facts()).toMatchObject({ circuits: [], failed: 1 });
    },
  );

  test('a reply that waits for such a host is dead in time, without an attempt', async () => {
    const clock = new ManualClock();
    const asks = await receiver(status(429, { 'retry-after': '3600' }));
    const { deliverer: made, until } = deliverer({ expire: 1_800_000 }, { clock });
    const now = clock.now();
    const first = await replied('a', asks.url(), { now });
    made.wake();
    await until(first, 'dead');
    const message = await replied('b', asks.url(), { now });
    await made.settle(60_000);
    expect(await record(message)).toMatchObject({ state: 'replied', delivery: { attempts: 0 } });
    clock.advance(1_800_000);
    await until(message, 'dead');
    expect(await record(message)).toMatchObject({
      error: expect.stringContaining('delivery.expire'),
      delivery: { attempts: 0 },
    });
    expect(asks.received).toHaveLength(1);
  });

  test('neither a reload ends its time, nor does a stop wait for it', async () => {
    const clock = new ManualClock();
    const asks = await receiver(status(429, { 'retry-after': '3600' }));
    const first = await replied('a', asks.url());
    const { deliverer: made, configure, until } = deliverer({}, { clock });
    made.wake();
    await until(first, 'replied');
    configure({ concurrency: 2 });
    const message = await replied('b', asks.url());
    await made.settle(60_000);
    expect(asks.received).toHaveLength(1);
    // No time passes.
    expect(await made.drain(60_000)).toEqual({ finished: 0, putBack: 0 });
    expect(await record(message)).toMatchObject({ state: 'replied', delivery: { attempts: 0 } });
  });

  test('a host that comes back gets all, each once and in order', async () => {
    const to = await receiver(...new Array(7).fill(status(500)), status(200));
    const messages: Message[] = [];
    for (const session of ['a', 'b', 'a', 'c']) messages.push(await replied(session, to.url()));
    const { deliverer: made, log, until } = deliverer({ max_attempts: 100 });
    made.wake();
    await Promise.all(messages.map((message) => until(message, 'delivered')));
    expect(made.facts().circuits).toEqual([]);
    expect(log.records.some((record) => record.message.includes('takes replies again'))).toBe(true);
    expect(to.received).toHaveLength(7 + messages.length);
  });

  test('a host that hangs holds no more than its share', async () => {
    const hangs = await receiver(hang);
    const fine = await receiver(status(200));
    for (let index = 0; index < 20; index += 1) await replied(`hanging ${index}`, hangs.url());
    const messages: Message[] = [];
    for (let index = 0; index < 20; index += 1) messages.push(await replied(`fine ${index}`, fine.url()));
    const { deliverer: made, until } = deliverer({ concurrency: 4, host_concurrency: 2 });
    made.wake();
    await Promise.all(messages.map((message) => until(message, 'delivered')));
    expect(hangs.received).toHaveLength(2);
  });

  test('one busy host gets all the places there are, one after another', async () => {
    const to = await receiver(status(200));
    const messages: Message[] = [];
    for (let index = 0; index < 60; index += 1) messages.push(await replied(`s${index}`, to.url()));
    const { deliverer: made, until } = deliverer({ concurrency: 8, host_concurrency: 2 });
    made.wake();
    await Promise.all(messages.map((message) => until(message, 'delivered')));
    expect(made.facts()).toMatchObject({ delivered: 60, failed: 0 });
  });
});

describe('a reply that is too old', () => {
  test('is dead without an attempt, and the next one is sent', async () => {
    const to = await receiver(status(200));
    const old = await replied('a', to.url(), { now: Date.now() - 60_000 });
    const fresh = await replied('a', to.url());
    const { deliverer: made, until } = deliverer({ expire: 30_000 });
    made.wake();
    await until(fresh, 'delivered');
    expect(await record(old)).toMatchObject({
      state: 'dead',
      error: expect.stringContaining('delivery.expire'),
      delivery: { attempts: 0 },
    });
    expect(to.received).toHaveLength(1);
  });
});

describe('an outcome that nobody knows', () => {
  test.each([
    ['resend', true, 2, 'delivered'],
    ['ask', true, 2, 'delivered'],
    ['resend', false, 2, 'delivered'],
    ['ask', false, 1, 'dead'],
    ['drop', false, 1, 'dead'],
  ] as const)('%s, where the key is known: %s', async (unknown, idempotent, posts, state) => {
    const to = await receiver(reset, status(200));
    const message = await replied('a', to.url(), { idempotent });
    const next = await replied('a', to.url());
    const { deliverer: made, until } = deliverer({ unknown });
    made.wake();
    await until(next, 'delivered');
    expect(to.received).toHaveLength(posts + 1);
    const { state: end, error, delivery } = await record(message);
    expect({ end, unknown: delivery?.unknown }).toEqual({ end: state, unknown: 1 });
    if (state === 'dead') expect(error).toContain(`delivery.unknown is "${unknown}"`);
  });

  test.each([
    ['resend', 'drop', 2, 'delivered'],
    ['ask', 'resend', 1, 'dead'],
    ['drop', 'resend', 1, 'dead'],
  ] as const)(
    '%s, as its target says, whatever the others do (%s)',
    async (unknown, general, posts, state) => {
      const to = await receiver(reset, status(200));
      const message = await replied('a', to.url(), { idempotent: false, unknown });
      const next = await replied('a', to.url());
      const { deliverer: made, until } = deliverer({ unknown: general });
      made.wake();
      await until(next, 'delivered');
      expect(to.received).toHaveLength(posts + 1);
      const { state: end, error, delivery } = await record(message);
      expect({ end, unknown: delivery?.unknown }).toEqual({ end: state, unknown: 1 });
      if (state === 'dead') expect(error).toContain(`reply_to.unknown is "${unknown}"`);
    },
  );

  test.each([
    [true, null, 'replied'],
    [false, null, 'dead'],
    [false, 'resend', 'replied'],
    [false, 'drop', 'dead'],
  ] as const)(
    'of an attempt that a stop cut off, where the key is known: %s, and its target says %j',
    async (idempotent, unknown, state) => {
      const to = await receiver(hang);
      const message = await replied('a', to.url(), { idempotent, unknown });
      const { deliverer: made } = deliverer();
      made.wake();
      await to.arrived(1);
      await made.drain(0);
      const { state: end, delivery } = await record(message);
      expect({ end, unknown: delivery?.unknown }).toEqual({ end: state, unknown: 1 });
      expect(delivery?.lastError).toContain('the gateway stopped after it had begun');
      if (unknown !== null) expect(delivery?.lastError).toContain(`(reply_to.unknown is "${unknown}")`);
    },
  );
});

describe('a reply that somebody discards', () => {
  test('while it is being posted is posted to the end; then it is given up, and the next one goes out', async () => {
    let answer = () => {};
    const to = await receiver((_request, response) => {
      answer = () => response.writeHead(500, { 'retry-after': '3600' }).end();
    }, status(200));
    const message = await replied('a', to.url());
    const next = await replied('a', to.url());
    const { deliverer: made, until } = deliverer();
    made.wake();
    await to.arrived(1);
    expect(await store.discardMessage(message.id)).toMatchObject({ outcome: 'busy' });
    answer();
    await until(message, 'replied');
    await made.settle(60_000);
    expect(to.received).toHaveLength(1);
    expect(await store.discardMessage(message.id)).toMatchObject({ outcome: 'done' });
    made.wake();
    await until(next, 'delivered');
    expect(JSON.parse(to.received[1]?.body ?? '')).toMatchObject({ data: { id: next.id } });
    expect(await record(message)).toMatchObject({ state: 'cancelled', delivery: { attempts: 1 } });
  });
});

describe('a stop', () => {
  test('lets attempts under way come to their end', async () => {
    let answer = () => {};
    const to = await receiver((_request, response) => {
      answer = () => response.end();
    });
    const message = await replied('a', to.url());
    const { deliverer: made } = deliverer();
    made.wake();
    await to.arrived(1);
    const drained = made.drain(60_000);
    answer();
    expect(await drained).toEqual({ finished: 1, putBack: 0 });
    expect((await record(message)).state).toBe('delivered');
    expect(made.facts()).toMatchObject({ state: 'drained', inFlight: 0 });
  });

  test.each([
    ['when its time is up', 10, false],
    ['when it is cut short', 60_000, true],
  ])('puts the rest back %s, and the next start sends it', async (_name, patience, abort) => {
    const to = await receiver(hang, status(200));
    const message = await replied('a', to.url());
    const { deliverer: made } = deliverer();
    made.wake();
    await to.arrived(1);
    const controller = new AbortController();
    const drained = made.drain(patience, controller.signal);
    if (abort) controller.abort();
    expect(await drained).toEqual({ finished: 0, putBack: 1 });
    expect(await record(message)).toMatchObject({ state: 'replied', delivery: { attempts: 0 } });
    made.wake();
    expect(to.received).toHaveLength(1);
    const next = deliverer({}, { owner: 'second' });
    next.deliverer.wake();
    await next.until(message, 'delivered');
    expect(to.received[1]?.headers['webhook-id']).toBe(to.received[0]?.headers['webhook-id']);
  });

  test('waits for an attempt that was claimed before the end of the one before had come back', async () => {
    let release: () => void = () => {};
    const to = await receiver(status(503), (_request, response) => {
      release = () => response.writeHead(200).end();
    });
    const message = await replied('a', to.url());
    const { deliverer: made, until } = deliverer(
      {},
      {
        // It is due again at once.
        random: () => 0,
        store: withCalls(store, {
          // Both calls go out together, and both answers come back together.
          failDelivery: (...parameters) => {
            const noted = store.failDelivery(...parameters);
            made.wake();
            return noted;
          },
        }),
      },
    );
    made.wake();
    await to.arrived(2);
    expect(made.facts().inFlight).toBe(1);
    let isOver = false;
    const drained = made.drain(60_000).finally(() => {
      isOver = true;
    });
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
    release();
    await until(message, 'delivered');
    await drained;
  });

  test('in the middle of a claim loses nothing', async () => {
    const to = await receiver(status(200));
    const message = await replied('a', to.url());
    const { deliverer: made } = deliverer();
    made.wake();
    expect(await made.drain(60_000)).toEqual({ finished: 0, putBack: 1 });
    expect(await record(message)).toMatchObject({ state: 'replied', delivery: { attempts: 0 } });
    expect(to.received).toEqual([]);
  });

  test('with nothing to do is over at once, and only once', async () => {
    const { deliverer: made } = deliverer();
    const [first, second] = await Promise.all([made.drain(60_000), made.drain(60_000)]);
    expect(first).toEqual({ finished: 0, putBack: 0 });
    expect(second).toBe(first);
  });
});

/** Time that goes on when it is told to. */
class ManualClock implements Clock {
  #now = Date.now();
  readonly #awaited = new Map<number, () => void>();
  readonly timers = new Map<object, { at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const key = {};
    this.timers.set(key, { at: this.#now + milliseconds, callback });
    this.#awaited.get(milliseconds)?.();
    return () => this.timers.delete(key);
  }

  /** Resolves when a timer of just this length is set. */
  set(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#awaited.set(milliseconds, resolve));
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const [key, { at, callback }] of [...this.timers]) {
      if (at > this.#now) continue;
      this.timers.delete(key);
      callback();
    }
  }
}

/** The store, and what is asked of it. */
function watched(real: Store, calls: string[], answered: (call: string) => void = () => {}): Store {
  return new Proxy(real, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...parameters: unknown[]) => {
        calls.push(String(name));
        try {
          return await Reflect.apply(member, target, parameters);
        } finally {
          answered(String(name));
        }
      };
    },
  });
}

describe('time', () => {
  test('idle, it asks once and holds one timer', async () => {
    const calls: string[] = [];
    const clock = new ManualClock();
    let idle = () => {};
    const asked = new Promise<void>((resolve) => {
      idle = resolve;
    });
    const { deliverer: made } = deliverer(
      { lease: 30_000 },
      { clock, store: watched(store, calls, (call) => call === 'nextDueInMs' && setImmediate(idle)) },
    );
    made.wake();
    await asked;
    expect(calls).toEqual(['claimDeliveries', 'nextDueInMs']);
    expect([...clock.timers.values()].map(({ at }) => at - clock.now())).toEqual([30_000]);
  });

  test('it wakes when a retry is due, without being told', async () => {
    const clock = new ManualClock();
    const to = await receiver(status(503, { 'retry-after': '10' }), status(200));
    const message = await replied('a', to.url());
    const { deliverer: made, until } = deliverer({ lease: 60_000 }, { clock });
    const asleep = clock.set(10_000);
    made.wake();
    await asleep;
    clock.advance(9_000);
    expect(to.received).toHaveLength(1);
    clock.advance(2_000);
    await until(message, 'delivered');
    expect(to.received).toHaveLength(2);
  });

  test('a claim is renewed for as long as an attempt takes; without it another gateway takes over', async () => {
    const clock = new ManualClock();
    const to = await receiver(hang, status(200));
    const message = await replied('a', to.url());
    const claim = { owner: 'second', limit: 1, leaseMs: 30_000 };
    let renewed = () => {};
    const { deliverer: made, log } = deliverer(
      { lease: 30_000 },
      { clock, store: watched(store, [], (call) => call === 'renewLeases' && setImmediate(() => renewed())) },
    );
    made.wake();
    await to.arrived(1);
    for (let round = 0; round < 6; round += 1) {
      const done = new Promise<void>((resolve) => {
        renewed = resolve;
      });
      clock.advance(10_000);
      await done;
      expect(await store.claimDeliveries(claim)).toEqual([]);
    }
    await made.drain(0);
    const [again] = await store.claimDeliveries(claim);
    expect(again).toMatchObject({ messageId: message.id, attempt: 1 });
    // The second owner dies: its attempt may have reached the receiver, so it counts.
    clock.advance(31_000);
    const third = deliverer({}, { clock, owner: 'third' });
    third.deliverer.wake();
    await third.until(message, 'delivered');
    expect(await record(message)).toMatchObject({ delivery: { attempts: 2 } });
    expect(to.received[1]?.headers['webhook-id']).toBe(to.received[0]?.headers['webhook-id']);
    expect(log.records).toEqual([]);
  });
});

describe('a store in trouble', () => {
  test('is put on record once, and delivery goes on when it is over', async () => {
    const to = await receiver(status(200));
    const message = await replied('a', to.url());
    const other = new Database(factory.path);
    other.exec('BEGIN IMMEDIATE');
    const failures: (() => void)[] = [];
    const {
      deliverer: made,
      log,
      until,
    } = deliverer({}, { store: watched(store, [], () => failures.shift()?.()) });
    const third = new Promise<void>((resolve) =>
      failures.push(
        () => {},
        () => {},
        resolve,
      ),
    );
    made.wake();
    await third;
    expect(made.facts().storeTrouble).toContain('lock');
    other.exec('ROLLBACK');
    other.close();
    await until(message, 'delivered');
    expect(log.records.filter(({ priority }) => priority === 'err')).toHaveLength(1);
    expect(log.records.map(({ message }) => message)).toContain(
      'The store can hand out deliveries again, as the deliverer asks.',
    );
    expect(made.facts().storeTrouble).toBeNull();
  });

  test('while the outcome is written: it is written later, and nothing is posted twice', async () => {
    const other = new Database(factory.path);
    const to = await receiver((_request, response) => {
      other.exec('BEGIN IMMEDIATE');
      response.end();
    });
    const message = await replied('a', to.url());
    const { deliverer: made, log, until } = deliverer();
    const noted = log.next();
    made.wake();
    expect((await noted).message).toContain('note the outcome of a delivery');
    other.exec('ROLLBACK');
    other.close();
    await until(message, 'delivered');
    expect(to.received).toHaveLength(1);
  });
});
