import { type ChildProcess, spawn } from 'node:child_process';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import type { ReplyPart } from '../../../../src/channels/reply-sender.js';
import {
  createWebhookSecret,
  parseWebhookSecrets,
} from '../../../../src/gateway/delivery/webhook/webhook-request.js';
import { createWebhookSender } from '../../../../src/gateway/delivery/webhook/webhook-sender.js';
import type { Delivery } from '../../../../src/store/deliveries.js';
import { webhookTarget } from '../../../../src/store/messages.js';

const addresses: LookupAddress[] = [];
vi.mock('node:dns', async (original) => ({
  ...(await original<typeof import('node:dns')>()),
  lookup: (
    _name: string,
    _options: object,
    callback: (error: Error | null, found: readonly LookupAddress[]) => void,
  ) => setImmediate(() => callback(null, addresses)),
}));

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  addresses.length = 0;
});

/** An address whose backlog is full, so that the kernel drops each SYN, until `open` is called. */
async function fullBacklog(host: string, port: number) {
  const program = new URL('./full-backlog.py', import.meta.url).pathname;
  const child = spawn('python3', [program, host, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = await once(child.stdout, 'data');
  addresses.push({ address: host, family: 4 });
  return { port: Number(line), open: () => child.stdin.write('\n') };
}

async function post(port: number) {
  const sender = createWebhookSender({
    allow: ['127.0.0.0/8'],
    timeout: 10_000,
    secrets: parseWebhookSecrets(createWebhookSecret()),
    userAgent: 'sd-gateway',
  });
  const delivery = {
    target: webhookTarget(`http://two.example:${port}/`),
    webhookId: 'msg_1',
    metadata: {},
    idempotent: true,
  } as Delivery;
  const part: ReplyPart = { delivery, number: 1, text: '{}' };
  try {
    return await sender.send(part, new AbortController().signal);
  } finally {
    await sender.close();
  }
}

test('an address that takes no connection leaves the next one its time', async () => {
  const { port } = await fullBacklog('127.0.0.2', 0);
  const { open } = await fullBacklog('127.0.0.3', port);
  open();
  expect(await post(port)).toEqual({ kind: 'delivered', receipt: null });
});

test('an address that is slow to take a connection has its time, where the next one takes none', async () => {
  const { port, open } = await fullBacklog('127.0.0.2', 0);
  await fullBacklog('127.0.0.3', port);
  const outcome = post(port);
  // Longer than Node.js gives each address, shorter than the kernel needs to send its SYN again.
  setTimeout(open, 500);
  expect(await outcome).toEqual({ kind: 'delivered', receipt: null });
});
