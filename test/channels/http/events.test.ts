import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { bodyOf, type Served, serve, token } from './http-fixture.js';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.dispose());

interface ServerEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly retry?: string;
}

/** A client as the HTML Standard has it (9.2.6), as far as it is needed here. */
async function follow(path: string, headers: Readonly<Record<string, string>> = {}) {
  const stop = new AbortController();
  const response = await fetch(served.base + path, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: stop.signal,
  });
  const events: ServerEvent[] = [];
  let text = '';
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: ?(.*)/s).slice(0, 2));
        events.push(Object.fromEntries(fields));
        text = text.slice(end + 2);
      }
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  const messages = () => events.filter(({ event }) => event === 'message');
  return {
    response,
    events,
    messages,
    ended,
    close: () => stop.abort(),
    seqs: () => messages().map(({ data }) => JSON.parse(data ?? '').seq as number),
    reached: (count: number) => expect.poll(() => messages().length, { timeout: 10_000 }).toBe(count),
  };
}

describe('the events of a session', () => {
  test('are its messages as they come to their end, in order', async () => {
    await served.post('a', { text: 'before' });
    await served.reply('old');
    const stream = await follow('/v1/sessions/a/events');
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
    const { id } = await bodyOf(served.post('a', { text: 'one' }));
    await served.post('b', { text: 'of another session' });
    await served.reply('first');
    await stream.reached(1);
    const dead = await bodyOf(served.post('a', { text: 'two' }));
    await served.ask(`/v1/messages/${dead.id}/cancel`);
    await stream.reached(2);
    expect(stream.messages().map(({ data }) => JSON.parse(data ?? ''))).toMatchObject([
      { id, seq: 2, state: 'replied', reply: { text: 'first' } },
      { id: dead.id, seq: 3, state: 'cancelled' },
    ]);
    // With data: some clients take an event without it for none, and its id with it.
    expect(stream.events[0]).toEqual({
      id: expect.stringMatching(/^1\.\d{6}$/),
      event: 'begin',
      retry: '1000',
      data: '{"session":"a","after":1}',
    });
    stream.close();
    await stream.ended;
    await expect.poll(() => served.channel.facts().streams).toBe(0);
  });

  test('take nothing of the store’s time when a turn begins', async () => {
    const stream = await follow('/v1/sessions/a/events');
    await expect.poll(() => stream.events.length).toBe(1);
    const { id } = await bodyOf(served.post('a', { text: 'one' }));
    const turn = await served.claim();
    const look = vi.spyOn(served.store, 'settledMessages');
    for (const state of ['queued', 'running'] as const) served.events.emit(id, 'a', state);
    await expect.poll(() => stream.events.length).toBe(3);
    expect(look).not.toHaveBeenCalled();
    await served.complete(turn, 'first');
    await stream.reached(1);
    expect(look).toHaveBeenCalled();
    stream.close();
  });

  test('go on behind the last one that a client has seen', async () => {
    for (const text of ['1', '2', '3']) {
      await served.post('a', { text });
      await served.reply(text);
    }
    const all = await follow('/v1/sessions/a/events?after=0');
    await all.reached(3);
    const rest = await follow('/v1/sessions/a/events?after=0', { 'last-event-id': '2' });
    await rest.reached(1);
    expect([all.seqs(), rest.seqs()]).toEqual([[1, 2, 3], [3]]);
    for (const stream of [all, rest]) stream.close();
  });

  test('of a session that is not there yet begin with its first message', async () => {
    const stream = await follow('/v1/sessions/new/events');
    await served.post('new', { text: 'x' });
    await served.reply('y');
    await stream.reached(1);
    stream.close();
  });

  test('begin with where they begin, so that who has seen none misses none while it is away', async () => {
    await served.post('a', { text: 'before' });
    await served.reply('old');
    const stream = await follow('/v1/sessions/a/events');
    await expect.poll(() => stream.events.length).toBe(1);
    stream.close();
    await stream.ended;
    await served.post('a', { text: 'meanwhile' });
    await served.reply('missed by nobody');
    const again = await follow('/v1/sessions/a/events', { 'last-event-id': stream.events[0]?.id ?? '' });
    await again.reached(1);
    expect(again.seqs()).toEqual([2]);
    again.close();
  });

  test.each([
    ['the header', '/v1/sessions/a/events', { 'last-event-id': '7' }],
    ['the parameter', '/v1/sessions/a/events?after=7', {}],
  ])('tell a follower that is ahead of the session, as after a restore: %s', async (_what, path, headers) => {
    for (const text of ['1', '2']) {
      await served.post('a', { text });
      await served.reply(text);
    }
    await served.post('a', { text: 'it runs' });
    const stream = await follow(path, headers);
    await served.reply('next');
    await stream.reached(1);
    expect(stream.events[0]).toEqual({
      id: expect.stringMatching(/^2\.\d{6}$/),
      event: 'reset',
      retry: '1000',
      data: '{"session":"a","after":2,"asked_after":7,"last_seq":3}',
    });
    expect(stream.seqs()).toEqual([3]);
    stream.close();
  });

  test('tell a follower from before a restore that new messages have the numbers of those it has seen', async () => {
    const seen: string[] = [];
    // The session again, with other messages: as after a restore of what was before them.
    for (const texts of [
      ['1', '2'],
      ['other 1', 'other 2', 'other 3'],
    ]) {
      await fetch(`${served.base}/v1/sessions/a`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      });
      for (const text of texts) {
        await served.post('a', { text });
        await served.reply(text);
      }
      const stream = await follow('/v1/sessions/a/events?after=0');
      await stream.reached(texts.length);
      seen.push(stream.messages()[1]?.id ?? '');
      stream.close();
    }
    const [before = '', now = ''] = seen;
    const astray = await follow('/v1/sessions/a/events', { 'last-event-id': before });
    await expect.poll(() => astray.events.length).toBe(1);
    expect(astray.events[0]).toMatchObject({
      id: expect.stringMatching(/^3\.\d{6}$/),
      event: 'reset',
      data: '{"session":"a","after":3,"asked_after":2,"last_seq":3}',
    });
    astray.close();
    // Whoever has seen the new one goes on behind it, and so does whoever names a number alone.
    for (const id of [now, String(Number(now)), '2']) {
      const follower = await follow('/v1/sessions/a/events', { 'last-event-id': id });
      await follower.reached(1);
      expect(follower.events[0]).toMatchObject({ id: now, event: 'begin' });
      expect(follower.seqs()).toEqual([3]);
      follower.close();
    }
  });

  test('tell a follower from before a restore also while the message with that number waits', async () => {
    await served.post('a', { text: 'it waits' });
    const stream = await follow('/v1/sessions/a/events', { 'last-event-id': '1.000000' });
    await expect
      .poll(() => stream.events[0])
      .toMatchObject({
        id: '0',
        event: 'reset',
        data: '{"session":"a","after":0,"asked_after":1,"last_seq":1}',
      });
    await served.reply('not missed');
    await stream.reached(1);
    stream.close();
  });

  test('tell a follower that the session is not there any more', async () => {
    const stream = await follow('/v1/sessions/gone/events', { 'last-event-id': '7' });
    await expect.poll(() => stream.events[0]).toMatchObject({ id: '0', event: 'reset' });
    stream.close();
  });

  test('take an empty Last-Event-ID for none', async () => {
    await served.post('a', { text: 'x' });
    await served.reply('y');
    const stream = await follow('/v1/sessions/a/events?after=0', { 'last-event-id': '' });
    await stream.reached(1);
    stream.close();
  });

  test('of many messages at once come all, one by one', async () => {
    for (let count = 0; count < 250; count += 1) await served.post('a', { text: String(count) });
    await served.ask('/v1/sessions/a/cancel');
    const stream = await follow('/v1/sessions/a/events?after=0');
    await stream.reached(250);
    expect(stream.seqs()).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
    stream.close();
  });

  test('end when the gateway stops, with an invitation; nothing is missed by who comes back', async () => {
    const stream = await follow('/v1/sessions/a/events');
    await served.post('a', { text: 'x' });
    await served.reply('y');
    await stream.reached(1);
    served.channel.stopAccepting();
    await stream.ended;
    expect(stream.events.at(-1)).toHaveProperty(
      '',
      expect.stringContaining('connect again with Last-Event-ID'),
    );
    const late = await follow('/v1/sessions/a/events', { 'last-event-id': '0' });
    await late.ended;
    expect(late.response.status).toBe(200);
  });

  test.each([
    ['/v1/sessions/a%20b/events', {}, 'session'],
    ['/v1/sessions/a/events?after=x', {}, 'after'],
    ['/v1/sessions/a/events?since=1', {}, 'since'],
    ['/v1/sessions/a/events', { 'last-event-id': 'x' }, 'Last-Event-ID'],
    ['/v1/sessions/a/events', { 'last-event-id': '1.' }, 'Last-Event-ID'],
  ])('%s with %j is refused', async (path, headers, named) => {
    const response = await served.get(path, headers);
    expect(response.status).toBe(400);
    expect((await bodyOf(response)).detail).toContain(named);
  });

  test('need the token, and GET', async () => {
    expect((await fetch(`${served.base}/v1/sessions/a/events`)).status).toBe(401);
    const head = await fetch(`${served.base}/v1/sessions/a/events`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${token}` },
    });
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET']);
  });
});

test('a stream whose store fails is broken off, so that its client comes back', async () => {
  let fails = false;
  const failing = await serve({
    over: {
      settledMessages: (...parameters) =>
        fails ? Promise.reject(new Error('disk I/O error')) : failing.store.settledMessages(...parameters),
    },
  });
  try {
    const response = await fetch(`${failing.base}/v1/sessions/a/events`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await expect.poll(() => failing.channel.facts().streams).toBe(1);
    fails = true;
    await failing.post('a', { text: 'hello' });
    await failing.reply('hi');
    await expect(response.text()).rejects.toThrow('terminated');
    expect(failing.channel.facts().streams).toBe(0);
    expect(failing.records.join()).toContain('An event stream was broken off: disk I/O error');
  } finally {
    await failing.dispose();
  }
});

describe('text that is still written', () => {
  const pieces = (stream: Awaited<ReturnType<typeof follow>>) =>
    stream.events
      .filter(({ event }) => ['delta', 'restart', 'status', 'message'].includes(event ?? ''))
      .map(({ event, data }) => {
        const { position, text, reply } = JSON.parse(data ?? '{}');
        return [event, position, reply?.text ?? text].filter((part) => part !== undefined).join(' ');
      });

  async function running(session: string) {
    const { id } = await bodyOf(served.post(session, { text: 'x' }));
    const turn = await served.claim();
    let position = 0;
    const write = (text: string) => {
      position += 1;
      served.events.emitProgress(id, session, { type: 'delta', position, text });
    };
    const store = async (texts: readonly string[]) => {
      position = (await served.store.appendDeltas(turn, texts)) ?? 0;
      served.events.emitProgress(id, session, { type: 'stored' });
    };
    return {
      id,
      turn,
      write,
      store,
      say: (text: string) => served.events.emitProgress(id, session, { type: 'status', text }),
    };
  }

  test('comes on the stream of its session, before the message', async () => {
    const stream = await follow('/v1/sessions/a/events');
    await expect.poll(() => stream.events.length).toBe(1);
    const { turn, write, say } = await running('a');
    say('reads files');
    write('one ');
    write('two\n\nlines');
    await served.complete(turn, 'one two');
    await stream.reached(1);
    expect(pieces(stream)).toEqual([
      'status reads files',
      'delta 1 one ',
      'delta 2 two\n\nlines',
      'message one two',
    ]);
    // Only messages have an id, by which a client goes on.
    expect(stream.events.filter(({ event }) => event === 'delta').every(({ id }) => id === undefined)).toBe(
      true,
    );
    stream.close();
  });

  test('is there from its beginning for a client that comes in the middle', async () => {
    const { id, turn, write, store } = await running('a');
    await store(['stored ', '', 'again ']);
    const streams = await Promise.all([
      follow('/v1/sessions/a/events'),
      follow(`/v1/messages/${id}?stream=true`),
    ]);
    for (const stream of streams) await expect.poll(() => pieces(stream).length, { timeout: 5_000 }).toBe(3);
    write('live');
    await served.complete(turn, 'again live');
    for (const stream of streams) {
      await stream.reached(1);
      expect(pieces(stream)).toEqual([
        'delta 1 stored ',
        'restart 2',
        'delta 3 again ',
        'delta 4 live',
        'message again live',
      ]);
    }
    // The stream of one message ends with it.
    await streams[1].ended;
    streams[0].close();
  });

  test('comes from the store if another gateway runs the turn, of which no event tells', async () => {
    const { id, turn } = await running('a');
    const streams = await Promise.all([
      follow('/v1/sessions/a/events'),
      follow(`/v1/messages/${id}?stream=true`),
    ]);
    const come = async (count: number) => {
      for (const stream of streams)
        await expect.poll(() => pieces(stream).length, { timeout: 10_000 }).toBe(count);
    };
    const texts = ['one ', 'two ', 'three ', 'four ', 'five'];
    const began = performance.now();
    for (const [index, text] of texts.entries()) {
      await served.store.appendDeltas(turn, [text]);
      await come(index + 1);
    }
    await served.store.completeTurn(turn, { text: texts.join(''), metadata: {} });
    await come(6);
    // Half a second each. A pause that grows although something has come would make it half a minute.
    expect(performance.now() - began).toBeLessThan(15_000);
    for (const stream of streams) {
      expect(pieces(stream)).toEqual([
        ...texts.map((text, index) => `delta ${index + 1} ${text}`),
        `message ${texts.join('')}`,
      ]);
      stream.close();
    }
  }, 60_000);

  test('of one message: its states, and the message at once if it has ended', async () => {
    const { id, turn } = await running('a');
    const stream = await follow(`/v1/messages/${id}?stream=true`);
    await expect.poll(() => stream.events.length).toBe(1);
    expect(stream.events[0]).toMatchObject({
      event: 'state',
      data: JSON.stringify({ id, state: 'running' }),
    });
    await served.complete(turn, 'done');
    await stream.ended;
    const again = await follow(`/v1/messages/${id}?stream=true`);
    await again.ended;
    expect(pieces(again)).toEqual(['message done']);
    expect((await served.get(`/v1/messages/${id}?stream=true&wait=1`)).status).toBe(400);
    expect((await served.get('/v1/messages/none?stream=true')).status).toBe(404);
    await expect.poll(() => served.channel.facts().streams).toBe(0);
  });
});
