import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { operations } from '../../../../src/channels/http/openapi/document.js';
import type { HttpChannelOptions } from '../../../../src/channels/http/options.js';
import { isPersonal } from '../../../../src/channels/http/route-scopes.js';
import type { Store } from '../../../../src/store/store.js';
import { StoreError } from '../../../../src/store/store-error.js';
import { rawConnection, type Served, serve } from '../http-fixture.js';
import { CheckedCalls } from './checked-calls.js';

/** The errors that each call has, checked against the description. */

let served: Served;
const calls = new CheckedCalls(() => served);
const { check } = calls;
const call: CheckedCalls['call'] = (...parameters) => calls.call(...parameters);

beforeAll(async () => {
  served = await serve();
});
afterAll(() => served.dispose());

const turn = 'turn_0193a1b2c3d47e8f9a0b1c2d3e4f5a6b';
const unknown = '01a208d4-6fa1-7405-ae6c-4a944ef783dc';

/** An address with a value for each parameter. */
const addressOf = (url: string) =>
  url.replace(':session', 'sweep').replace(':id', unknown).replace(':turn', turn).replace(/:\w+/g, '1');

const guarded = operations.filter(({ access = 'token' }) => access === 'token');

describe.each(guarded)('$method $url', ({ method, url, body, query, headers }) => {
  const address = addressOf(url);

  it('is refused without a token, and without the scope', async () => {
    await call(401, method, address, { token: null });
    await call(401, method, address, { token: 'wrong' });
    const name = `a${operations.findIndex((each) => each.method === method && each.url === url)}`;
    const made = await calls.request('POST', '/v1/tokens', { body: { name, scopes: ['metrics'] } });
    await call(403, method, address, { token: JSON.parse(made.body).token });
  });

  it('names the mistake in its address or its body', async () => {
    if (url.includes(':session'))
      await call(400, method, url.replace(':session', '%20'), { ...(body && { body: {} }) });
    if (query !== undefined) await call(400, method, `${address}?nope=1`);
    for (const name of Object.keys(headers ?? {}))
      await call(400, method, address, { headers: { [name]: 'a b' }, ...(body && { body: { text: 'a' } }) });
    if (body === undefined) return;
    await call(400, method, address, { body: '{' });
    await call(413, method, address, { body: 'x'.repeat(300_000) });
    await call(415, method, address, { body: 'x', headers: { 'content-type': 'text/plain' } });
    await call(422, method, address, { body: { nope: 1 } });
  });
});

/** Bodies that are right, by operation. */
const bodies: Readonly<Record<string, object>> = {
  postMessage: { text: 'hello' },
  setSessionPolicy: { policy: null },
  setSessionAgent: { agent: null },
  answerQuestion: { answer: 'allow' },
  acceptPerson: { code: 'AAAA-BBBB' },
  forgetPerson: { id: 'eve' },
  makeToken: { name: 'new', scopes: ['read'] },
  postTurnReply: { text: 'a' },
};

/** A gateway whose store, or whatever else it asks, fails for one reason. */
function failing(reason: 'full' | 'unavailable'): Promise<Served> {
  const fail = async () => {
    throw new StoreError(reason, 'It fails.');
  };
  const all = new Proxy({}, { get: (_, name) => (name === 'then' ? undefined : fail) });
  const sessions = { deleteSession: fail, resetSession: fail, setAgent: fail, route: fail, agents: [] };
  const channel = {
    people: all,
    questions: all,
    actions: all,
    sessions,
    turnReplies: { bodyLimitBytes: async () => 1_000, take: fail },
    accept: fail,
  } as unknown as Partial<HttpChannelOptions>;
  return serve({ channel, over: all as Partial<Store> });
}

describe.each([
  ['full', 507],
  ['unavailable', 503],
] as const)('a store that is %s', (reason, status) => {
  let failed: Served;
  beforeAll(async () => {
    failed = await failing(reason);
  });
  afterAll(() => failed.dispose());

  const asked = operations.filter(
    ({ method, access = 'token' }) =>
      access !== 'open' && (reason === 'unavailable' || !/GET|HEAD/.test(method)),
  );
  it.each(asked)('is told of at $method $url', async ({ method, url, id }) => {
    const body = bodies[id];
    await call(status, method, addressOf(url), { ...(body !== undefined && { body }) }, failed);
  });
});

it('refuses what is for a person from within a turn', async () => {
  const callerTurn = { turnId: turn, messageId: unknown, session: 'a' };
  const within = await serve({ channel: { callerTurn: async () => callerTurn as never } });
  onTestFinished(() => within.dispose());
  for (const { method, url, id } of guarded.filter((each) => isPersonal(each.method, each.url))) {
    const body = bodies[id];
    await call(403, method, addressOf(url), { ...(body !== undefined && { body }) }, within);
  }
});

it.each([
  [404, 'GET', '/v1/nothing'],
  [405, 'PATCH', '/v1/dead'],
  [405, 'POST', '/healthz'],
  [414, 'GET', `/v1/messages/${'a'.repeat(2_000)}`],
])('describes a %d, which belongs to no call', async (status, method, path) => {
  const answer = await calls.request(method, path);
  expect([answer.status, check.mistakesOfError(answer)]).toEqual([status, []]);
  expect(answer.headers.has('allow')).toBe(status === 405);
});

it.each([
  [400, 'nonsense\r\n\r\n'],
  [400, 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  [417, 'GET /v1/dead HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n'],
  [431, `GET /healthz HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`],
])('describes a %d to bytes that never become a call', async (status, bytes) => {
  const connection = await rawConnection(served.base);
  connection.write(bytes);
  const [head = '', ...rest] = (await connection.ended).split('\r\n\r\n');
  // It may come in chunks.
  const body = rest.join().replace(/^[^{]*|[^}]*$/g, '');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = new Headers(fields.map((field) => field.split(/: (.*)/s, 2) as [string, string]));
  const answer = { status: Number(line.split(' ')[1]), headers, body };
  expect([answer.status, check.mistakesOfError(answer)]).toEqual([status, []]);
});

it('has checked the errors of each call that needs a token', () => {
  const needing = operations
    .filter(({ access = 'token' }) => access === 'token')
    .map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`);
  const missing = check.described.filter((each) => {
    const [described = '', status = ''] = each.split(/ (?=\d)/);
    return (
      needing.includes(described) && /^(?:40[013]|41[35]|422|50[37])$/.test(status) && !check.met.has(each)
    );
  });
  expect(missing).toEqual([]);
});
