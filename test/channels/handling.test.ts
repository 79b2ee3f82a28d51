import { afterEach, expect, it } from 'vitest';
import { type Served, serve } from './http-fixture.js';

let served: Served;
afterEach(() => served.dispose());

it('tells since when the oldest request is being handled; one that asked to wait is none', async () => {
  let answer = () => {};
  let asked = () => {};
  const reached = new Promise<void>((resolve) => {
    asked = resolve;
  });
  served = await serve({
    over: {
      accept: () =>
        new Promise((resolve) => {
          answer = () => resolve({ outcome: 'conflict', messageId: 'another' });
          asked();
        }),
    },
  });
  const { store, channel } = served;
  const accepted = await store.accept(
    {
      id: '0190d1a0-0000-7000-8000-000000000001',
      session: 'chat',
      text: 'waits',
      metadata: {},
      replyUrl: null,
      idempotencyKey: null,
      fingerprint: new Uint8Array(0),
      channel: 'test',
      acceptedAt: Date.now(),
    },
    { session: 10, total: 10 },
  );
  if (accepted.outcome !== 'accepted') throw new Error(accepted.outcome);

  const waiting = served.get(`/v1/messages/${accepted.message.id}?wait=30`);
  const before = performance.now();
  const posting = served.post('chat', { text: 'held' });
  await reached;
  expect(channel.facts().pendingSince).toBeGreaterThanOrEqual(before);
  answer();
  expect((await posting).status).toBe(409);
  expect(channel.facts().pendingSince).toBeNull();
  expect(channel.facts().waiting).toBe(1);
  await served.reply('done');
  expect((await waiting).status).toBe(200);
});
