import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ThrowAwaySessions } from '../../../../src/channels/http/openai/throw-away.js';
import { errorOf, type ServedFront, serveFront } from './front-fixture.js';

let front: ServedFront;

beforeEach(async () => {
  front = await serveFront();
});
afterEach(() => front.dispose());

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

/** Asks, answers what comes, and gives the session that it ran in. */
async function sessionOf(body: object, headers: Record<string, string> = {}, secret?: string) {
  const answer = front.call('POST', '/v1/chat/completions', { model: 'default', ...body }, headers, secret);
  const turn = await front.turn();
  await front.complete(turn, 'answer');
  const response = await answer;
  expect(response.status).toBe(200);
  await response.text();
  return turn.session;
}

describe('the session', () => {
  test('is one of its own without a name, whoever the user is', async () => {
    const body = { messages: [user('x')], user: 'ada' };
    const first = await sessionOf(body);
    const second = await sessionOf(body);
    expect(first).toMatch(/^openai:@operator:once-/);
    expect(second).not.toBe(first);
  });

  test('is apart for each token, whatever it names', async () => {
    const chat = { 'x-session-id': 'chat 1/ü' };
    const body = { messages: [user('x')] };
    const token = await front.token('ci', ['openai']);
    expect(await sessionOf(body, chat)).toBe('openai:@operator:chat~201~2F~C3~BC');
    expect(await sessionOf(body, chat, token)).toBe('openai:ci:chat~201~2F~C3~BC');
    expect(await sessionOf(body, { 'x-session-id': '@operator:chat' }, token)).toBe(
      'openai:ci:@operator:chat',
    );
  });

  test('of a chat program is the chat’s, but for titles and the like', async () => {
    const chat = { 'x-openwebui-chat-id': 'c1' };
    const name = 'openai:@operator:c1';
    expect(await sessionOf({ messages: [user('### Task:\nGenerate a title')] }, chat)).not.toBe(name);
    expect(await sessionOf({ messages: [user('hello')] }, chat)).toBe(name);
    expect(await sessionOf({ messages: [user('Generate a title for: hello')] }, chat)).not.toBe(name);
    const next = [user('hello'), assistant('answer'), user('and now?')];
    expect(await sessionOf({ messages: next }, chat)).toBe(name);
    const texts = (await front.store.history(name, 9)).map(({ text }) => text);
    expect(texts).toEqual(['hello', 'and now?']);
    // A chat that has no id yet.
    expect(await sessionOf({ messages: [user('x')] }, { 'x-openwebui-chat-id': '' })).toMatch(/:once-/);
  });

  test('of a chat whose first message died begins with the next try', async () => {
    const chat = { 'x-openwebui-chat-id': 'c1' };
    const answer = front.chat({ messages: [user('hello')] }, chat);
    const turn = await front.turn();
    await front.store.failTurn(turn, 'exit status 3', null);
    front.events.emit(turn.messageId, turn.session, 'dead');
    expect((await answer).status).toBe(500);
    expect(await sessionOf({ messages: [user('hello')] }, chat)).toBe(turn.session);
  });
});

describe('a request that comes again', () => {
  const body = { model: 'default', messages: [user('x')] };
  const post = (headers: Record<string, string>, given: object = body) =>
    front.call('POST', '/v1/chat/completions', given, headers);
  const tries = (count: number, session = 'a') => ({
    'x-stainless-retry-count': String(count),
    'x-session-id': session,
  });

  test('joins the run of the first try while it runs, and after its end', async () => {
    const first = post(tries(0));
    const turn = await front.turn();
    const second = post(tries(1));
    await front.complete(turn, 'once');
    const answers = await Promise.all(
      [first, second, post(tries(2))].map(async (each) => (await each).text()),
    );
    expect(new Set(answers).size).toBe(1);
    expect(front.accepted.length).toBe(1);
  });

  test('runs anew if it is no further try, or another request', async () => {
    const settled = async (answer: Promise<Response>) => {
      await front.complete(await front.turn(), 'x');
      expect((await answer).status).toBe(200);
    };
    await settled(post(tries(0)));
    await settled(post(tries(0)));
    await settled(post(tries(1, 'b')));
    await settled(post(tries(1), { ...body, temperature: 1 }));
    expect(front.accepted.length).toBe(4);
  });

  test('is accepted once if the first try came no further than its record', async () => {
    await front.dispose();
    let isAway = true;
    front = await serveFront(
      {},
      {
        channel: {
          accept: async (message, limits) => {
            if (isAway) throw new Error('The process was killed here.');
            return front.store.accept(message, limits);
          },
        },
      },
    );
    expect((await post(tries(0))).status).toBe(500);
    isAway = false;
    const answers = [post(tries(1)), post(tries(1))];
    await front.complete(await front.turn(), 'x');
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(await front.store.session('openai:@operator:a')).toMatchObject({ lastSeq: 1 });
  });

  test('with a key is the same turn, streamed or not, and without a session too', async () => {
    const key = { 'idempotency-key': 'k-1' };
    const first = post(key);
    await front.complete(await front.turn(), 'once');
    const answer = await (await first).text();
    expect(await (await post(key)).text()).toBe(answer);
    expect(await (await post(key, { ...body, stream: true })).text()).toContain('once');
    const other = await errorOf(post(key, { ...body, messages: [user('y')] }));
    expect(other).toMatchObject({ status: 409, error: { code: 'idempotency_conflict' } });
    expect(other.headers.get('x-should-retry')).toBe('false');
    expect(front.accepted.length).toBe(1);
  });
});

describe('a session without a name', () => {
  const throwAway = (now: () => number) =>
    new ThrowAwaySessions({
      store: front.store,
      sessions: {
        deleteSession: async (name) =>
          (await front.store.deleteSession(name, 100)) === null ? null : 'deleted',
      },
      expireMs: () => 3_600_000,
      log: { warning: () => undefined },
      now,
    });

  test('is deleted an hour after its last turn, also by another run of the gateway', async () => {
    const session = await sessionOf({ messages: [user('x')] });
    const named = await sessionOf({ messages: [user('x')] }, { 'x-session-id': 'a' });
    await throwAway(() => Date.now() + 3_500_000).sweep();
    expect(await front.store.session(session)).not.toBeNull();
    await throwAway(() => Date.now() + 3_700_000).sweep();
    expect(await front.store.session(session)).toBeNull();
    expect(await front.store.session(named)).not.toBeNull();
    const { items } = await front.store.records('openai-throw-away', { limit: 9, after: null });
    expect(items).toEqual([]);
  });

  test('is kept while something of it waits or runs', async () => {
    const answer = front.chat({ messages: [user('x')] });
    const turn = await front.turn();
    await throwAway(() => Date.now() + 3_700_000).sweep();
    expect(await front.store.session(turn.session)).not.toBeNull();
    await front.complete(turn, 'x');
    expect((await answer).status).toBe(200);
    await throwAway(() => Date.now() + 8_000_000).sweep();
    expect(await front.store.session(turn.session)).toBeNull();
  });
});
