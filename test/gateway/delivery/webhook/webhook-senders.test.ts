import { expect, test, vi } from 'vitest';
import { createLazyWebhookSender } from '../../../../src/gateway/delivery/webhook/webhook-senders.js';
import type { Delivery } from '../../../../src/store/deliveries.js';

const options = { allow: [], timeout: 1_000, secrets: [], userAgent: 'test' };
const { signal } = new AbortController();
const part = { delivery: {} as Delivery, number: 1, text: '{}' };

test('a client that can’t be loaded is loaded for the next reply, and the host of this one is not blamed', async () => {
  const send = vi.fn(async () => ({ kind: 'delivered', receipt: null }) as const);
  const close = vi.fn(async () => undefined);
  const load = vi
    .fn()
    .mockRejectedValueOnce(new Error('EMFILE: too many open files'))
    .mockRejectedValueOnce(new Error('EMFILE: too many open files'))
    .mockResolvedValue({ createWebhookSender: () => ({ send, close }) });
  const sender = createLazyWebhookSender(options, load);
  await expect(sender.prepare()).rejects.toThrow('EMFILE');
  await sender.close();
  expect(await sender.send(part, signal)).toEqual({
    kind: 'retry',
    reason: 'the gateway could not load its HTTP client: EMFILE: too many open files',
    retryAfterMilliseconds: null,
    pausesHost: false,
    isRefusal: false,
    peer: 'unasked',
    inDoubt: false,
  });
  expect(await sender.send(part, signal)).toEqual({ kind: 'delivered', receipt: null });
  expect(await sender.send(part, signal)).toEqual({ kind: 'delivered', receipt: null });
  expect(load).toHaveBeenCalledTimes(3);
  await sender.close();
  expect(close).toHaveBeenCalledTimes(1);
});

test('one whose loading is under way while it closes rejects nothing', async () => {
  let fail: (error: Error) => void = () => undefined;
  const loading = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  const sender = createLazyWebhookSender(options, () => loading);
  const prepared = sender.prepare();
  const closed = sender.close();
  fail(new Error('EMFILE'));
  await expect(prepared).rejects.toThrow('EMFILE');
  await closed;
});
