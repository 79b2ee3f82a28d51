import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FetchedFile } from '../../../../src/channels/http/attachments/url-files.js';
import type { Store } from '../../../../src/store/store.js';
import { errorOf, eventsIn, type ServedFront, serveFront, until } from './front-fixture.js';

let front: ServedFront;

beforeEach(async () => {
  front = await serveFront();
});
afterEach(() => front.dispose());

const hello = { messages: [{ role: 'user', content: 'hello' }] };

interface Chunk {
  readonly choices: readonly {
    readonly delta: { readonly role?: string; readonly content?: string };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: object | null;
  readonly error?: { readonly code: string };
}

const chunksIn = (text: string) =>
  eventsIn(text)
    .data.filter((each) => each !== '[DONE]')
    .map((each) => JSON.parse(each) as Chunk);
const textIn = (text: string) =>
  chunksIn(text)
    .map(({ choices = [] }) => choices[0]?.delta.content ?? '')
    .join('');

describe('a whole answer', () => {
  test('is the reply to the last message, which is a message of a session', async () => {
    const answer = front.chat({ ...hello, user: 'ada', temperature: 0.2 }, { 'x-session-id': 'chat-1' });
    const turn = await front.turn();
    expect(turn).toMatchObject({
      session: 'openai:@operator:chat-1',
      text: 'hello',
      sender: 'ada',
      channel: 'openai',
      metadata: {
        openai: { api: 'chat.completions', model: 'default', user: 'ada', parameters: { temperature: 0.2 } },
      },
    });
    await front.store.completeTurn(turn, {
      text: 'Good day.',
      metadata: { finish_reason: 'length' },
      usage: { inputTokens: 7, outputTokens: 3 },
    });
    front.events.emit(turn.messageId, turn.session, 'replied');
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: `chatcmpl-${turn.messageId.replaceAll('-', '')}`,
      object: 'chat.completion',
      created: Math.floor(turn.acceptedAt / 1_000),
      model: 'default',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Good day.', refusal: null },
          logprobs: null,
          finish_reason: 'length',
        },
      ],
      usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
      sd_gateway: { session: turn.session, message: turn.messageId },
    });
  });

  test('is an error that is not to be tried again if the run dies or is cancelled', async () => {
    const dead = front.chat(hello);
    const turn = await front.turn();
    await front.store.failTurn(turn, 'exit status 3', null);
    front.events.emit(turn.messageId, turn.session, 'dead');
    const first = await errorOf(dead);
    expect(first).toMatchObject({
      status: 500,
      error: { type: 'server_error', code: 'run_failed', message: 'The run failed: exit status 3' },
    });
    expect(first.headers.get('x-should-retry')).toBe('false');
    const cancelled = front.chat(hello);
    const second = await front.turn();
    await front.ask(`/v1/messages/${second.messageId}/cancel`);
    expect(await errorOf(cancelled)).toMatchObject({ status: 409, error: { code: 'run_cancelled' } });
  });

  test('is refused when the gateway stops, and the run goes on', async () => {
    const answer = front.chat(hello);
    await front.turn();
    front.channel.stopAccepting();
    const stopped = await errorOf(answer);
    expect(stopped).toMatchObject({ status: 503, error: { code: 'gateway_stopping' } });
    expect(stopped.headers.get('retry-after')).toBe('1');
    expect(stopped.headers.get('x-should-retry')).toBe('true');
  });
});

describe('a conversation', () => {
  test('begins a session that is new with what was said before', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'one' },
      { role: 'assistant', content: [{ type: 'text', text: 'first' }] },
      { role: 'user', content: 'two' },
      { role: 'assistant', content: null, tool_calls: [] },
      { role: 'tool', content: 'a result' },
      { role: 'assistant', content: 'second' },
      { role: 'developer', content: 'In English.' },
      { role: 'user', content: [{ type: 'text', text: 'three' }] },
    ];
    for (const [seq, said] of [
      [3, ['one', 'two', 'three']],
      [4, ['one', 'two', 'three', 'three']],
    ] as const) {
      const answer = front.chat({ messages }, { 'x-session-id': 'chat-1' });
      const turn = await front.turn();
      expect(turn).toMatchObject({ seq, text: 'three' });
      expect(turn.metadata['openai']).toMatchObject({ instructions: 'Be brief.\n\nIn English.' });
      await front.complete(turn, 'third');
      expect((await answer).status).toBe(200);
      const history = await front.store.history(turn.session, 9);
      expect(history.map(({ text }) => text)).toEqual(said);
      expect(history[1]?.reply?.text).toBe('second');
    }
  });

  test('has an agent, which a later request may change', async () => {
    for (const model of ['fast', 'default', 'fast']) {
      const answer = front.chat({ ...hello, model }, { 'x-session-id': 'a' });
      const turn = await front.turn();
      expect(turn.agent).toBe('fast');
      await front.complete(turn, 'x');
      expect(await (await answer).json()).toMatchObject({ model });
    }
  });

  test('that can’t be answered is refused with the member that is wrong', async () => {
    const refused = async (body: object) => {
      const { status, error } = await errorOf(front.chat({ ...hello, ...body }));
      return [status, error.param, error.code];
    };
    const user = { role: 'user', content: 'x' };
    expect(await refused({ n: 2 })).toEqual([400, 'n', 'unsupported_value']);
    expect(await refused({ tool_choice: 'required' })).toEqual([400, 'tool_choice', 'unsupported_value']);
    expect(await refused({ tool_choice: { type: 'function', function: { name: 'f' } } })).toEqual([
      400,
      'tool_choice',
      'unsupported_value',
    ]);
    expect(await refused({ messages: [] })).toEqual([400, 'messages', 'invalid_value']);
    expect(await refused({ messages: [user, { role: 'assistant', content: 'y' }] })).toEqual([
      400,
      'messages',
      'invalid_value',
    ]);
    expect(await refused({ messages: [{ role: 'user', content: '' }] })).toEqual([
      400,
      'messages[0].content',
      'invalid_value',
    ]);
    expect(await refused({ messages: [{ role: 'person', content: 'x' }] })).toEqual([
      400,
      'messages[0].role',
      'invalid_message',
    ]);
    expect(
      await refused({ messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'f' } }] }] }),
    ).toEqual([400, 'messages[0].content', 'invalid_message']);
    expect(await refused({ model: 'gpt-none' })).toEqual([404, 'model', 'model_not_found']);
    expect(await refused({ previous_response_id: 'resp_x' })).toEqual([
      404,
      'previous_response_id',
      'response_not_found',
    ]);
  });

  test('takes tools that nobody asks for, and fields that mean nothing here', async () => {
    const answer = front.chat({
      ...hello,
      n: 1,
      tool_choice: 'auto',
      tools: [{ type: 'function' }],
      top_p: 1,
    });
    const turn = await front.turn();
    expect(turn.metadata['openai']).toMatchObject({ parameters: { top_p: 1 } });
    await front.complete(turn, 'x');
    expect((await answer).status).toBe(200);
  });
});

describe('files', () => {
  const png = Buffer.from('89504e470d0a1a0a', 'hex');

  test('come by data: URL, in base64 and by URL', async () => {
    const file: FetchedFile = { name: 'a.txt', mediaType: 'text/plain', content: feed('by url') };
    await front.dispose();
    front = await serveFront({}, { channel: { fetchFile: async () => file } });
    const content = [
      { type: 'text', text: 'look' },
      {
        type: 'image_url',
        image_url: { url: `data:image/png;base64,${png.toString('base64')}`, detail: 'low' },
      },
      { type: 'file', file: { filename: 'b.pdf', file_data: Buffer.from('%PDF').toString('base64') } },
      { type: 'image_url', image_url: { url: 'https://example.org/a.txt' } },
    ];
    const answer = front.chat({ messages: [{ role: 'user', content }] });
    const turn = await front.turn();
    expect(turn).toMatchObject({
      text: 'look',
      attachments: [
        { name: 'image.png', mediaType: 'image/png', sizeBytes: 8 },
        { name: 'b.pdf', sizeBytes: 4 },
        { name: 'a.txt', mediaType: 'text/plain', sizeBytes: 6 },
      ],
    });
    await front.complete(turn, 'x');
    expect((await answer).status).toBe(200);
  });

  test('are within the bounds of files, and of the body', async () => {
    const image = (bytes: number) => ({
      type: 'image_url',
      image_url: { url: `data:image/png;base64,${Buffer.alloc(bytes).toString('base64')}` },
    });
    const post = (content: readonly object[]) =>
      errorOf(front.chat({ messages: [{ role: 'user', content }] }));
    expect(await post([image(1_000_001)])).toMatchObject({ status: 413, error: { code: 'file_too_large' } });
    expect(await post([1, 1, 1, 1].map(image))).toMatchObject({
      status: 400,
      error: { code: 'too_many_files' },
    });
    expect(await post([image(3_000_001)])).toMatchObject({
      status: 413,
      error: { code: 'request_too_large', message: 'The body is larger than openai.body_limit.' },
    });
    expect(await post([{ type: 'image_url', image_url: { url: 'https://example.org/x' } }])).toMatchObject({
      status: 400,
      error: { code: 'file_unavailable' },
    });
    expect(front.accepted).toEqual([]);
  });
});

describe('a stream', () => {
  test('has the text as it is written, in events without names', async () => {
    const response = await front.chat({ ...hello, stream: true, stream_options: { include_usage: true } });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const turn = await front.turn();
    front.events.emit(turn.messageId, turn.session, 'running');
    await front.write(turn, ['Good ']);
    let text = await until(reader, 'Good ');
    await front.write(turn, ['day']);
    text = await until(reader, 'day', text);
    await front.store.completeTurn(turn, {
      text: 'Good day.',
      metadata: {},
      usage: { inputTokens: 1, outputTokens: 2 },
    });
    front.events.emit(turn.messageId, turn.session, 'replied');
    text = await until(reader, '[DONE]', text);
    expect(text).not.toMatch(/^event:/m);
    expect(textIn(text)).toBe('Good day.');
    const chunks = chunksIn(text);
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect((await reader.read()).done).toBe(true);
  });

  test('has all of a reply that nobody wrote piece by piece', async () => {
    const response = await front.chat({ ...hello, stream: true });
    await front.complete(await front.turn(), 'all of it');
    const text = await response.text();
    expect(textIn(text)).toBe('all of it');
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
  });

  test.each([
    ['a line end that the agent wrote', ['a\n'], 'a', 'a\n'],
    ['a reply that is another text than the pieces', ['draft'], 'final', 'draft\n\nfinal'],
  ] as const)('ends with the reply: %s', async (_, pieces, reply, expected) => {
    const response = await front.chat({ ...hello, stream: true });
    const turn = await front.turn();
    await front.write(turn, pieces);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const begun = await until(reader, JSON.stringify(pieces[0]));
    await front.complete(turn, reply);
    expect(textIn(await until(reader, '[DONE]', begun))).toBe(expected);
  });

  test.each([
    ['a turn that runs again', 'run_restarted'],
    ['a run that dies', 'run_failed'],
    ['a stop of the gateway', 'gateway_stopping'],
  ])('ends with an error and without the mark of the end: %s', async (_, code) => {
    const response = await front.chat({ ...hello, stream: true });
    const turn = await front.turn();
    await front.write(turn, ['so far']);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const begun = await until(reader, 'so far');
    if (code === 'run_restarted') await front.write(turn, ['']);
    else if (code === 'gateway_stopping') front.channel.stopAccepting();
    else {
      await front.store.failTurn(turn, 'exit status 3', null);
      front.events.emit(turn.messageId, turn.session, 'dead');
    }
    const text = await until(reader, '"error"', begun);
    expect(chunksIn(text).at(-1)?.error?.code).toBe(code);
    expect((await reader.read()).done).toBe(true);
    expect(text).not.toContain('[DONE]');
  });

  test.each(['before', 'after'])(
    'has nothing of an attempt that ended before it was opened: %s the next one',
    async (when) => {
      let looks = 0;
      await front.dispose();
      const deltas: Store['deltas'] = (...of) => {
        looks += 1;
        return front.store.deltas(...of);
      };
      front = await serveFront({}, { over: { deltas } });
      const key = { 'idempotency-key': 'k' };
      const left = await front.chat({ ...hello, stream: true }, key);
      const first = await front.turn();
      await front.store.appendDeltas(first, ['void', ' text']);
      await left.body?.cancel();
      await front.store.putBackTurns([{ ...first, cutOff: true }]);
      const open = () => front.chat({ ...hello, stream: true }, key);
      await expect.poll(() => front.channel.facts().streams).toBe(0);
      const looksBefore = looks;
      const early = when === 'before' ? await open() : null;
      // It has found the message waiting, of which no text counts.
      if (early !== null) await expect.poll(() => looks).toBeGreaterThan(looksBefore);
      const again = await front.turn();
      front.events.emit(again.messageId, again.session, 'running');
      await front.write(again, ['', 'fresh']);
      const response = early ?? (await open());
      await front.complete(again, 'fresh air');
      const text = await response.text();
      expect(textIn(text)).toBe('fresh air');
      expect(text).toContain('[DONE]');
    },
  );

  test('goes on without a word if nothing of the first attempt was sent', async () => {
    const response = await front.chat({ ...hello, stream: true });
    const turn = await front.turn();
    await front.write(turn, ['']);
    await front.complete(turn, 'x');
    expect(textIn(await response.text())).toBe('x');
  });
});

async function* feed(text: string) {
  yield Buffer.from(text);
}
