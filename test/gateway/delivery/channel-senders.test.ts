import { expect, test } from 'vitest';
import type { ReplySender } from '../../../src/channels/reply-sender.js';
import { senderByChannel } from '../../../src/gateway/delivery/channel-senders.js';
import type { Delivery } from '../../../src/store/deliveries.js';

const own: ReplySender = {
  schedule: [1],
  destinationOf: ({ target }) => target.address,
  partsOf: () => [],
  send: async () => ({ kind: 'delivered', receipt: null }),
  close: async () => undefined,
};
const to = (channel: string) => ({ target: { channel, address: '1', options: {} } }) as Delivery;
const senderOf = (name: string) => (name === 'tg' ? own : null);

test('a reply goes by the channel of its target', () => {
  expect(senderByChannel(to('tg'), senderOf)).toBe(own);
  expect(senderByChannel(to('webhook'), senderOf)).toBeNull();
});

test('a reply waits for its channel, and says so', async () => {
  const absent = senderByChannel(to('matrix'), senderOf);
  const [part] = absent?.partsOf(to('matrix')) ?? [];
  if (part === undefined) throw new Error('There is no part.');
  expect(await absent?.send(part, new AbortController().signal)).toMatchObject({
    kind: 'retry',
    peer: 'unasked',
    inDoubt: false,
    reason: 'the channel matrix does not run, or is not configured',
  });
});
