import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AgentError, type AgentEvent, type AgentRequest } from '../../../src/agents/agent.js';
import { OpenAiAgent, type OpenAiAgentOptions } from '../../../src/agents/openai/openai-agent.js';
import { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { agentFile, agentRequest } from '../../support/agent-request.js';
import {
  answer,
  delta,
  done,
  event,
  goodStream,
  head,
  ModelServer,
  type Script,
  stream,
  streamBytes,
  usage,
  write,
} from '../../support/model-server.js';

let directory: string;
const servers: ModelServer[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'openai-agent-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => rmSync(directory, { recursive: true }));

async function listen(...scripts: Script[]): Promise<ModelServer> {
  const server = await ModelServer.listen(...scripts);
  servers.push(server);
  return server;
}

const log = new RecordingLog();

function agent(server: Pick<ModelServer, 'baseUrl'>, options: Partial<OpenAiAgentOptions> = {}) {
  return new OpenAiAgent({
    baseUrl: server.baseUrl,
    model: 'small',
    keyFile: null,
    keyCredential: null,
    systemFile: null,
    history: { messages: 40, bytes: 32_768 },
    attachmentBytes: 1_000,
    parameters: {},
    timeout: 15_000,
    replyLimit: 1_000,
    environment: {},
    log,
    firstDelayMs: 1,
    ...options,
  });
}

interface Outcome {
  readonly events: readonly AgentEvent[];
  readonly error: AgentError | null;
}

async function run(
  of: OpenAiAgent,
  signal: AbortSignal = new AbortController().signal,
  request: AgentRequest = agentRequest(),
): Promise<Outcome> {
  const events: AgentEvent[] = [];
  try {
    for await (const each of of.run(request, signal)) events.push(each);
    return { events, error: null };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { events, error };
  }
}

function replyIn({ events, error }: Outcome): string {
  if (error !== null) throw error;
  const last = events.at(-1);
  if (last?.type !== 'end') throw new Error('The events end without a reply.');
  return last.reply.text;
}

const text = (outcome: Outcome) =>
  outcome.events.map((each) => (each.type === 'delta' ? each.text : '')).join('');

describe('a turn', () => {
  it('is streamed, with its tokens and where it comes from', async () => {
    const server = await listen(stream(...goodStream));
    expect(await run(agent(server))).toEqual({
      error: null,
      events: [
        { type: 'started' },
        { type: 'delta', text: 'Hello ' },
        { type: 'delta', text: 'world' },
        { type: 'usage', usage: { inputTokens: 9, outputTokens: 2 } },
        {
          type: 'end',
          reply: { text: 'Hello world', metadata: { model: 'small-1', finish_reason: 'stop' } },
        },
      ],
    });
    await server.disconnected();
  });

  it('sends the files of the message along', async () => {
    const server = await listen(stream(...goodStream));
    const files = [agentFile('a.png', 'a', 'image/png'), agentFile('b.png', 'x'.repeat(1_001), 'image/png')];
    await run(agent(server), undefined, agentRequest({ files }));
    expect(JSON.parse(server.received[0]?.body ?? '').messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'hello' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,YQ==' } },
          { type: 'text', text: expect.stringContaining('"b.png" (image/png, 1001 bytes)') },
        ],
      },
    ]);
  });

  it('asks with the system’s message, the history, the key and further fields', async () => {
    const [systemFile, keyFile] = [join(directory, 'system'), join(directory, 'key')];
    writeFileSync(systemFile, 'Be brief.\n');
    writeFileSync(keyFile, 'secret-1\n');
    const server = await listen(stream(...goodStream));
    const asked: number[] = [];
    const history = async (limit: number) => {
      asked.push(limit);
      const reply = { text: 'eins', metadata: {} };
      return [{ messageId: 'm', seq: 1, text: 'one', sender: null, acceptedAt: 1, reply }];
    };
    const parameters = { temperature: 0.2, stop: ['x'] };
    await run(agent(server, { systemFile, keyFile, parameters }), undefined, agentRequest({ history }));
    expect(asked).toEqual([20]);
    const [received] = server.received;
    expect(received?.line).toBe('POST /v1/chat/completions HTTP/1.1');
    expect(received?.headers).toMatchObject({
      authorization: 'Bearer secret-1',
      'content-type': 'application/json',
      accept: 'text/event-stream, application/json',
    });
    expect(JSON.parse(received?.body ?? '')).toEqual({
      model: 'small',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'one' },
        { role: 'assistant', content: 'eins' },
        { role: 'user', content: 'hello' },
      ],
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.2,
      stop: ['x'],
    });
  });

  it('names the trace that it is part of, if there is one', async () => {
    const server = await listen(stream(...goodStream), stream(...goodStream));
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await run(agent(server), undefined, agentRequest({ traceparent }));
    await run(agent(server));
    const [traced, other] = server.received;
    expect(traced?.headers['traceparent']).toBe(traceparent);
    expect(other?.headers).not.toHaveProperty('traceparent');
  });

  it('takes another key and another system’s message as soon as the files have them', async () => {
    const [systemFile, keyFile] = [join(directory, 'system-2'), join(directory, 'key-2')];
    const server = await listen(stream(...goodStream));
    const made = agent(server, { systemFile, keyFile, environment: { OPENAI_API_KEY: 'unused' } });
    for (const word of ['a', 'b']) {
      writeFileSync(systemFile, word);
      writeFileSync(keyFile, word);
      await run(made);
    }
    expect(server.received.map(({ headers }) => headers['authorization'])).toEqual(['Bearer a', 'Bearer b']);
    expect(server.received.map(({ body }) => JSON.parse(body).messages[0].content)).toEqual(['a', 'b']);
  });

  it.each([
    [{ environment: { OPENAI_API_KEY: ' k1 ' } }, 'Bearer k1'],
    [{ environment: {} }, undefined],
    [{ environment: { OPENAI_API_KEY: '' } }, undefined],
  ])('has the key of the environment, or none: %j', async (options, expected) => {
    const server = await listen(stream(...goodStream));
    await run(agent(server, options));
    expect(server.received[0]?.headers['authorization']).toBe(expected);
  });

  it('has the key of a credential', async () => {
    writeFileSync(join(directory, 'model-key'), 'of-the-unit\n');
    const server = await listen(stream(...goodStream));
    const environment = { CREDENTIALS_DIRECTORY: directory, OPENAI_API_KEY: 'unused' };
    await run(agent(server, { keyCredential: 'model-key', environment }));
    expect(server.received[0]?.headers['authorization']).toBe('Bearer of-the-unit');
  });

  it.each([
    ['as JSON', { choices: [{ message: { content: 'Hello' }, finish_reason: 'stop' }] }, {}],
    ['in parts', { choices: [{ message: { content: [{ type: 'text', text: 'Hello' }] } }] }, {}],
    [
      'with another type of JSON',
      { choices: [{ message: { content: 'Hello' } }] },
      { 'content-type': 'application/vnd.x+json; charset=utf-8' },
    ],
  ])('is answered as a whole: %s', async (_name, body, headers) => {
    const whole = { ...body, usage: { prompt_tokens: 1, completion_tokens: 1 } };
    const server = await listen(answer('200 OK', whole, headers));
    const outcome = await run(agent(server, { parameters: { stream: false } }));
    expect(replyIn(outcome)).toBe('Hello');
    expect(outcome.events.map(({ type }) => type)).toEqual(['started', 'delta', 'usage', 'end']);
    expect(JSON.parse(server.received[0]?.body ?? '')).not.toHaveProperty('stream_options');
  });

  it.each([
    ['without [DONE]', [delta('Hello', 'stop')]],
    ['without a reason of its end', [delta('Hello'), done]],
    ['with more behind its end', [delta('Hello'), done, delta(' there'), 'data: {nonsense\n\n']],
    ['with comments and empty events', [': ping\n\n', 'data:\n\n', delta('Hello'), ': x\n', done]],
    ['with chunks that have no choice', [event({ choices: [] }), delta('Hello'), event({}), done]],
    ['with other choices', [delta('Hello'), event({ choices: [{ index: 1, delta: {} }] }), done]],
    ['with CR LF', [delta('Hello').replaceAll('\n', '\r\n'), done]],
    ['with thoughts', [event({ choices: [{ delta: { reasoning_content: 'hm' } }] }), delta('Hello'), done]],
  ])('is taken %s', async (_name, events) => {
    const server = await listen(stream(...events));
    expect(replyIn(await run(agent(server)))).toBe('Hello');
    await server.disconnected();
  });

  it('puts a character together that came in two pieces, and shows no half of it', async () => {
    const halves = ['"\\ud83d"', '"\\ude00"', '"\\ud83d"'].map(
      (half) => `data: {"choices":[{"delta":{"content":${half}}}]}\n\n`,
    );
    const server = await listen(stream(...halves, done));
    const outcome = await run(agent(server));
    expect(replyIn(outcome)).toBe('😀');
    expect(text(outcome)).toBe('😀');
  });

  it('says once that the model thinks', async () => {
    const thought = event({ choices: [{ delta: { reasoning: 'hm' } }] });
    const server = await listen(stream(thought, thought, delta('a'), thought, done));
    const { events } = await run(agent(server));
    expect(events.filter(({ type }) => type === 'status')).toEqual([{ type: 'status', text: 'thinks' }]);
  });

  it('may have an empty reply', async () => {
    const server = await listen(stream(delta('', 'stop'), done));
    expect(replyIn(await run(agent(server)))).toBe('');
  });
});

const reset: Script = (socket) => {
  socket.resetAndDestroy();
};
const page = answer('200 OK', '<html>', { 'content-type': 'text/html' });
const noModel = answer('404 Not Found', { error: { message: 'no such model' } });
const models = answer('200 OK', { data: [{ id: 'large' }, { id: 'tiny' }, {}] });
const calls = event({ choices: [{ delta: { tool_calls: [{}] }, finish_reason: 'tool_calls' }] });
const filtered = event({ choices: [{ delta: {}, finish_reason: 'content_filter' }] });
const thoughtOnly = event({ choices: [{ delta: { reasoning: 'hm' }, finish_reason: 'length' }] });

describe('a server that fails', () => {
  it.each<[string, Script[], string, RegExp, number]>([
    [
      'has a wrong key',
      [answer('401 Unauthorized', { error: { message: 'bad key' } })],
      'unavailable',
      /HTTP 401: bad key; check the key/,
      1,
    ],
    [
      'has no such model',
      [noModel, models],
      'unavailable',
      /no such model.*the server has "large", "tiny"/,
      2,
    ],
    [
      'has no such model and lists none',
      [noModel, answer('500 Oops', '')],
      'unavailable',
      /check agent.model/,
      2,
    ],
    ['is another one', [page], 'unavailable', /"text\/html".*usually ends in "\/v1"/, 1],
    [
      'redirects',
      [answer('307 Temporary Redirect', '', { location: 'http://[::1]/' })],
      'unavailable',
      /redirect to "http:/,
      1,
    ],
    [
      'refuses the request',
      [answer('400 Bad Request', { error: { message: 'too long' } })],
      'failed',
      /too long; check agent.parameters/,
      1,
    ],
    ['is overloaded', [answer('503 Busy', '')], 'unavailable', /HTTP 503 \(3 tries\)/, 3],
    ['limits the rate', [answer('429 Slow down', '')], 'unavailable', /HTTP 429 \(3 tries\)/, 3],
    [
      'limits the rate for long',
      [answer('429 Slow down', '', { 'retry-after': '3600' })],
      'unavailable',
      /HTTP 429$/,
      1,
    ],
    ['has a fault', [answer('500 Oops', 'oh')], 'failed', /HTTP 500: oh \(3 tries\)/, 3],
    ['resets the connection', [reset], 'failed', /gave no answer/, 3],
    ['ends the connection', [(socket) => void socket.end()], 'failed', /gave no answer/, 3],
    ['speaks no HTTP', [(socket) => void socket.end('hello\r\n\r\n')], 'failed', /gave no answer/, 3],
    [
      'has endless headers',
      [(socket) => void write(socket, `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}`)],
      'failed',
      /gave no answer/,
      3,
    ],
    ['sends garbage', [stream('data: {"choices": [\n\n')], 'failed', /no JSON object/, 3],
    ['sends an array', [stream('data: []\n\n')], 'failed', /no JSON object/, 3],
    [
      'sends what is no UTF-8',
      [
        (socket) =>
          void socket.end(
            Buffer.concat([
              Buffer.from(head('200 OK', { 'content-type': 'text/event-stream' })),
              Buffer.from([0x64, 0xff, 0x0a]),
            ]),
          ),
      ],
      'failed',
      /is not UTF-8/,
      3,
    ],
    [
      'reports an error',
      [stream(event({ error: { message: 'no memory' } }))],
      'failed',
      /reported an error: no memory/,
      3,
    ],
    [
      'refuses in the stream',
      [stream(event({ error: { code: 400, message: 'too long' } }))],
      'failed',
      /too long; check/,
      1,
    ],
    ['ends the stream before the first word', [stream()], 'failed', /ended in the middle/, 3],
    ['ends the stream behind the first word', [stream(delta('a'))], 'failed', /ended in the middle/, 1],
    [
      'breaks behind the first word',
      [(socket) => void socket.end(streamBytes([delta('a')]).subarray(0, -5))],
      'failed',
      /broke within the answer/,
      1,
    ],
    ['has nothing to say', [stream(done)], 'failed', /without a reply/, 3],
    ['has no choice', [answer('200 OK', { choices: [] })], 'failed', /without a message/, 3],
    ['has an empty body', [answer('200 OK', '')], 'failed', /no JSON object/, 3],
    [
      'has a shorter body than it says',
      [answer('200 OK', '{}', { 'content-length': '9' })],
      'failed',
      /broke within the answer/,
      3,
    ],
    ['calls a tool', [stream(calls, done)], 'bad-reply', /asked for a tool/, 1],
    ['withholds the reply', [stream(filtered, done)], 'failed', /content filter/, 1],
    ['only thinks', [stream(thoughtOnly, done)], 'bad-reply', /raise max_tokens/, 1],
    ['sends a NUL', [stream(delta('a\0b'), done)], 'bad-reply', /NUL/, 1],
    [
      'writes too much',
      [stream(delta('a'.repeat(999)), delta('aa'), done)],
      'bad-reply',
      /larger than 1000 bytes/,
      1,
    ],
    [
      'answers too much',
      [answer('200 OK', { choices: [{ message: { content: 'a'.repeat(1_001) } }] })],
      'bad-reply',
      /larger than 1000 bytes/,
      1,
    ],
  ])('%s', async (_name, scripts, reason, message, requests) => {
    const server = await listen(...scripts);
    const { error } = await run(agent(server));
    expect(error?.message).toMatch(message);
    expect(error?.reason).toBe(reason);
    expect(server.received).toHaveLength(requests);
    await server.disconnected();
  });

  it('is away', async () => {
    const server = await ModelServer.listen(reset);
    await server.close();
    const { error, events } = await run(agent({ baseUrl: 'http://127.0.0.1:9' }));
    expect(error).toMatchObject({ reason: 'unavailable', retry: true });
    expect(error?.message).toMatch(/http:\/\/127\.0\.0\.1:9 can’t be reached: .*ECONNREFUSED.* \(3 tries\)/);
    expect(events).toEqual([]);
  });

  it.each([
    [
      { keyFile: '/nonexistent/key' },
      /\/nonexistent\/key \(agent.key_file\) can’t be read: there is no such file/,
    ],
    [{ systemFile: '/nonexistent/x' }, /\(agent.system_file\) can’t be read/],
    [{ systemFile: '/dev/zero' }, /is a device, no regular file/],
    [{ keyCredential: 'k' }, /add LoadCredential=k:PATH/],
    [{ environment: { OPENAI_API_KEY: 'a b' } }, /OPENAI_API_KEY must be one line of ASCII/],
  ])('is not asked without what it needs: %j', async (options, message) => {
    const server = await listen(stream(...goodStream));
    const { error } = await run(agent(server, options));
    expect(error).toMatchObject({ reason: 'unavailable' });
    expect(error?.message).toMatch(message);
    expect(server.received).toEqual([]);
  });

  it('comes back within the turn, after the time that it asked for', async () => {
    const slow = answer('429 Slow down', '', { 'retry-after-ms': '150' });
    const server = await listen(slow, reset, stream(...goodStream));
    const before = performance.now();
    expect(replyIn(await run(agent(server)))).toBe('Hello world');
    expect(performance.now() - before).toBeGreaterThanOrEqual(149);
    expect(log.records.at(-1)?.message).toMatch(/gave no answer.*asked again in 2 ms/);
  });

  it('is not waited for longer than the turn may take', async () => {
    const server = await listen(answer('503 Busy', '', { 'retry-after': '2' }));
    const { error } = await run(agent(server, { timeout: 1_000 }));
    expect(error?.message).toMatch(/HTTP 503$/);
  });

  it('is not waited for within the turn if it asks for long, but by all of the agent’s turns', async () => {
    const server = await listen(answer('429 Slow down', '', { 'retry-after': '3' }));
    const { error } = await run(agent(server));
    expect(error).toMatchObject({ reason: 'unavailable', retryAfterMs: 3_000 });
    expect(server.received).toHaveLength(1);
  });

  it('loses or doubles no word, wherever its answer is cut off', async () => {
    const bytes = streamBytes(goodStream);
    const complete = bytes.indexOf('"finish_reason":"stop"');
    let cutAt = 0;
    const server = await listen((socket) => {
      socket.end(bytes.subarray(0, cutAt));
    });
    const made = agent(server, { firstDelayMs: 0.01 });
    for (cutAt = 0; cutAt < bytes.length; cutAt += 7) {
      const outcome = await run(made);
      if (outcome.error === null) {
        expect(cutAt).toBeGreaterThan(complete);
        expect(replyIn(outcome)).toBe('Hello world');
      } else {
        expect(outcome.error).toMatchObject({ reason: 'failed', retry: true });
        expect('Hello world').toContain(text(outcome));
      }
    }
  });
});

describe('a cancel', () => {
  const half: Script = (socket) => void write(socket, streamBytes(goodStream).subarray(0, 300));
  it.each<[string, Script]>([
    ['before the answer', () => undefined],
    ['within the stream', half],
    [
      'within an answer as a whole',
      (socket) => void write(socket, head('200 OK', { 'content-type': 'application/json' })),
    ],
    ['within an error', (socket) => void write(socket, head('404 Not Found'))],
    ['between two tries', answer('500 Oops', '', { 'retry-after': '10' })],
  ])('closes the connection %s', async (_name, script) => {
    const server = await listen(script);
    const abort = new AbortController();
    const outcome = run(agent(server), abort.signal);
    await server.arrived(1);
    setImmediate(() => abort.abort());
    expect((await outcome).error).toMatchObject({ reason: 'cancelled' });
    await server.disconnected();
  });

  it('that came before asks nobody', async () => {
    const server = await listen(stream(...goodStream));
    const { error } = await run(agent(server), AbortSignal.abort());
    expect(error).toMatchObject({ reason: 'cancelled' });
    expect(server.received).toEqual([]);
  });
});

describe('a server that never ends', () => {
  /** Writes the piece until the client goes away, or so many bytes have gone out. */
  const endless =
    (type: string, piece: string, sent: { bytes: number }): Script =>
    async (socket) => {
      const block = Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length)));
      await write(socket, head('200 OK', { 'content-type': type }));
      while (sent.bytes < 100_000_000 && (await write(socket, block))) sent.bytes += block.length;
      socket.end();
    };

  it.each([
    ['a line', 'text/event-stream', 'a', /has a line of more than/, 3],
    ['an event', 'text/event-stream', 'data: a\n', /has an event of more than/, 3],
    ['a body', 'application/json', ' ', /is larger than/, 1],
    ['words', 'text/event-stream', delta('word'), /larger than 1000 bytes/, 1],
    ['a page', 'text/html', '<p>', /"text\/html"/, 1],
  ])('%s', async (_name, type, piece, message, tries) => {
    const sent = { bytes: 0 };
    const server = await listen(endless(type, piece, sent));
    const { error } = await run(agent(server));
    expect(error?.message).toMatch(message);
    await server.disconnected();
    // The limit takes some, and the kernel's buffers take some beside it.
    expect(sent.bytes / tries).toBeLessThan(10_000_000);
  });

  it('an error’s words', async () => {
    const sent = { bytes: 0 };
    const server = await listen(async (socket) => {
      await write(socket, head('400 Bad Request'));
      const block = Buffer.alloc(65_536, 'a');
      while (sent.bytes < 100_000_000 && (await write(socket, block))) sent.bytes += block.length;
    });
    const { error } = await run(agent(server));
    expect(error?.message).toMatch(/HTTP 400: a{300}…/);
    await server.disconnected();
    expect(sent.bytes).toBeLessThan(10_000_000);
  });
});

it('adds up tokens by the last count', async () => {
  const first = event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 1 } });
  const wrong = event({ choices: [], usage: { prompt_tokens: -1, completion_tokens: 'x' } });
  const server = await listen(stream(first, delta('a', 'stop'), usage, wrong, done));
  const { events } = await run(agent(server));
  expect(events.find(({ type }) => type === 'usage')).toEqual({
    type: 'usage',
    usage: { inputTokens: 9, outputTokens: 2 },
  });
});
