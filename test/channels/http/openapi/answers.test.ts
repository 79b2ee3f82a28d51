import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TurnCallbacks } from '../../../../src/agents/http/turn-callbacks.js';
import { Hooks } from '../../../../src/channels/hooks.js';
import { FileFetchError } from '../../../../src/channels/http/attachments/url-files.js';
import { operations } from '../../../../src/channels/http/openapi/document.js';
import type { ReadyFacts } from '../../../../src/channels/http/openapi/health.js';
import type { AllowedPerson, ForgetOutcome } from '../../../../src/channels/surroundings.js';
import { webhookBody } from '../../../../src/gateway/delivery/webhook/webhook-request.js';
import { memoryRecords } from '../../../support/memory-records.js';
import { eventsOf } from '../../../support/openapi/answer-check.js';
import { type Served, serve } from '../http-fixture.js';
import { CheckedCalls } from './checked-calls.js';

const turn = 'turn_0193a1b2c3d47e8f9a0b1c2d3e4f5a6b';
const unknown = '01a208d4-6fa1-7405-ae6c-4a944ef783dc';

const person: AllowedPerson = {
  channel: 'tg',
  id: 'eve',
  name: null,
  role: 'user',
  isConfigured: false,
  since: 0,
};

const facts: ReadyFacts = {
  state: 'ready',
  stalled: [],
  trouble: null,
  parts: [{ name: 'dispatcher', pendingFor: 0, stalled: false }],
  connections: { open: 1, bound: 10, withoutToken: 0, withoutTokenBound: 5, reached: false },
  waitingHosts: 0,
  agents: [{ name: 'default', state: 'held', failures: 2 }],
  channels: [{ name: 'irc', state: 'up', required: true }],
};

const forgotten = new Map<string, ForgetOutcome>([
  ['several', { outcome: 'ambiguous', channels: ['a', 'b'] }],
  [
    'eve',
    { outcome: 'forgotten', channel: 'tg', deleted: ['tg:eve'], kept: [], busy: [], mayStillWrite: false },
  ],
]);

let served: Served;
let callbacks: TurnCallbacks;
const hooks = new Hooks();

beforeAll(async () => {
  const attachmentLimits = () => ({ count: 1, fileBytes: 10, totalBytes: 10 });
  callbacks = new TurnCallbacks(memoryRecords(), { attachmentLimits });
  served = await serve({
    settings: { channelNames: ['github', 'irc'], queue: { session: 2, total: 10_000 } },
    channel: {
      hooks,
      turnReplies: callbacks,
      readiness: () => ({ ready: true, facts: { ...facts } as never }),
      fetchFile: async () => {
        throw new FileFetchError('is not there');
      },
      people: {
        list: async () => ({
          allowed: [person],
          waiting: [{ channel: 'tg', id: 'bob', name: 'Bob', askedAt: 0, expiresAt: 3_600_000 }],
        }),
        accept: async (code) => (code === 'AAAA-BBBB' ? person : null),
        forget: async (id) => forgotten.get(id) ?? { outcome: 'unknown' },
      },
    },
  });
  hooks.serve(
    'github',
    {
      limitBytes: 1_000,
      handle: async ({ body }) => {
        const said = body.toString();
        if (said === 'bad') return { outcome: 'malformed', detail: 'It can’t be read.' };
        return said === 'wrong'
          ? { outcome: 'unauthorized', detail: 'No.' }
          : { outcome: 'taken', body: { a: 1 } };
      },
    },
    new AbortController().signal,
  );
});
afterAll(() => served.dispose());

/** So that the next claim is of a message of the next test. */
afterEach(async () => {
  const { items } = await served.store.sessions({ limit: 100, after: null });
  for (const { session } of items) await served.store.cancelSession(session);
});
const calls = new CheckedCalls(() => served);
const { check } = calls;
const call: CheckedCalls['call'] = (...parameters) => calls.call(...parameters);

const post = async (session: string, body: object = { text: 'hello' }): Promise<string> =>
  (await call(202, 'POST', `/v1/sessions/${session}/messages`, { body })).id;

async function dead(session: string): Promise<string> {
  const id = await post(session);
  await served.store.failTurn(await served.claim(), 'exit status 3', null);
  return id;
}

function form(message: unknown, ...files: readonly (readonly [string, string])[]): FormData {
  const parts = new FormData();
  parts.set('message', JSON.stringify(message));
  for (const [name, content] of files) parts.append('file', new File([content], name));
  return parts;
}

describe('messages', () => {
  it('are posted, also with files and under a key', async () => {
    const path = '/v1/sessions/posts/messages';
    const headers = { 'idempotency-key': 'a' };
    await call(202, 'POST', path, { body: { text: 'hello', sender: 'ada', metadata: { a: 1 } }, headers });
    await call(202, 'POST', path, { body: { text: 'hello', sender: 'ada', metadata: { a: 1 } }, headers });
    await call(409, 'POST', path, { body: { text: 'other' }, headers });
    await call(202, 'POST', path, { body: form({ text: '' }, ['a.txt', 'hello']) });
    await call(429, 'POST', path, { body: { text: 'hello' } });
    const wrong = '/v1/sessions/wrong/messages';
    const attachments = [{ url: 'https://example.org/a' }];
    await call(422, 'POST', wrong, { body: { text: 'a', attachments } });
    await call(422, 'POST', wrong, { body: { text: 'a', reply_to: { channel: 'x', to: 'y' } } });
    await call(422, 'POST', wrong, { body: form({ text: 'a' }, ...Array(4).fill(['a', 'b'])) });
    await call(413, 'POST', wrong, { body: form({ text: 'a' }, ['a', 'b'.repeat(1_100_000)]) });
    await call(400, 'POST', wrong, { body: 'x', headers: { 'content-type': 'multipart/form-data' } });
  });

  it('are read in each state', async () => {
    const id = await post('states', {
      text: 'hello',
      reply_to: { url: 'https://example.org/', idempotent: false, unknown: 'ask' },
    });
    await call(200, 'GET', `/v1/messages/${id}`);
    await call(200, 'GET', `/v1/messages/${id}?wait=0.01`);
    const claimed = await served.claim();
    await call(200, 'GET', `/v1/messages/${id}`);
    await served.store.completeTurn(claimed, {
      text: 'hi',
      metadata: { a: 1 },
      usage: { inputTokens: 1, outputTokens: 2 },
    });
    expect(await call(200, 'GET', `/v1/messages/${id}`)).toMatchObject({ reply: { text: 'hi' } });
    const [delivery] = await served.store.claimDeliveries({ owner: 'test', limit: 9, leaseMs: 60_000 });
    if (delivery === undefined) throw new Error('Nothing is to be delivered.');
    await served.store.completeDelivery(delivery);
    await call(200, 'GET', `/v1/messages/${id}`);
    await call(200, 'GET', `/v1/messages/${await dead('states')}`);
    await call(404, 'GET', `/v1/messages/${unknown}`);
    await call(400, 'GET', `/v1/messages/${id}?wait=1&stream=true`);
  });

  it('are followed', async () => {
    const id = await post('follow');
    const path = '/v1/sessions/follow/events';
    const one = call(200, 'GET', `/v1/messages/${id}?stream=true`, { until: 'event: message' });
    const all = call(200, 'GET', path, { until: 'event: message', headers: { 'last-event-id': '0' } });
    while (served.channel.facts().streams < 2) await new Promise((resolve) => setImmediate(resolve));
    const claimed = await served.claim();
    served.events.emit(id, 'follow', 'running');
    for (const [position, text] of ['a', '', 'b'].entries())
      served.events.emitProgress(id, 'follow', { type: 'delta', position: position + 1, text });
    served.events.emitProgress(id, 'follow', { type: 'status', text: 'reads' });
    const asked = {
      code: 'AAAA',
      session: 'follow',
      messageId: id,
      attempt: 1,
      agent: 'default',
      kind: 'execute',
      title: 'ls',
      input: null,
      inputIsCut: false,
      options: [{ name: 'Allow', effect: 'allow' }],
      askedAt: 0,
      expiresAt: 1,
      state: 'open',
      author: null,
    } as const;
    served.events.emitProgress(id, 'follow', { type: 'question', question: asked });
    await served.complete(claimed, 'ab');
    const names = (stream: string) => new Set(eventsOf(stream).map(({ event }) => event));
    expect(names(await all)).toEqual(
      new Set(['begin', 'state', 'delta', 'restart', 'status', 'question', 'message']),
    );
    expect(names(await one)).toEqual(new Set(['state', 'delta', 'restart', 'status', 'question', 'message']));
    const reset = await call(200, 'GET', path, { until: 'event: reset', headers: { 'last-event-id': '99' } });
    expect(names(reset)).toContain('reset');
    const head = await calls.request('HEAD', path);
    expect(head.status).toBe(405);
  });

  it('have files to be downloaded', async () => {
    const id = (
      await call(202, 'POST', '/v1/sessions/files/messages', {
        body: form({ text: 'a' }, ['a.txt', 'hello']),
      })
    ).id;
    await call(200, 'GET', `/v1/messages/${id}`);
    const claimed = await served.claim();
    const blob = await served.store.putBlob([Buffer.from('hi')], 100);
    if (blob === null) throw new Error('It is longer than 100 bytes.');
    await served.store.completeTurn(claimed, {
      text: '',
      metadata: {},
      attachments: [{ ...blob, name: 'b.txt', mediaType: 'text/plain' }],
    });
    for (const path of [`/v1/messages/${id}/attachments`, `/v1/messages/${id}/reply/attachments`]) {
      for (const method of ['GET', 'HEAD'] as const) {
        await call(200, method, `${path}/1`);
        await call(404, method, `${path}/2`);
      }
    }
    await call(200, 'GET', '/v1/sessions/files/messages');
  });
});

describe('sessions', () => {
  it('are listed, looked at and set', async () => {
    await post('set');
    await call(200, 'GET', '/v1/sessions?limit=1');
    await call(200, 'GET', '/v1/sessions/set');
    await call(404, 'GET', '/v1/sessions/nobody');
    await call(200, 'GET', '/v1/sessions/set/messages');
    await call(404, 'GET', '/v1/sessions/nobody/messages');
    await call(200, 'PUT', '/v1/sessions/set/policy', { body: { policy: 'collect' } });
    await call(200, 'PUT', '/v1/sessions/set/agent', { body: { agent: 'fast' } });
    await call(422, 'PUT', '/v1/sessions/set/agent', { body: { agent: 'nobody' } });
    await call(200, 'GET', '/v1/sessions/set/route?sender=ada');
    await served.reply('hi');
    await call(200, 'GET', '/v1/sessions/set/history?limit=5');
    await call(404, 'GET', '/v1/sessions/nobody/history');
    await call(200, 'POST', '/v1/sessions/set/reset');
    await call(404, 'POST', '/v1/sessions/nobody/reset');
  });

  it('are cancelled and deleted', async () => {
    await post('end');
    await call(200, 'POST', '/v1/sessions/end/cancel');
    await call(404, 'POST', '/v1/sessions/nobody/cancel');
    await call(200, 'DELETE', '/v1/sessions/end');
    await call(404, 'DELETE', '/v1/sessions/end');
  });

  it('are not deleted while a turn does not end', async () => {
    const busy = await serve({ channel: { sessions: { deleteSession: async () => 'busy' } as never } });
    onTestFinished(() => busy.dispose());
    await call(409, 'DELETE', '/v1/sessions/busy', {}, busy);
  });
});

describe('actions', () => {
  it('cancel, retry and discard', async () => {
    const id = await post('act');
    await call(200, 'POST', `/v1/messages/${id}/cancel`);
    await call(404, 'POST', `/v1/messages/${unknown}/cancel`);
    const failed = await dead('act');
    await call(409, 'POST', `/v1/messages/${failed}/cancel`);
    await call(200, 'GET', '/v1/dead');
    await call(200, 'POST', `/v1/messages/${failed}/retry`);
    await call(409, 'POST', `/v1/messages/${failed}/retry`);
    await call(404, 'POST', `/v1/messages/${unknown}/retry`);
    await call(409, 'POST', `/v1/messages/${failed}/discard`);
    await call(404, 'POST', `/v1/messages/${unknown}/discard`);
    await served.store.failTurn(await served.claim(), 'exit status 3', null);
    await call(200, 'POST', `/v1/messages/${failed}/discard`);
  });

  it('answer questions', async () => {
    await post('ask');
    const claimed = await served.claim();
    const question = {
      kind: 'execute',
      title: 'ls',
      input: { command: 'ls' },
      options: [{ id: 'y', name: 'Yes', effect: 'allow' }],
    } as const;
    const answered = served.questions.ask(claimed, question, new AbortController().signal);
    let items: readonly { readonly code: string }[] = [];
    while (items.length === 0) ({ items } = await call(200, 'GET', '/v1/questions'));
    const path = `/v1/questions/${items[0]?.code}`;
    await call(200, 'GET', path);
    await call(404, 'GET', '/v1/questions/ZZZZZZZZ');
    await call(200, 'POST', path, { body: { answer: 'allow' } });
    await answered;
    await call(409, 'POST', path, { body: { answer: 'deny' } });
    await call(404, 'POST', '/v1/questions/ZZZZZZZZ', { body: { answer: 'deny' } });
    await served.complete(claimed, 'done');
  });

  it('let people in, and forget them', async () => {
    await call(200, 'GET', '/v1/people');
    await call(200, 'POST', '/v1/people/accept', { body: { code: 'AAAA-BBBB' } });
    await call(404, 'POST', '/v1/people/accept', { body: { code: 'CCCC-DDDD', role: 'owner' } });
    await call(200, 'POST', '/v1/people/forget', { body: { id: 'eve' } });
    await call(404, 'POST', '/v1/people/forget', { body: { id: 'bob', channel: 'tg' } });
    await call(409, 'POST', '/v1/people/forget', { body: { id: 'several' } });
  });

  it('make and revoke tokens', async () => {
    await call(201, 'POST', '/v1/tokens', { body: { name: 'made', scopes: ['post', 'read'] } });
    await call(409, 'POST', '/v1/tokens', { body: { name: 'made', scopes: ['post'] } });
    await call(200, 'GET', '/v1/tokens');
    await call(204, 'DELETE', '/v1/tokens/made');
    await call(404, 'DELETE', '/v1/tokens/made');
  });
});

describe('calls without a token of the gateway', () => {
  it('ask for its health and its description', async () => {
    await call(200, 'GET', '/healthz', { token: null });
    await call(200, 'GET', '/readyz', { token: null });
    await call(200, 'GET', '/openapi.json', { token: null });
    const { headers } = await calls.request('GET', '/openapi.json');
    await call(304, 'GET', '/openapi.json', { headers: { 'if-none-match': headers.get('etag') ?? '' } });
    const down = await serve({
      channel: { readiness: () => ({ ready: false, facts: { ...facts } as never }) },
    });
    onTestFinished(() => down.dispose());
    await call(503, 'GET', '/readyz', { token: null }, down);
  });

  it('are of platforms', async () => {
    const path = '/hooks/github';
    await call(200, 'POST', path, { token: null, body: { a: 1 } });
    await call(400, 'POST', path, { token: null, body: 'bad' });
    await call(401, 'POST', path, { token: null, body: 'wrong' });
    await call(404, 'POST', '/hooks/nobody', { token: null });
    await call(413, 'POST', path, { token: null, body: 'x'.repeat(1_001) });
    await call(415, 'POST', path, { token: null, body: 'x', headers: { 'content-encoding': 'gzip' } });
    await call(503, 'POST', '/hooks/irc', { token: null });
  });

  it('bring the reply of a turn', async () => {
    const own = await callbacks.begin(turn, 60_000, 10);
    await callbacks.accepted(turn);
    const path = `/v1/turns/${turn}/reply`;
    await call(401, 'POST', path, { body: { text: 'a' } });
    await call(400, 'POST', path, { token: own, body: '{' });
    await call(413, 'POST', path, { token: own, body: { text: 'far too long' } });
    await call(415, 'POST', path, { token: own, body: 'a', headers: { 'content-type': 'text/plain' } });
    await call(422, 'POST', path, { token: own, body: { texts: 'a' } });
    await call(200, 'POST', path, { token: own, body: { text: 'a' } });
    await call(409, 'POST', path, { token: own, body: { text: 'b' } });
  });
});

it('describes the webhooks', () => {
  const delivery = {
    messageId: unknown,
    session: 'a',
    seq: 1,
    metadata: {},
    notice: null,
    replyText: 'hi',
    replyMetadata: {},
    collected: [{ messageId: unknown, seq: 2 }],
    repliedAt: 0,
    replyAttachments: [{ id: 'x', name: 'a', mediaType: 'text/plain', sizeBytes: 1, sha256: '00' }],
  } as never;
  expect(check.mistakesOfWebhook('message.replied', webhookBody(delivery))).toEqual([]);
  expect(
    check.mistakesOfWebhook(
      'message.failed',
      webhookBody({ ...(delivery as object), notice: 'why' } as never),
    ),
  ).toEqual([]);
});

/** Statuses that errors.test.ts meets at each call that needs a token of the gateway. */
const ofEachCall = new Set(['400', '401', '403', '413', '415', '422', '503', '507']);

it('has checked an answer for each status of each call', () => {
  const guarded = operations
    .filter(({ access = 'token' }) => access === 'token')
    .map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`);
  const missing = check.described.filter((each) => {
    const [call = '', status = ''] = each.split(/ (?=\d)/);
    return !check.met.has(each) && !(guarded.includes(call) && ofEachCall.has(status)) && !/^5/.test(status);
  });
  expect(missing).toEqual([]);
  expect(check.described.length).toBeGreaterThan(200);
});
