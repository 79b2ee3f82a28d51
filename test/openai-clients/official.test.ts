import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, load, openAiClients } from './fixture.js';

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[];
  readonly usage?: { readonly total_tokens: number } | null;
}

interface ResponseObject {
  readonly id: string;
  readonly status: string;
  readonly output_text: string;
}

interface ResponseEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly delta?: string;
  readonly output_index?: number;
  readonly response?: ResponseObject;
}

interface ErrorOfClient {
  readonly status?: number;
  readonly code?: string | null;
  readonly param?: string | null;
}

/** As far as the tests call it. */
interface Client {
  readonly models: {
    list(): Promise<{ readonly data: readonly { readonly id: string }[] }>;
    retrieve(id: string): Promise<{ readonly id: string }>;
  };
  readonly chat: {
    readonly completions: {
      create(
        body: { readonly stream: true; readonly [name: string]: unknown },
        options?: object,
      ): Promise<AsyncIterable<Chunk>>;
      create(
        body: object,
        options?: object,
      ): Promise<{
        readonly choices: readonly { readonly message: { readonly content: string } }[];
        readonly usage?: { readonly total_tokens: number };
      }>;
      stream(body: object, options?: object): { finalContent(): Promise<string | null> };
    };
  };
  readonly responses: {
    create(body: object, options?: object): Promise<ResponseObject>;
    retrieve(id: string): Promise<ResponseObject>;
    retrieve(
      id: string,
      query: { readonly stream: true; readonly starting_after?: number },
    ): Promise<AsyncIterable<ResponseEvent>>;
    stream(body: object): AsyncIterable<ResponseEvent> & { finalResponse(): Promise<ResponseObject> };
    cancel(id: string): Promise<ResponseObject>;
    delete(id: string): Promise<unknown>;
  };
  readonly conversations: {
    create(body: object): Promise<{ readonly id: string }>;
    retrieve(id: string): Promise<{ readonly id: string }>;
    delete(id: string): Promise<{ readonly deleted: boolean }>;
  };
}

type ClientClass = new (options: object) => Client;

describe.skipIf(openAiClients.missing !== null)('the official client', { timeout: 60_000 }, () => {
  let front: Front;
  let client: Client;
  let OpenAI: ClientClass;

  beforeAll(async () => {
    front = await Front.start();
    ({ default: OpenAI } = await load<{ readonly default: ClientClass }>('openai'));
    client = new OpenAI({ baseURL: front.base, apiKey: front.token, maxRetries: 8 });
  }, 60_000);
  afterAll(() => front.remove());

  const messages = (content: unknown) => [{ role: 'user', content }];
  const ask = (content: unknown, options: object = {}) =>
    client.chat.completions.create({ model: 'default', messages: messages(content) }, options);
  const errorOf = async (call: Promise<unknown>): Promise<ErrorOfClient> =>
    call.then(
      () => {
        throw new Error('It was not refused.');
      },
      (error: unknown) => error as ErrorOfClient,
    );

  test('lists the models', async () => {
    expect((await client.models.list()).data.map(({ id }) => id).toSorted()).toEqual(['default', 'other']);
    expect((await client.models.retrieve('other')).id).toBe('other');
  });

  test('talks to a session', async () => {
    const options = { headers: { 'X-Session-Id': 'ada-1' } };
    const first = await ask('hello', options);
    expect(first.choices[0]?.message.content).toBe('You said: hello');
    expect(first.usage?.total_tokens).toBe(8);
    expect((await ask('again', options)).choices[0]?.message.content).toBe('You said: again');
    const session = await front.place.run(['messages', 'openai:@operator:ada-1', '--json']);
    expect(session.stdout).toContain('again');
  });

  test('streams', async () => {
    const stream = await client.chat.completions.create({
      model: 'default',
      messages: messages('hello'),
      stream: true,
      stream_options: { include_usage: true },
    } as const);
    const chunks: Chunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('You said: hello');
    expect(chunks.at(-1)?.usage?.total_tokens).toBe(8);
    const helper = client.chat.completions.stream({ model: 'default', messages: messages('hello') });
    expect(await helper.finalContent()).toBe('You said: hello');
  });

  test('sends images and a system’s text', async () => {
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } };
    const answer = await client.chat.completions.create({
      model: 'default',
      messages: [
        { role: 'system', content: 'Be brief.' },
        ...messages([{ type: 'text', text: 'look' }, image]),
      ],
    });
    expect(answer.choices[0]?.message.content).toBe('You said: look [Be brief.] (image.png)');
  });

  test('throws its errors, also within a stream', async () => {
    const wrong = new OpenAI({ baseURL: front.base, apiKey: 'wrong', maxRetries: 0 });
    expect(await errorOf(wrong.models.list())).toMatchObject({ status: 401, code: 'invalid_api_key' });
    expect(await errorOf(client.models.retrieve('none'))).toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    expect(
      await errorOf(client.chat.completions.create({ model: 'default', messages: messages('x'), n: 2 })),
    ).toMatchObject({
      status: 400,
      param: 'n',
    });
    // Told not to, it does not try again.
    expect(await errorOf(ask('fail'))).toMatchObject({ status: 500, code: 'run_failed' });
    const stream = await client.chat.completions.create({
      model: 'default',
      messages: messages('fail'),
      stream: true,
    } as const);
    const read = async () => {
      for await (const _ of stream);
    };
    expect(await errorOf(read())).toMatchObject({ code: 'run_failed' });
  });

  test('has its answer when the gateway is restarted under it: its next try joins the run', async () => {
    const answer = ask('hold restart', { headers: { 'X-Session-Id': 'restart' } });
    await untilRuns('restart');
    await front.end('SIGKILL');
    await front.run();
    front.release('restart');
    expect((await answer).choices[0]?.message.content).toBe('You said: hold restart');
    const { stdout } = await front.place.run(['messages', 'openai:@operator:restart', '--json']);
    expect(stdout.match(/"seq"/g)?.length).toBe(1);
  });

  test('runs a response in the background, and follows it over a kill of the gateway', async () => {
    const { id, status } = await client.responses.create({
      model: 'default',
      input: 'hold background',
      background: true,
    });
    expect(['queued', 'in_progress']).toContain(status);
    const seen: ResponseEvent[] = [];
    const first = await client.responses.retrieve(id, { stream: true });
    const cut = (async () => {
      for await (const event of first) seen.push(event);
    })().catch(() => undefined);
    await untilRuns('background');
    await expect
      .poll(() => seen.some(({ delta }) => delta?.includes('said')), { timeout: 20_000 })
      .toBe(true);
    await front.end('SIGKILL');
    await cut;
    await front.run();
    front.release('background');
    const after = seen.at(-1)?.sequence_number ?? -1;
    for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: after }))
      seen.push(event);
    const numbers = seen.map(({ sequence_number }) => sequence_number);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    const text = seen
      .filter(({ output_index, type }) => type === 'response.output_text.delta' && output_index === 1)
      .map(({ delta }) => delta)
      .join('');
    expect(text).toBe('You said: hold background');
    expect(seen.at(-1)).toMatchObject({ type: 'response.completed' });
    expect((await client.responses.retrieve(id)).output_text).toBe('You said: hold background');
  });

  test('goes on with a response, in a conversation too', async () => {
    const first = await client.responses.create({ model: 'default', input: 'one' });
    expect(first.output_text).toBe('You said: one');
    const second = await client.responses.create({
      model: 'default',
      input: 'two',
      previous_response_id: first.id,
    });
    expect(second.output_text).toBe('You said: two');
    const stream = client.responses.stream({ model: 'default', input: 'three' });
    expect((await stream.finalResponse()).output_text).toBe('You said: three');
    const { id } = await client.conversations.create({});
    expect((await client.conversations.retrieve(id)).id).toBe(id);
    const third = await client.responses.create({ model: 'default', input: 'four', conversation: id });
    expect(third.output_text).toBe('You said: four');
    expect((await client.conversations.delete(id)).deleted).toBe(true);
  });

  test('cancels and deletes', async () => {
    const { id } = await client.responses.create({ model: 'default', input: 'hold never', background: true });
    expect((await client.responses.cancel(id)).status).toBe('cancelled');
    await client.responses.delete(id);
    expect(await errorOf(client.responses.retrieve(id))).toMatchObject({ status: 404 });
  });

  async function untilRuns(name: string): Promise<void> {
    await expect.poll(() => front.waits(name), { timeout: 20_000 }).toBe(true);
  }
});
