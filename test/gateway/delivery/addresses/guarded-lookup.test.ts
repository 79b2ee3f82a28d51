import type { LookupAddress } from 'node:dns';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  createWebhookSecret,
  parseWebhookSecrets,
} from '../../../../src/gateway/delivery/webhook/webhook-request.js';
import { createWebhookSender } from '../../../../src/gateway/delivery/webhook/webhook-sender.js';
import type { Delivery } from '../../../../src/store/deliveries.js';
import { webhookTarget } from '../../../../src/store/messages.js';
import { Receiver, status } from '../receiver.js';

/** Answers of the resolver, one for each time that it is asked. */
const answers: string[][] = [];
vi.mock('node:dns', async (original) => ({
  ...(await original<typeof import('node:dns')>()),
  lookup: (
    _name: string,
    _options: object,
    callback: (error: Error | null, found: LookupAddress[]) => void,
  ) => {
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
    target: webhookTarget(`http://rebinds.example:${to.port}/`),
    parts: [],
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
    unknownPolicy: null,
    owner: 'owner',
    epoch: 1,
  };
  const [part] = sender.partsOf(delivery);
  if (part === undefined) throw new Error('unreachable');
  try {
    return [
      await sender.send(part, new AbortController().signal),
      await sender.send(part, new AbortController().signal),
    ];
  } finally {
    await sender.close();
  }
}

test('a name is asked for once for each connection, which is made to what was judged', async () => {
  expect(await post(['127.0.0.1'], ['127.0.0.1'])).toEqual([
    { kind: 'delivered', receipt: null },
    { kind: 'delivered', receipt: null },
  ]);
  expect(answers).toEqual([]);
});

test.each([
  '0.0.0.0',
  '10.0.0.7',
  '::1',
  '::ffff:10.0.0.7',
  '64:ff9b::10.0.0.7',
  '2002:a00:7::',
  'fd00::7',
  '::',
])('a name that says %s the second time is refused then', async (address) => {
  const [first, second] = await post(['127.0.0.1'], [address]);
  expect(first).toEqual({ kind: 'delivered', receipt: null });
  // A name server that is restarted may say so once.
  expect(second).toMatchObject({ kind: 'retry', isRefusal: true, peer: 'unasked', inDoubt: false });
  const reason = second?.kind === 'retry' ? second.reason : '';
  expect(reason).toMatch(/rebinds\.example resolves to .*delivery\.allow/);
  expect(reason).not.toContain(address);
  expect(to.received).toHaveLength(1);
});

test('a name with one address that is refused is refused, whatever the others are', async () => {
  const outcomes = await post(['127.0.0.1', '10.0.0.7'], ['fd00::7', '127.0.0.1']);
  expect(outcomes).toMatchObject([{ isRefusal: true }, { isRefusal: true }]);
  expect(to.received).toEqual([]);
});
