import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createChannel } from '../../../src/channels/create-channel.js';
import { type HookAnswer, Hooks } from '../../../src/channels/hooks.js';
import type { WebhookChannel } from '../../../src/channels/webhook-in/webhook-channel.js';
import type { Store } from '../../../src/store/store.js';
import { StoreError } from '../../../src/store/store-error.js';
import type { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { type ManualClock, openStore } from '../../gateway/dispatch/fixture.js';
import { ChannelBench, channelTable } from '../../support/channel-bench.js';
import { type Served, serve } from '../http/http-fixture.js';

const secret = '0123456789abcdef0123456789abcdef';

let directory: string;
let secretFile: string;
let store: Store;
let dispose: () => Promise<void>;
const hooks = new Hooks();
let bench: ChannelBench;
let name: string;
let log: RecordingLog;
let clock: ManualClock;
let storeFailures: Error[];
let end: AbortController;
let channel: WebhookChannel;

beforeAll(async () => {
  ({ directory, store, dispose } = await openStore());
});
afterAll(() => dispose());

beforeEach(() => {
  bench = new ChannelBench('hub', store);
  ({ name, log, clock, storeFailures } = bench);
  secretFile = join(directory, `${name}.secret`);
  writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
});
afterEach(async () => {
  end.abort();
  await channel.close();
});

async function made(keys: object = {}): Promise<WebhookChannel> {
  end = new AbortController();
  const table = { type: 'webhook', scheme: 'github', token_file: secretFile, ...keys } as const;
  const context = bench.context({
    name,
    attachmentLimits: () => ({ count: 1, fileBytes: 40_000, totalBytes: 40_000 }),
    limits: { session: 3, total: 100_000 },
    hooks,
    publicUrl: () => null,
    signal: end.signal,
  });
  channel = (await createChannel(channelTable(name, table), context)) as WebhookChannel;
  return channel;
}

async function started(keys: object = {}): Promise<void> {
  await (await made(keys)).start();
}

function signed(body: string, key = secret): string {
  return `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
}

interface Delivery {
  readonly id?: string;
  readonly event?: string;
  readonly signature?: string;
  readonly payload?: unknown;
  readonly traceparent?: string;
}

/** What the HTTP server does with a request. */
async function deliver({
  id = 'd1',
  event = 'issues',
  signature,
  payload = opened,
  traceparent,
}: Delivery = {}): Promise<HookAnswer> {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const headers = {
    'content-type': 'application/json',
    'x-github-event': event,
    'x-github-delivery': id,
    'x-hub-signature-256': signature ?? signed(body),
    ...(traceparent !== undefined && { traceparent }),
  };
  const hook = hooks.of(name);
  if (hook === null) throw new Error('Nobody takes requests.');
  const refusal = hook.check?.(headers, '203.0.113.7') ?? null;
  return refusal ?? hook.handle({ headers, body: Buffer.from(body), client: '203.0.113.7' });
}

const opened = {
  action: 'opened',
  repository: { full_name: 'ada/engine' },
  issue: { number: 7, title: 'It grinds' },
};

const issues = {
  message: '{repository.full_name}: {action} #{issue.number} {issue.title}',
  conversation: '{repository.full_name}',
};

async function messages(conversation: string) {
  return (await store.sessionMessages(`${name}:${conversation}`, { limit: 10, after: null }))?.items ?? [];
}

describe('a webhook', () => {
  it('becomes a message, as the table says', async () => {
    await started({ ...issues, reply_to: { channel: 'webhook', to: 'https://example.org/replies' } });
    expect(channel.health().state).toBe('up');
    const answer = await deliver();
    const [message] = await messages('ada~2Fengine');
    expect(answer).toEqual({ outcome: 'taken', body: { state: 'accepted', message_id: message?.id } });
    expect(message).toMatchObject({
      text: 'ada/engine: opened #7 It grinds',
      state: 'queued',
      channel: name,
      sender: null,
      metadata: { event: 'issues.opened', delivery_id: 'd1' },
      replyTo: { channel: 'webhook', address: 'https://example.org/replies', options: {} },
    });
  });

  it('keeps the trace that it is part of', async () => {
    await started(issues);
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await deliver({ traceparent });
    await deliver({ id: 'd2', traceparent: 'nonsense' });
    expect((await messages('ada~2Fengine')).map(({ metadata }) => metadata)).toEqual([
      { event: 'issues.opened', delivery_id: 'd1', traceparent },
      { event: 'issues.opened', delivery_id: 'd2' },
    ]);
  });

  it('that comes again is acknowledged again, and is no second message', async () => {
    await started(issues);
    const first = await deliver();
    const again = await deliver();
    expect(again).toEqual({
      outcome: 'taken',
      body: { ...(first as { body: object }).body, state: 'repeated' },
    });
    await deliver({ id: 'd2' });
    expect(await messages('ada~2Fengine')).toHaveLength(2);
  });

  it('has its type and all of its payload as text where the table says nothing', async () => {
    await started();
    await deliver();
    expect((await messages('events')).map(({ text, replyTo }) => ({ text, replyTo }))).toEqual([
      { text: `issues.opened\n${JSON.stringify(opened)}`, replyTo: null },
    ]);
  });

  it.each([
    [['push'], 'issues', 'ignored'],
    [['issues'], 'issues', 'accepted'],
    [['issues.opened'], 'issues', 'accepted'],
    [['issues.closed'], 'issues', 'ignored'],
    [[], 'ping', 'ignored'],
    [['ping'], 'ping', 'accepted'],
  ])('is wanted by %j or not: %s is %s', async (only, event, state) => {
    await started({ only });
    const payload = event === 'ping' ? { zen: 'Design for failure.' } : opened;
    expect(await deliver({ event, payload })).toMatchObject({ outcome: 'taken', body: { state } });
    expect(await messages('events')).toHaveLength(state === 'accepted' ? 1 : 0);
  });

  it('never makes a message without text or conversation', async () => {
    await started({ message: '{nothing}', conversation: ' {nothing}' });
    await deliver();
    await deliver({ id: 'd2', event: '', payload: {} });
    expect((await messages('events')).map(({ text }) => text)).toEqual(['issues.opened', 'event']);
  });

  it('is kept as it came if it is no JSON, with a record', async () => {
    await started({ ...issues, only: ['push'] });
    const body = `{"a": \0 ${'x'.repeat(70_000)}`;
    expect(await deliver({ payload: body })).toMatchObject({ body: { state: 'accepted' } });
    const [message] = await messages('events');
    expect(message?.text).toBe(`{"a": \ufffd ${'x'.repeat(65_536 - 8)}`);
    expect(log.records.map(({ message }) => message)).toEqual([
      `A request to the channel ${name} with the right signature is no JSON: d1. It is kept as it came.`,
    ]);
  });

  it('is acknowledged once too many wait, and kept as dead', async () => {
    await started();
    for (const id of ['a', 'b', 'c']) await deliver({ id });
    expect(await deliver({ id: 'd' })).toEqual({ outcome: 'taken', body: { state: 'dead' } });
    expect((await messages('events')).map(({ state }) => state)).toEqual([
      'queued',
      'queued',
      'queued',
      'dead',
    ]);
    expect(log.records.at(-1)?.message).toContain('was set aside as dead: 3 wait already');
  });

  it('is not acknowledged while the store does not take it, and leaves no file', async () => {
    await started({ payload: 'attachment' });
    storeFailures.push(new StoreError('full', 'There is no room.'));
    await expect(deliver()).rejects.toThrow(StoreError);
    expect(await messages('events')).toEqual([]);
    expect(await deliver()).toMatchObject({ body: { state: 'accepted' } });
  });

  it('is taken while the gateway stops', async () => {
    await started();
    channel.stopAccepting();
    expect(await deliver()).toMatchObject({ body: { state: 'accepted' } });
  });
});

describe('the payload', () => {
  it('is metadata if it fits', async () => {
    await started({ payload: 'metadata' });
    await deliver();
    const [message] = await messages('events');
    expect(message?.metadata).toEqual({ event: 'issues.opened', delivery_id: 'd1', payload: opened });
    expect(message?.attachments ?? []).toEqual([]);
  });

  it.each([
    ['too large', `{"a": "${'x'.repeat(20_000)}"}`],
    ['too deep', `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`],
    ['beyond double precision', '{"a": 1e400}'],
    ['with U+0000', '{"a": "\\u0000"}'],
    ['with a member __proto__', '{"__proto__": 1}'],
  ])('is a file if it is %s', async (_name, payload) => {
    await started({ payload: 'metadata' });
    await deliver({ payload });
    const [message] = await messages('events');
    expect(message?.metadata).toEqual({ event: 'issues', delivery_id: 'd1' });
    expect(message?.attachments).toMatchObject([
      { name: 'payload.json', mediaType: 'application/json', sizeBytes: payload.length },
    ]);
  });

  it('is a file if the table says so, byte for byte', async () => {
    await started({ payload: 'attachment' });
    const payload = '{"a":\r\n 1}';
    await deliver({ payload });
    const [file] = (await messages('events'))[0]?.attachments ?? [];
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await store.openBlob(file?.id ?? '')) ?? []) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe(payload);
  });

  it('is left out beyond the limits of files, with a record', async () => {
    await started({ payload: 'attachment', message: '{action|none}' });
    await deliver({ payload: `{"a": "${'x'.repeat(40_000)}"}` });
    const [message] = await messages('events');
    expect(message).toMatchObject({ text: 'none', state: 'queued' });
    expect(message?.attachments ?? []).toEqual([]);
    expect(log.records[0]?.message).toContain('has no payload: its file is larger than 40000 bytes');
  });
});

describe('a request that is not from the platform', () => {
  it('is refused, with one record a minute, and loses nothing that is good', async () => {
    await started();
    for (const signature of [
      '',
      'sha256=00',
      signed('other'),
      signed(JSON.stringify(opened), 'x'.repeat(32)),
    ]) {
      expect(await deliver({ signature })).toEqual({
        outcome: 'unauthorized',
        detail: 'The signature is missing or wrong.',
      });
    }
    expect(await deliver()).toMatchObject({ body: { state: 'accepted' } });
    expect(log.records.map(({ message }) => message)).toEqual([
      `Refused a request to the channel ${name}, the last from 203.0.113.7: it has no signature of the scheme github. If the platform has sent it, give both sides the same secret (channels.${name}.token_file).`,
    ]);
    clock.advance(60_000);
    await deliver({ signature: signed('other') });
    expect(log.records.at(-1)?.message).toMatch(
      /it has a wrong signature .* \(3 more since the last record\)$/,
    );
    expect(JSON.stringify(log.records)).not.toContain(secret);
    expect(await messages('events')).toHaveLength(1);
  });

  it('is told by its old time, if the signature is right', async () => {
    const key = Buffer.alloc(32, 7);
    writeFileSync(secretFile, `whsec_${key.toString('base64')}`);
    await started({ scheme: 'standard-webhooks' });
    const at = (seconds: number) => {
      const body = Buffer.from('{"type":"a"}');
      const mac = createHmac('sha256', key).update(`msg_1.${seconds}.`).update(body).digest('base64');
      const headers = {
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(seconds),
        'webhook-signature': `v1,${mac}`,
      };
      return hooks.of(name)?.handle({ headers, body, client: null });
    };
    const now = clock.now() / 1_000;
    expect(await at(now - 301)).toMatchObject({ outcome: 'unauthorized' });
    expect(log.records[0]?.message).toMatch(/from a Unix socket: its signature is right, and its time/);
    expect(await at(now - 299)).toMatchObject({ body: { state: 'accepted' } });
  });
});

describe('the secret', () => {
  it('may change in its file, from one to two to the other, without a reload', async () => {
    await started();
    const next = 'fedcba9876543210fedcba9876543210';
    const outcomeOf = async (id: string, key: string) =>
      (await deliver({ id, signature: signed(JSON.stringify(opened), key) })).outcome;
    writeFileSync(secretFile, `${next}\n${secret}`);
    expect(await outcomeOf('a', next)).toBe('unauthorized');
    clock.advance(1_000);
    expect([await outcomeOf('b', next), await outcomeOf('c', secret)]).toEqual(['taken', 'taken']);
    writeFileSync(secretFile, next);
    clock.advance(1_000);
    expect([await outcomeOf('d', next), await outcomeOf('e', secret)]).toEqual(['taken', 'unauthorized']);
  });

  it('that was read counts on while its file can’t be read, with a record', async () => {
    await started();
    writeFileSync(secretFile, '');
    clock.advance(1_000);
    expect((await deliver()).outcome).toBe('taken');
    expect(log.records[0]?.message).toContain(`${secretFile} (channels.${name}.token_file) is empty`);
  });

  it.each([
    ['that others can read', () => chmodSync(secretFile, 0o644), 'can be read by others: run chmod 600'],
    ['that is not there', () => rmSync(secretFile), "can't be read: ENOENT"],
    ['that is too short', () => writeFileSync(secretFile, 'short'), 'must have 16 characters at least'],
  ])('%s keeps the channel from starting, and says so', async (_name, spoil, reason) => {
    spoil();
    await made();
    await expect(channel.start()).rejects.toThrow(reason);
    expect(hooks.of(name)).toBeNull();
  });
});

describe('over HTTP', () => {
  let served: Served;
  beforeAll(async () => {
    served = await serve({ channel: { hooks }, settings: { channelNames: ['hub', 'github', 'stripe'] } });
  });
  afterAll(() => served.dispose());

  it('a signed request gets its 200, a forged one its 401, and a closed channel is 503', async () => {
    name = 'hub';
    await started(issues);
    const post = (body: string, signature: string) =>
      fetch(`${served.base}/hooks/${name}`, {
        method: 'POST',
        headers: { 'x-github-event': 'push', 'x-github-delivery': 'd1', 'x-hub-signature-256': signature },
        body,
      });
    expect((await post('{}', signed('{}'))).status).toBe(200);
    expect((await post('{}', signed('{ }'))).status).toBe(401);
    end.abort();
    await channel.close();
    expect((await post('{}', signed('{}'))).status).toBe(503);
    expect(channel.health().state).toBe('closed');
  });

  it.each(['github', 'stripe'])('the lines of the documentation are what %s sends', async (scheme) => {
    name = scheme;
    clock.advance(Date.now() - clock.now());
    await started({ scheme });
    const guide = readFileSync(new URL('../../../docs/channels/webhooks.md', import.meta.url), 'utf8');
    const [block = ''] = [...guide.matchAll(/```sh\n(BODY=[^`]*?)```/g)]
      .map(([, text = '']) => text)
      .filter((text) => text.includes(`/hooks/${scheme}"`));
    const child = execFile('sh', ['-ec', block], {
      env: { PATH: process.env['PATH'], URL: served.base, SECRET: secret },
    });
    let answer = '';
    child.stdout?.on('data', (text: string) => {
      answer += text;
    });
    await once(child, 'close');
    expect(answer).toMatch(/^HTTP\/1.1 200 .*"state":"accepted"/s);
    expect(await messages('events')).toHaveLength(1);
  });
});
