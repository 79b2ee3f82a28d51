import type { LookupAddress } from 'node:dns';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseRange } from '../../src/gateway/delivery/address-range.js';
import { judgedLookup } from '../../src/gateway/delivery/judged-lookup.js';
import { createWebhookSender } from '../../src/gateway/delivery/webhook-sender.js';
import { createWebhookSecret, parseWebhookSecrets } from '../../src/gateway/delivery/webhook-signature.js';
import type { Delivery } from '../../src/store/store.js';
import { Receiver, status } from './receiver.js';

/** What the resolver says, one answer for each time that it is asked. */
const answers: string[][] = [];
/** Names of this kind get their answer when the test gives it. */
const silent: { readonly name: string; readonly end: (error: Error | null) => void }[] = [];
vi.mock('node:dns', async (original) => ({
  ...(await original<typeof import('node:dns')>()),
  lookup: (
    name: string,
    _options: object,
    callback: (error: Error | null, found: LookupAddress[]) => void,
  ) => {
    if (name.endsWith('.silent')) {
      silent.push({ name, end: (error) => callback(error, [{ address: '127.0.0.1', family: 4 }]) });
      return;
    }
    const found = answers.shift();
    if (found === undefined) throw new Error('The resolver was asked once more than it should be.');
    const addresses = found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    setImmediate(() => callback(null, addresses));
  },
}));

let to: Receiver;
beforeEach(async () => {
  to = await Receiver.listen(status(200, { connection: 'close' }));
});
afterEach(() => to.close());

async function post(...resolved: string[][]) {
  answers.splice(0, answers.length, ...resolved);
  const sender = createWebhookSender({
    allow: ['127.0.0.0/8'],
    timeout: 10_000,
    secrets: parseWebhookSecrets(createWebhookSecret()),
    userAgent: 'sd-gateway',
  });
  const delivery: Delivery = {
    messageId: '01890a5d-ac96-774b-bcce-b302099a8057',
    session: 'alice',
    seq: 1,
    url: `http://rebinds.example:${to.port}/`,
    webhookId: 'msg_01890a5d',
    text: 'hello',
    metadata: {},
    collected: [],
    notice: null,
    replyText: 'x',
    replyMetadata: {},
    repliedAt: 0,
    dueSince: 0,
    attempt: 1,
    idempotent: true,
    owner: 'owner',
  };
  try {
    return [
      await sender.send(delivery, new AbortController().signal),
      await sender.send(delivery, new AbortController().signal),
    ];
  } finally {
    await sender.close();
  }
}

test('a name is asked for once for each connection, which is made to what was judged', async () => {
  expect(await post(['127.0.0.1'], ['127.0.0.1'])).toEqual([{ kind: 'delivered' }, { kind: 'delivered' }]);
  expect(answers).toEqual([]);
});

test.each(['10.0.0.7', '::1', '::ffff:10.0.0.7', '64:ff9b::10.0.0.7', '2002:a00:7::', 'fd00::7', '::'])(
  'a name that says %s the second time is refused then',
  async (address) => {
    const [first, second] = await post(['127.0.0.1'], [address]);
    expect(first).toEqual({ kind: 'delivered' });
    expect(second).toMatchObject({ kind: 'dead', reason: expect.stringContaining('rebinds.example is ') });
    expect(to.received).toHaveLength(1);
  },
);

test('a name is asked for once at a time, so that one whose servers are silent takes no thread from the others', async () => {
  answers.splice(0, answers.length, ['127.0.0.1'], ['10.0.0.7'], ['127.0.0.1']);
  const lookup = judgedLookup([parseRange('127.0.0.0/8')]);
  const ask = (name: string) =>
    new Promise((resolve) => {
      lookup(name, { all: true }, (error, found) => resolve(error?.message ?? found));
    });
  const [first, second, other] = await Promise.all([ask('a.example'), ask('a.example'), ask('b.example')]);
  expect(first).toEqual([{ address: '127.0.0.1', family: 4 }]);
  expect(second).toEqual(first);
  expect(other).toContain('b.example is 10.0.0.7');
  expect(answers).toHaveLength(1);
  expect(await ask('a.example')).toEqual(first);
});

test('names whose servers were silent are asked for four at a time, and as any other once they answer', async () => {
  const lookup = judgedLookup([parseRange('127.0.0.0/8')]);
  const names = Array.from({ length: 7 }, (_, index) => `${index}.silent`);
  const ask = (name: string) =>
    new Promise((resolve) => {
      lookup(name, { all: true }, (error, found) => resolve(error?.message ?? found));
    });
  const asked = () => silent.map(({ name }) => name);
  const end = (error: Error | null) => silent.shift()?.end(error);
  const unanswered = Object.assign(new Error('no server has answered'), { code: 'EAI_AGAIN' });

  const first = names.map(ask);
  expect(asked()).toEqual(names);
  while (silent.length > 0) end(unanswered);
  expect(await Promise.all(first)).toEqual(names.map(() => 'no server has answered'));

  const second = names.map(ask);
  const other = ask('other.silent');
  await vi.waitFor(() => expect(asked()).toEqual(['other.silent', ...names.slice(0, 4)]));
  end(null);
  expect(await other).toEqual([{ address: '127.0.0.1', family: 4 }]);
  end(unanswered);
  await vi.waitFor(() => expect(asked()).toEqual(names.slice(1, 5)));
  while (silent.length > 0) {
    end(null);
    await new Promise(setImmediate);
  }
  expect((await Promise.all(second)).slice(1)).toEqual(
    names.slice(1).map(() => [{ address: '127.0.0.1', family: 4 }]),
  );

  const third = names.map(ask);
  // The first one alone was silent the last time.
  await vi.waitFor(() => expect(asked()).toEqual(expect.arrayContaining(names)));
  while (silent.length > 0) end(null);
  await Promise.all(third);
});

test('a name with one address that is refused is refused, whatever the others are', async () => {
  const outcomes = await post(['127.0.0.1', '10.0.0.7'], ['fd00::7', '127.0.0.1']);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['dead', 'dead']);
  expect(to.received).toEqual([]);
});
