import { afterEach, describe, expect, it } from 'vitest';
import { AgentError, type AgentEvent, type AgentRequest, CutOffError } from '../../../src/agents/agent.js';
import { HttpAgent, type HttpAgentOptions } from '../../../src/agents/http/http-agent.js';
import { TurnCallbacks } from '../../../src/agents/http/turn-callbacks.js';
import { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { agentRequest, fileTaker } from '../../support/agent-request.js';
import { memoryRecords } from '../../support/memory-records.js';
import { answer, head, ModelServer, type Script, write } from '../../support/model-server.js';
import { withTurns } from '../../support/turns.js';

const servers: ModelServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function agentOf(...scripts: Script[]) {
  const server = await ModelServer.listen(...scripts);
  servers.push(server);
  const records = memoryRecords();
  const make = (options: Partial<HttpAgentOptions> = {}) => {
    const callbacks = new TurnCallbacks(records);
    const agent = new HttpAgent({
      url: `${server.baseUrl}/turns`,
      timeout: 15_000,
      replyLimit: 1_000,
      sign: (id, body) => ({ 'webhook-id': id, 'webhook-signature': `of ${body.length}` }),
      callbacks,
      log: new RecordingLog(),
      ...options,
    });
    return { agent, callbacks };
  };
  return { server, records, make, ...make() };
}

const request = agentRequest({ turnId: 'turn_1', text: 'hello' });

async function run(
  agent: HttpAgent,
  signal = new AbortController().signal,
  onEvent = (_: AgentEvent) => {},
  changes: Partial<AgentRequest> = {},
) {
  const events: AgentEvent[] = [];
  let error: AgentError | null = null;
  try {
    for await (const event of agent.run({ ...request, ...changes }, signal)) {
      events.push(event);
      onEvent(event);
    }
  } catch (thrown) {
    if (!(thrown instanceof AgentError)) throw thrown;
    error = thrown;
  }
  return { events, error };
}

const end = (text: string, metadata = {}) => ({ type: 'end', reply: { text, metadata } });
const events = (text: string): Script => answer('200 OK', text, { 'content-type': 'text/event-stream' });
const plain = { 'content-type': 'text/plain; charset=utf-8' };

describe('files of a reply', () => {
  const file = (content: string, others = {}) => ({
    name: 'a.png',
    media_type: 'image/png',
    data: Buffer.from(content).toString('base64'),
    ...others,
  });

  async function filesOf(script: Script) {
    const { agent } = await agentOf(script);
    const { addFile, taken } = fileTaker();
    const outcome = await run(agent, undefined, undefined, { addFile });
    const last = outcome.events.at(-1);
    return { taken, error: outcome.error, reply: last?.type === 'end' ? last.reply : null };
  }

  it.each<[string, Script]>([
    [
      'JSON',
      answer('200 OK', { text: 'hi', attachments: [file('a'), file('bc', { media_type: undefined })] }),
    ],
    [
      'a stream',
      events(
        [
          `event: file\ndata: ${JSON.stringify(file('a'))}\n\n`,
          `event: reply\ndata: ${JSON.stringify({ text: 'hi', attachments: [file('bc')] })}\n\n`,
        ].join(''),
      ),
    ],
  ])('are taken from %s', async (_, script) => {
    const { taken, reply } = await filesOf(script);
    expect(taken.map(({ content }) => content)).toEqual(['a', 'bc']);
    expect(taken[0]).toMatchObject({ name: 'a.png', mediaType: 'image/png' });
    expect(reply).toMatchObject({ text: 'hi', attachments: [{ sizeBytes: 1 }, { sizeBytes: 2 }] });
  });

  it.each<[what: string, attachments: unknown, message: RegExp]>([
    ['of no array', {}, /"attachments" that are no array/],
    ['without a name', [{ data: 'YQ==' }], /a file without a "name" and "data" in base64/],
    ['that are no objects', [null], /a file without a "name"/],
    ['that are no base64', [file('', { data: 'a!b?' })], /"data" in base64/],
    [
      'that are too large',
      [file('12345678901')],
      /"a.png" is larger than 10 bytes \(attachments.file_limit\)/,
    ],
    ['that are too many', [file('a'), file('b'), file('c')], /one file too many/],
  ])('%s fail the attempt', async (_, attachments, message) => {
    const { error } = await filesOf(answer('200 OK', { text: 'hi', attachments }));
    expect(error).toMatchObject({ reason: 'bad-reply', message: expect.stringMatching(message) });
  });
});

describe('a turn', () => {
  it('is posted signed, with a token that is in its header only', async () => {
    const { server, agent, records } = await agentOf(answer('200 OK', { text: 'hi' }));
    await run(agent);
    const [received] = server.received;
    expect(received?.line).toBe('POST /v1/turns HTTP/1.1');
    expect(received?.headers).toMatchObject({
      'webhook-id': 'turn_1_1_0',
      'webhook-signature': `of ${received?.body.length}`,
      'content-type': 'application/json',
    });
    expect(JSON.parse(received?.body ?? '')).toMatchObject({
      type: 'turn',
      data: { turn_id: 'turn_1', attempt: 1, session: 'alice', text: 'hello' },
    });
    const token = received?.headers['sd-gateway-reply-token'] ?? '';
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(received?.body).not.toContain(token);
    expect(JSON.stringify([...records.all.values()])).not.toContain(token);
  });

  it('names the trace that it is part of, if there is one', async () => {
    const { server, agent } = await agentOf(answer('200 OK', 'a', plain), answer('200 OK', 'b', plain));
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await run(agent, undefined, undefined, { traceparent });
    await run(agent);
    const [traced, other] = server.received;
    expect(traced?.headers['traceparent']).toBe(traceparent);
    expect(other?.headers).not.toHaveProperty('traceparent');
  });

  it.each<[string, Script, readonly object[]]>([
    ['JSON', answer('200 OK', { text: 'hi', metadata: { a: 1 } }), [end('hi', { a: 1 })]],
    ['text', answer('200 OK', 'hi\n', plain), [end('hi')]],
    ['nothing', answer('204 No Content', '', { 'content-type': '' }), [end('')]],
    [
      'a stream',
      events(
        'event: status\ndata: {"text":"looks"}\n\nevent: delta\ndata: {"text":"h"}\n\nevent: new\ndata: x\n\nevent: delta\ndata: {"text":"i"}\n\nevent: usage\ndata: {"input_tokens":3,"output_tokens":1}\n\nevent: reply\ndata: {"metadata":{"a":1}}\n\nevent: delta\ndata: late\n\n',
      ),
      [
        { type: 'status', text: 'looks' },
        { type: 'delta', text: 'h' },
        { type: 'delta', text: 'i' },
        { type: 'usage', usage: { inputTokens: 3, outputTokens: 1 } },
        end('hi', { a: 1 }),
      ],
    ],
    [
      'a stream with another reply',
      events('event: delta\ndata: {"text":"h"}\n\nevent: reply\ndata: {"text":"bye"}\n\n'),
      [{ type: 'delta', text: 'h' }, end('bye')],
    ],
  ])('is answered by %s', async (_name, script, expected) => {
    const { agent } = await agentOf(script);
    expect(await run(agent)).toEqual({ error: null, events: [{ type: 'started' }, ...expected] });
  });

  it.each<[string, Script, string, boolean, RegExp]>([
    ['busy', answer('503 Busy', ''), 'unavailable', true, /HTTP 503/],
    ['elsewhere', answer('301 Moved', '', { location: '/x' }), 'unavailable', false, /redirect to "\/x"/],
    ['another', answer('404 Not Found', 'no'), 'unavailable', false, /HTTP 404: no; check agent.url/],
    ['strict', answer('422 No', 'no'), 'failed', false, /HTTP 422: no/],
    ['ill', answer('500 Oops', 'oh'), 'failed', true, /HTTP 500: oh/],
    ['cut off', (socket) => void socket.end(), 'failed', true, /gave no answer/],
    ['cut off later', answer('200 OK', '{', { 'content-length': '9' }), 'failed', true, /broke within/],
    ['garbled', answer('200 OK', '{'), 'bad-reply', true, /is no JSON object/],
    ['silent', answer('200 OK', {}), 'bad-reply', true, /has no "text"/],
    ['a page', answer('200 OK', '<p>', { 'content-type': 'text/html' }), 'bad-reply', true, /"text\/html"/],
    ['talkative', answer('200 OK', { text: 'a'.repeat(1_001) }), 'bad-reply', true, /larger than 1000/],
    ['deep', answer('200 OK', { text: '', metadata: [] }), 'bad-reply', true, /"metadata" that must be/],
    [
      'without end',
      events('event: delta\ndata: {"text":"a"}\n\n'),
      'failed',
      true,
      /ended without its reply/,
    ],
    [
      'failing',
      events('event: error\ndata: {"message":"no"}\n\n'),
      'failed',
      true,
      /said that it failed: no/,
    ],
    [
      'failing in many words',
      events(`event: error\ndata: {"message":"${'no '.repeat(10_000)}"}\n\n`),
      'failed',
      true,
      /^the agent said that it failed: (?:no ){600,700}.{0,3}…$/,
    ],
    [
      'failing without words',
      events('event: error\ndata: {"message":{"toString":1}}\n\n'),
      'failed',
      true,
      /said that it failed: \{"toString":1\}/,
    ],
    ['wrong', events('event: delta\ndata: {}\n\n'), 'bad-reply', true, /without "text"/],
  ])('fails when the agent is %s', async (_name, script, reason, retry, message) => {
    const { agent, callbacks, server } = await agentOf(script);
    const { error } = await run(agent);
    expect(error?.message).toMatch(message);
    expect(error).toMatchObject({ reason, retry });
    // Later bytes are not taken.
    const token = server.received[0]?.headers['sd-gateway-reply-token'] ?? '';
    expect(await callbacks.take('turn_1', token, { text: 'x', metadata: {} })).toEqual({ outcome: 'ended' });
    await server.disconnected();
  });

  it('is held while the agent is away', async () => {
    const { make } = await agentOf();
    const { error } = await run(make({ url: 'http://127.0.0.1:9/' }).agent);
    expect(error).toMatchObject({ reason: 'unavailable', retry: true });
  });

  it('reads an answer in many short chunks a little in each turn of the event loop', async () => {
    const { make } = await agentOf(async (socket) => {
      const chunked = { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' };
      await write(socket, `${head('200 OK', chunked)}${'1\r\nx\r\n'.repeat(60_000)}0\r\n\r\n`);
    });
    const { result, turns } = await withTurns(() => run(make({ replyLimit: 100_000 }).agent));
    expect(result.events.at(-1)).toEqual(end('x'.repeat(60_000)));
    expect(turns).toBeGreaterThan((6 * 60_000) / 8_192);
  });

  it('closes the connection of an agent that writes without end', async () => {
    let sentBytes = 0;
    const { agent, server } = await agentOf(async (socket) => {
      await write(socket, head('200 OK', { 'content-type': 'text/event-stream' }));
      const block = Buffer.alloc(65_536, 'a');
      while (sentBytes < 100_000_000 && (await write(socket, block))) sentBytes += block.length;
    });
    expect((await run(agent)).error?.message).toMatch(/has a line of more than/);
    await server.disconnected();
    expect(sentBytes).toBeLessThan(10_000_000);
  });
});

describe('a reply that comes later', () => {
  const later = answer('202 Accepted', '');
  const reply = { text: 'at last', metadata: {} };
  const tokenOf = (server: ModelServer) => server.received.at(-1)?.headers['sd-gateway-reply-token'] ?? '';

  it('ends the turn', async () => {
    const { agent, callbacks, server } = await agentOf(later);
    const { events: seen } = await run(agent, undefined, (event) => {
      if (event.type === 'waits') void callbacks.take('turn_1', tokenOf(server), reply);
    });
    expect(seen).toEqual([{ type: 'started' }, { type: 'waits', reason: 'callback' }, end('at last')]);
  });

  it.each(['drain', 'claim-lost'] as const)('is waited for by the next start after a %s', async (by) => {
    const { agent, server, make } = await agentOf(later);
    const abort = new AbortController();
    const first = await run(agent, abort.signal, (event) => {
      if (event.type === 'waits') abort.abort(new CutOffError(by));
    });
    expect(first.error).toMatchObject({ reason: 'cancelled' });
    const next = make();
    const second = await run(next.agent, undefined, (event) => {
      if (event.type === 'waits') void next.callbacks.take('turn_1', tokenOf(server), reply);
    });
    expect(second.events).toEqual([{ type: 'waits', reason: 'callback' }, end('at last')]);
    expect(server.received).toHaveLength(1);
  });

  it('may come between two starts', async () => {
    const { agent, server, make } = await agentOf(later);
    const abort = new AbortController();
    await run(agent, abort.signal, (event) => {
      if (event.type === 'waits') abort.abort(new CutOffError('drain'));
    });
    await make().callbacks.take('turn_1', tokenOf(server), reply);
    expect((await run(make().agent)).events.at(-1)).toEqual(end('at last'));
    expect(server.received).toHaveLength(1);
  });

  it.each(['cancelled', 'timeout'] as const)('is not taken after a %s', async (by) => {
    const { agent, callbacks, server } = await agentOf(later);
    const abort = new AbortController();
    await run(agent, abort.signal, (event) => {
      if (event.type === 'waits') abort.abort(new CutOffError(by));
    });
    expect(await callbacks.take('turn_1', tokenOf(server), reply)).toEqual({ outcome: 'ended' });
  });

  it('that doesn’t come in time fails the attempt', async () => {
    const { make, server } = await agentOf(later);
    const { agent, callbacks } = make({ timeout: 50 });
    const { error } = await run(agent);
    expect(error).toMatchObject({ reason: 'timeout', retry: true });
    expect(await callbacks.take('turn_1', tokenOf(server), reply)).toEqual({ outcome: 'ended' });
  });
});
