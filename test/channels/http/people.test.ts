import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ForgetOutcome, PeopleOperations } from '../../../src/channels/surroundings.js';
import { type Served, serve, token } from './http-fixture.js';

let served: Served;
let calls: unknown[] = [];
let forgotten: ForgetOutcome = { outcome: 'unknown' };

const person = {
  channel: 'tg',
  id: 'eve',
  name: 'Eve',
  role: 'user',
  isConfigured: false,
  since: 0,
} as const;

const people: PeopleOperations = {
  list: async () => ({
    allowed: [person],
    waiting: [{ channel: 'tg', id: 'bob', name: null, askedAt: 0, expiresAt: 3_600_000 }],
  }),
  accept: async (...parameters) => {
    calls.push(parameters);
    return parameters[0] === 'AAAA-BBBB' ? person : null;
  },
  forget: async (...parameters) => {
    calls.push(parameters);
    return forgotten;
  },
};

beforeAll(async () => {
  served = await serve({ channel: { people } });
});
afterAll(() => served.dispose());

async function ask(method: string, path: string, body?: object, of = token) {
  calls = [];
  const headers = { authorization: `Bearer ${of}`, ...(body && { 'content-type': 'application/json' }) };
  const answer = await fetch(served.base + path, {
    method,
    headers,
    body: body ? JSON.stringify(body) : null,
  });
  return { status: answer.status, body: await answer.json() };
}

const shown = {
  channel: 'tg',
  id: 'eve',
  name: 'Eve',
  role: 'user',
  configured: false,
  since: '1970-01-01T00:00:00.000Z',
};

it('lists who may write, and who waits', async () => {
  expect(await ask('GET', '/v1/people')).toEqual({
    status: 200,
    body: {
      allowed: [shown],
      waiting: [
        {
          channel: 'tg',
          id: 'bob',
          name: null,
          asked_at: '1970-01-01T00:00:00.000Z',
          expires_at: '1970-01-01T01:00:00.000Z',
        },
      ],
    },
  });
});

it.each([
  [{ code: 'AAAA-BBBB' }, 200, [['AAAA-BBBB', 'user']]],
  [{ code: 'AAAA-BBBB', role: 'owner' }, 200, [['AAAA-BBBB', 'owner']]],
  [{ code: 'CCCCDDDD' }, 404, [['CCCCDDDD', 'user']]],
  [{ code: 'AAAA-BBBB', role: 'root' }, 422, []],
  [{}, 422, []],
])('accept %j is answered %i', async (body, status, expected) => {
  const answer = await ask('POST', '/v1/people/accept', body);
  expect(answer.status).toBe(status);
  expect(calls).toEqual(expected);
  if (status === 200) expect(answer.body).toEqual(shown);
  if (status === 404) expect(answer.body).toMatchObject({ type: expect.stringMatching(/unknown-code$/) });
});

it.each<[object, ForgetOutcome, number, object]>([
  [
    { id: 'eve', channel: 'tg' },
    { outcome: 'forgotten', channel: 'tg', deleted: ['tg:1'], kept: [], busy: [], mayStillWrite: false },
    200,
    { id: 'eve', channel: 'tg', deleted_sessions: ['tg:1'], kept_sessions: [], may_still_write: false },
  ],
  [{ id: 'eve' }, { outcome: 'unknown' }, 404, { type: expect.stringMatching(/unknown-person$/) }],
  [
    { id: 'eve' },
    { outcome: 'ambiguous', channels: ['tg', 'irc'] },
    409,
    { type: expect.stringMatching(/ambiguous-person$/), detail: expect.stringContaining('tg, irc') },
  ],
])('forget %j, which is %j, is answered %i', async (body, outcome, status, expected) => {
  forgotten = outcome;
  expect(await ask('POST', '/v1/people/forget', body)).toMatchObject({ status, body: expected });
});

it('is for the operator’s token alone', async () => {
  const scopes = ['post', 'read', 'operate', 'approve'];
  const { body } = await ask('POST', '/v1/tokens', { name: 'all', scopes });
  const { token: named } = body as { readonly token: string };
  for (const [method, path, sent] of [
    ['GET', '/v1/people', undefined],
    ['POST', '/v1/people/accept', { code: 'AAAA-BBBB' }],
    ['POST', '/v1/people/forget', { id: 'eve' }],
  ] as const) {
    expect(await ask(method, path, sent, named)).toMatchObject({
      status: 403,
      body: { type: expect.stringMatching(/forbidden$/) },
    });
    expect(calls).toEqual([]);
  }
});
