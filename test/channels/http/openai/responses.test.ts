import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Turn } from '../../../../src/store/turns.js';
import { errorOf, eventsIn, type ServedFront, serveFront, until } from './front-fixture.js';

let front: ServedFront;

beforeEach(async () => {
  front = await serveFront();
});
afterEach(() => front.dispose());

interface View {
  readonly id: string;
  readonly status: string;
  readonly output: readonly {
    readonly id: string;
    readonly content: readonly { readonly text: string }[];
  }[];
  readonly error: object | null;
  readonly usage?: object;
}

interface ResponseEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly delta?: string;
  readonly output_index?: number;
  readonly item?: { readonly id: string; readonly status: string };
  readonly text?: string;
  readonly response?: View;
}

const create = (body: object, headers: Record<string, string> = {}, secret?: string) =>
  front.call('POST', '/v1/responses', { model: 'default', ...body }, headers, secret);
const viewOf = async (answer: Response | Promise<Response>) => {
  const response = await answer;
  expect(response.status).toBe(200);
  return (await response.json()) as View;
};
const background = async (body: object = {}) => viewOf(create({ input: 'hello', background: true, ...body }));
const get = (id: string, query = '') => front.call('GET', `/v1/responses/${id}${query}`);
const eventsOf = (text: string) => eventsIn(text).data.map((each) => JSON.parse(each) as ResponseEvent);
const streamOf = async (id: string, after?: number) => {
  const query = after === undefined ? '?stream=true' : `?stream=true&starting_after=${after}`;
  return eventsOf(await (await get(id, query)).text());
};
/** The text of each item, as a client puts it together. */
const itemsOf = (events: readonly ResponseEvent[]) => {
  const items: string[] = [];
  for (const { type, output_index: index = 0, delta = '' } of events) {
    if (type === 'response.output_item.added') items[index] = '';
    if (type === 'response.output_text.delta') items[index] = (items[index] ?? '') + delta;
  }
  return items;
};
const run = async (turn: Turn, text: string) => front.complete(turn, text);

test('a response is the reply, and can be read again', async () => {
  const answer = create({ input: 'hello', instructions: 'Be brief.', metadata: { a: 'b' }, temperature: 1 });
  const turn = await front.turn();
  expect(turn).toMatchObject({
    text: 'hello',
    metadata: { openai: { api: 'responses', instructions: 'Be brief.' } },
  });
  await front.store.completeTurn(turn, {
    text: 'Good day.',
    metadata: {},
    usage: { inputTokens: 3, outputTokens: 4 },
  });
  front.events.emit(turn.messageId, turn.session, 'replied');
  const view = await viewOf(answer);
  expect(view).toMatchObject({
    object: 'response',
    status: 'completed',
    completed_at: Math.floor(((await front.store.message(turn.messageId))?.changedAt ?? 0) / 1_000),
    model: 'default',
    instructions: 'Be brief.',
    metadata: { a: 'b' },
    temperature: 1,
    error: null,
    output: [
      {
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Good day.', annotations: [] }],
      },
    ],
    usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
  });
  expect(await viewOf(get(view.id))).toEqual(view);
});

test('one in the background is there at once, and comes to its end by itself', async () => {
  const { id, status } = await background();
  expect(status).toBe('queued');
  const turn = await front.turn();
  expect(await viewOf(get(id))).toMatchObject({ status: 'in_progress', background: true, output: [] });
  await run(turn, 'done');
  expect((await viewOf(get(id))).output[0]?.content[0]?.text).toBe('done');
});

test('one that dies has failed, with the reason; one that is cancelled is cancelled', async () => {
  const answer = create({ input: 'x' });
  const turn = await front.turn();
  await front.store.failTurn(turn, 'exit status 3', null);
  front.events.emit(turn.messageId, turn.session, 'dead');
  expect(await errorOf(answer)).toMatchObject({ status: 500, error: { code: 'run_failed' } });
  expect(await viewOf(get(`resp_${turn.messageId.replaceAll('-', '')}`))).toMatchObject({
    status: 'failed',
    error: { code: 'server_error', message: 'The run failed: exit status 3' },
  });
  const { id } = await background();
  expect(await viewOf(front.ask(`/v1/responses/${id}/cancel`))).toMatchObject({ id, status: 'cancelled' });
  expect(await viewOf(get(id))).toMatchObject({ status: 'cancelled' });
  const done = await background();
  await run(await front.turn(), 'x');
  expect(await viewOf(front.ask(`/v1/responses/${done.id}/cancel`))).toMatchObject({ status: 'completed' });
});

test('one that is deleted is cancelled and not there any more', async () => {
  const { id } = await background();
  expect(await (await front.call('DELETE', `/v1/responses/${id}`)).json()).toEqual({
    id,
    object: 'response',
    deleted: true,
  });
  expect(await errorOf(get(id))).toMatchObject({ status: 404, error: { code: 'response_not_found' } });
});

test('follows another one in its session; a token sees only its own', async () => {
  const first = await background();
  const turn = await front.turn();
  await run(turn, 'one');
  await background({ previous_response_id: first.id, input: 'two' });
  expect(await front.turn()).toMatchObject({ session: turn.session, seq: 2, text: 'two' });
  const other = await front.token('other', ['openai']);
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '?stream=true'],
    ['POST', '/cancel'],
    ['DELETE', ''],
  ] as const) {
    const answer = front.call(method, `/v1/responses/${first.id}${path}`, undefined, {}, other);
    expect(await errorOf(answer)).toMatchObject({ status: 404 });
  }
  const answer = create({ input: 'x', previous_response_id: first.id }, {}, other);
  expect(await errorOf(answer)).toMatchObject({ status: 404, error: { param: 'previous_response_id' } });
});

test('takes items as input, and refuses what it can’t answer', async () => {
  const input = [
    { role: 'user', content: 'one' },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'first' }] },
    { type: 'reasoning', summary: [] },
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'two' },
        { type: 'input_image', image_url: 'data:image/png;base64,iVBORw==' },
        { type: 'input_file', filename: 'a.txt', file_data: 'data:text/plain;base64,YQ==' },
      ],
    },
  ];
  await background({ input });
  const turn = await front.turn();
  expect(turn).toMatchObject({
    seq: 2,
    text: 'two',
    attachments: [{ name: 'image.png' }, { name: 'a.txt' }],
  });
  const output = { type: 'function_call_output', call_id: 'c', output: 'x' };
  expect(await errorOf(create({ input: [...input, output] }))).toMatchObject({
    status: 400,
    error: { param: 'input' },
  });
  expect(await errorOf(create({ input: 'x', tool_choice: 'required' }))).toMatchObject({ status: 400 });
  expect(await errorOf(create({}))).toMatchObject({ status: 400, error: { param: 'input' } });
});

describe('a stream', () => {
  test('has numbered events from the beginning to the end', async () => {
    const response = await create({ input: 'x', stream: true });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const turn = await front.turn();
    front.events.emit(turn.messageId, turn.session, 'running');
    await front.write(turn, ['Good ']);
    const begun = await until(reader, 'Good ');
    await front.write(turn, ['day']);
    const text = await until(reader, '"day"', begun);
    await run(turn, 'Good day.');
    const events = eventsOf(
      await until(reader, 'event: response.completed', text).then(
        async (part) => part + (await rest(reader)),
      ),
    );
    expect(events.map(({ type }) => type.replace('response.', ''))).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.delta',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ]);
    const numbers = events.map(({ sequence_number }) => sequence_number);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(itemsOf(events)).toEqual(['Good day.']);
    expect(events.at(-1)?.response?.status).toBe('completed');
  });

  test('goes on behind any event, while the run lasts and after its end', async () => {
    const { id } = await background();
    const turn = await front.turn();
    await front.write(turn, ['one ', 'two ']);
    const reader = ((await get(id, '?stream=true')).body as ReadableStream<Uint8Array>).getReader();
    const live = eventsOf(await until(reader, 'two '));
    await reader.cancel();
    const cut = live.find(({ delta }) => delta === 'one ')?.sequence_number ?? -1;
    const second = (
      (await get(id, `?stream=true&starting_after=${cut}`)).body as ReadableStream<Uint8Array>
    ).getReader();
    const resumed = eventsOf(await until(second, 'two '));
    expect(resumed).toEqual(live.filter(({ sequence_number }) => sequence_number > cut));
    await second.cancel();
    await run(turn, 'one two three');
    const all = await streamOf(id);
    expect(itemsOf(all)).toEqual(['one two three']);
    for (const { sequence_number: number } of [...live, ...all]) {
      const later = await streamOf(id, number);
      expect(later.every(({ sequence_number }) => sequence_number > number)).toBe(true);
      const before = live.some(({ sequence_number }) => sequence_number === number) ? live : all;
      const seen = before.filter(({ sequence_number }) => sequence_number <= number);
      expect(itemsOf([...seen, ...later])).toEqual(['one two three']);
      if (number !== all.at(-1)?.sequence_number) expect(later.at(-1)?.type).toBe('response.completed');
    }
  });

  test('goes on under new numbers with a new item when the turn runs again, whoever asks and when', async () => {
    const { id } = await background();
    const first = await front.turn();
    await front.write(first, ['void']);
    const reader = ((await get(id, '?stream=true')).body as ReadableStream<Uint8Array>).getReader();
    let text = await until(reader, 'void');
    await front.store.putBackTurns([{ ...first, cutOff: true }]);
    const again = await front.turn();
    await front.write(again, ['', 'fresh']);
    text = await until(reader, 'fresh', text);
    await run(again, 'fresh air');
    text = await until(reader, 'event: response.completed', text);
    const live = eventsOf(text + (await rest(reader)));
    expect(itemsOf(live)).toEqual(['void', 'fresh air']);
    const items = live.flatMap(({ type, item }) =>
      type === 'response.output_item.done' && item ? [item] : [],
    );
    expect(items.map(({ status }) => status)).toEqual(['incomplete', 'completed']);
    expect(items[0]?.id).not.toBe(items[1]?.id);
    const view = await viewOf(get(id));
    expect(view.output.map((item) => item.id)).toEqual([items[1]?.id]);
    expect(live.at(-1)?.response).toEqual(view);
    for (const { sequence_number: number } of live.slice(0, -1)) {
      const seen = live.filter(({ sequence_number }) => sequence_number <= number);
      const later = await streamOf(id, number);
      expect(itemsOf([...seen, ...later]).at(-1)).toBe('fresh air');
      expect(later.at(-1)?.type).toBe('response.completed');
    }
  });

  test('ends without an end when the gateway stops', async () => {
    const { id } = await background();
    const turn = await front.turn();
    await front.write(turn, ['so far']);
    const reader = ((await get(id, '?stream=true')).body as ReadableStream<Uint8Array>).getReader();
    const text = await until(reader, 'so far');
    front.channel.stopAccepting();
    const all = text + (await rest(reader));
    expect(eventsOf(all).at(-1)?.delta).toBe('so far');
  });

  test('that asks for no event is refused', async () => {
    const { id } = await background();
    expect(await errorOf(get(id, '?stream=true&starting_after=x'))).toMatchObject({
      status: 400,
      error: { param: 'starting_after' },
    });
  });
});

describe('a conversation', () => {
  test('is a session that is made before its first message, with what was said in it', async () => {
    const items = [
      { type: 'message', role: 'user', content: 'one' },
      { type: 'message', role: 'assistant', content: 'first' },
    ];
    const made = (await (
      await front.call('POST', '/v1/conversations', { metadata: { a: 'b' }, items })
    ).json()) as {
      readonly id: string;
    };
    expect(made).toEqual({
      id: expect.stringMatching(/^conv_/),
      object: 'conversation',
      created_at: expect.any(Number),
      metadata: { a: 'b' },
    });
    const path = `/v1/conversations/${made.id}`;
    expect(await (await front.call('GET', path)).json()).toEqual(made);
    expect(await (await front.call('POST', path, { metadata: { a: 'c' } })).json()).toMatchObject({
      metadata: { a: 'c' },
    });
    await background({ conversation: made.id, input: 'two' });
    const turn = await front.turn();
    expect(turn).toMatchObject({ session: `openai:@operator:${made.id}`, seq: 2, text: 'two' });
    await run(turn, 'second');
    const response = await background({ conversation: { id: made.id }, input: 'three' });
    expect(response).toMatchObject({ conversation: { id: made.id } });
    const next = await front.turn();
    expect(next.seq).toBe(3);
    await run(next, 'third');
    const other = await front.token('other', ['openai']);
    expect((await front.call('GET', path, undefined, {}, other)).status).toBe(404);
    expect(await (await front.call('DELETE', path)).json()).toEqual({
      id: made.id,
      object: 'conversation.deleted',
      deleted: true,
    });
    expect(await front.store.session(turn.session)).toBeNull();
    for (const gone of [front.call('GET', path), get(response.id)]) expect((await gone).status).toBe(404);
    expect(await errorOf(create({ input: 'x', conversation: made.id }))).toMatchObject({
      status: 404,
      error: { param: 'conversation', code: 'conversation_not_found' },
    });
  });
});

async function rest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
}
