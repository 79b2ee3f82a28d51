import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { agentRequest, agentSessionRecord } from '../../support/agent-request.js';
import { isAlive } from '../../support/is-alive.js';
import { failure, Place, said, turn } from './fixture.js';

const earlier = {
  messageId: 'm0',
  seq: 1,
  text: 'what was before',
  sender: null,
  acceptedAt: 0,
  reply: { text: 'an answer', metadata: {} },
};

describe('a turn', () => {
  test('has its reply, deltas, status lines and tokens', async () => {
    const agent = new Place().agent();
    const { events, reply } = await turn(agent, [
      'say Look.',
      'tool t1 read Read a.txt',
      'plan',
      'say Done.',
      'usage',
    ]);
    expect(reply).toEqual({ text: 'Look.\n\nDone.', metadata: {} });
    const deltas = events.flatMap((event) => (event.type === 'delta' ? event.text : []));
    expect(deltas.join('')).toBe('Look.\n\nDone.');
    expect(events[0]).toEqual({ type: 'started' });
    expect(events).toContainEqual({ type: 'usage', usage: { inputTokens: 12, outputTokens: 34 } });
    expect(events.some((event) => event.type === 'status')).toBe(true);
  });

  test('tells the agent of the turn and the attempt', async () => {
    const place = new Place();
    const agent = place.agent();
    expect(JSON.parse(await said(agent, 'meta'))).toEqual({
      turn_id: 'turn-1',
      message_id: 'message-1',
      attempt: 1,
      put_backs: 0,
    });
    expect(JSON.parse(await said(agent, 'meta', { attempt: 2, putBacks: 1 }))).toMatchObject({
      attempt: 2,
      put_backs: 1,
    });
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(JSON.parse(await said(agent, 'meta', { traceparent }))).toMatchObject({ traceparent });
    // The agent is told that it may have begun before.
    expect(JSON.parse(await said(agent, 'history')).join()).toContain('cut off');
  });

  test('has the directory of its session, a home, and nothing of the unit’s', async () => {
    const place = new Place();
    const agent = place.agent({}, { environment: { ...process.env, NOTIFY_SOCKET: '/x', MODEL_KEY: 'k' } });
    expect(await said(agent, 'cwd')).toBe(join(place.directory, 'sessions/alice'));
    expect(await said(agent, 'env HOME')).toBe(join(place.directory, 'home'));
    expect(await said(agent, 'env NOTIFY_SOCKET')).toBe('undefined');
    expect(await said(agent, 'env MODEL_KEY')).toBe('k');
    expect(await said(agent, 'env SD_GATEWAY_SESSION')).toBe('alice');
  });

  test('is among the processes of running turns, until it is over', async () => {
    const place = new Place();
    const agent = place.agent();
    const cancel = new AbortController();
    const running = turn(agent, 'hang', {}, cancel.signal);
    await place.isAsked('session/prompt');
    const [its] = place.processes;
    expect(its).toMatchObject({ turnId: 'turn-1', messageId: 'message-1', session: 'alice' });
    expect(its?.pid).toBe(place.asked()[0]?.pid);
    cancel.abort();
    await running;
    expect(place.processes.size).toBe(0);
  });

  test('gives the agent its MCP servers, mode and model', async () => {
    const place = new Place();
    const file = join(place.directory, 'mcp.json');
    writeFileSync(
      file,
      JSON.stringify({
        mcpServers: {
          files: { command: '/bin/files', args: ['-r'], env: { KEY: 'k' } },
          web: { url: 'http://127.0.0.1:1/', headers: { a: 'b' } },
        },
      }),
    );
    const agent = place.agent({}, { mcpServers: file, mode: 'code', model: 'large' });
    expect(await said(agent, 'hi')).toBe('hi');
    const asked = Object.fromEntries(place.asked().map(({ method, params }) => [method, params]));
    expect(asked['session/new']).toMatchObject({
      mcpServers: [
        { name: 'files', command: '/bin/files', args: ['-r'], env: [{ name: 'KEY', value: 'k' }] },
        { type: 'http', name: 'web', url: 'http://127.0.0.1:1/', headers: [{ name: 'a', value: 'b' }] },
      ],
    });
    expect(asked['session/set_mode']).toMatchObject({ modeId: 'code' });
    expect(asked['session/set_config_option']).toMatchObject({ configId: 'm', value: 'large' });
    expect(asked['initialize']).toMatchObject({
      protocolVersion: 1,
      clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
    });
  });
});

describe('an agent that can’t be used has done nothing, and says what to do', () => {
  test.each<[what: string, fault: object, options: object, message: RegExp]>([
    ['no program', {}, { command: ['/nonexistent/agent'] }, /could not be started.*ENOENT/],
    [
      'an exit at once',
      {},
      { command: ['sh', '-c', 'echo oh no >&2; exit 3'] },
      /status 3; standard error ends: oh no/,
    ],
    ['another version', { version: 99 }, {}, /speaks version 99 of the Agent Client Protocol/],
    ['a login', { auth: true }, {}, /wants a login.*"A key of the model"/],
    ['another mode', {}, { mode: 'sing' }, /no mode "sing" \(agent.mode\): it offers ask, code/],
    ['another model', {}, { model: 'huge' }, /no model "huge" \(agent.model\): it offers small, large/],
    ['no MCP servers', {}, { mcpServers: '/nonexistent' }, /can't be read from \/nonexistent.*ENOENT/],
    ['an end in the handshake', { dieAt: 'initialize' }, {}, /killed by SIGKILL/],
    ['an end before there is a session', { dieAt: 'session/new' }, {}, /killed by SIGKILL/],
  ])('%s', async (_, fault, options, message) => {
    const error = await failure(new Place().agent(fault, options), 'hi');
    expect(error.reason).toBe('unavailable');
    expect(error.message).toMatch(message);
  });

  test('a login that it asks for at the first message only', async () => {
    const place = new Place();
    const agent = place.agent();
    const error = await failure(agent, 'error -32000 Authentication required');
    expect(error.reason).toBe('unavailable');
    expect(error.message).toMatch(/wants a login.*"A key of the model"/);
    // Another process may find that somebody has logged in.
    expect(isAlive(place.asked()[0]?.pid ?? 0)).toBe(false);
    // What it has begun counts.
    const late = await failure(agent, ['tool t1 execute rm', 'error -32000 Authentication required']);
    expect(late.reason).toBe('failed');
  });

  test('a cancel while it starts ends it', async () => {
    const place = new Place();
    const cancel = new AbortController();
    const running = failure(
      place.agent({ hangAt: 'initialize', stubborn: true }, { killDelay: 50 }),
      'hi',
      {},
      cancel.signal,
    );
    await place.isAsked('initialize');
    cancel.abort();
    expect((await running).reason).toBe('cancelled');
    expect(isAlive(place.asked()[0]?.pid ?? 0)).toBe(false);
  });
});

describe('the process of a session', () => {
  test('lives from turn to turn, and is each session’s own', async () => {
    const agent = new Place().agent();
    const first = await said(agent, 'pid');
    expect(await said(agent, 'pid')).toBe(first);
    const other = await said(agent, 'pid', { session: 'bob' });
    expect(other).not.toBe(first);
    expect(await said(agent, 'pid')).toBe(first);
  });

  test('ends when it was idle for long', async () => {
    const agent = new Place().agent({}, { idle: 1 });
    const pid = Number(await said(agent, 'pid'));
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  test('ends with a reset, and when the agent is closed', async () => {
    const agent = new Place().agent();
    const first = Number(await said(agent, 'pid'));
    const second = Number(await said(agent, 'pid', { generation: 2, agentSession: agentSessionRecord() }));
    expect(isAlive(first)).toBe(false);
    agent.endSession('alice');
    const third = Number(await said(agent, 'pid', { generation: 2 }));
    expect(isAlive(second)).toBe(false);
    await agent.close();
    expect(isAlive(third)).toBe(false);
  });

  test('gives way, the longest idle one first, where there are as many as there may be', async () => {
    const place = new Place();
    const agent = place.agent({}, { processesLimit: 2 });
    const pidOf = async (session: string) => Number(await said(agent, 'pid', { session }));
    const [a, b] = [await pidOf('a'), await pidOf('b')];
    expect(await pidOf('a')).toBe(a);
    const c = await pidOf('c');
    expect([a, b, c].map(isAlive)).toEqual([true, false, true]);
  });

  test('is waited for where none is idle, and a cancel ends the wait', async () => {
    const place = new Place();
    const agent = place.agent({}, { processesLimit: 1 });
    const cancel = new AbortController();
    const first = turn(agent, 'hang', { session: 'a' }, cancel.signal);
    await place.isAsked('session/prompt');
    const second = said(agent, 'hi', { session: 'b' });
    const tired = new AbortController();
    const third = failure(agent, 'hi', { session: 'c' }, tired.signal);
    tired.abort();
    expect((await third).reason).toBe('cancelled');
    cancel.abort();
    expect((await first).error?.reason).toBe('cancelled');
    expect(await second).toBe('hi');
  });
});

describe('a session that its process has left', () => {
  /** A turn, the end of its process by that, and a second turn in another process. */
  async function resumed(fault: object, history = [earlier], attempt = 2) {
    const place = new Place();
    const agentSession = agentSessionRecord();
    const agent = place.agent(fault);
    const first = await failure(agent, ['say half', 'die'], { agentSession });
    expect(first.reason).toBe('killed');
    const changes = { agentSession, attempt, history: async () => history };
    const outcome = await turn(agent, ['say whole ', 'history'], changes);
    return { place, outcome, text: outcome.reply?.text ?? '' };
  }

  /** The turn before as the gateway knows it, which a replay ends with. */
  const told = [{ ...earlier, text: 'say half\ndie', reply: { text: '', metadata: {} } }];

  test('is resumed', async () => {
    const { place, text, outcome } = await resumed({ resume: true, load: true });
    expect(text).toBe('whole ["say half\\ndie"]');
    expect(outcome.reply?.metadata).toEqual({});
    expect(place.methods()).toEqual(['session/new', 'session/prompt', 'session/resume', 'session/prompt']);
  });

  test.each(['before its answer', 'behind its answer'])(
    'is loaded, and the replay %s is none of the reply',
    async (when) => {
      const { place, text } = await resumed({ load: when === 'behind its answer' ? 'late' : true }, told, 1);
      expect(text).toBe('whole ["say half\\ndie"]');
      expect(place.methods()).toContain('session/load');
    },
  );

  test('is loaded, and a replay with long pauses is waited for until it has told the last turn', async () => {
    const place = new Place();
    const agentSession = agentSessionRecord();
    expect(await said(place.agent({ load: true }), 'say done', { agentSession })).toBe('done');
    const last = { ...earlier, text: 'say  done', reply: { text: 'do\nne', metadata: {} } };
    const changes = { agentSession, history: async () => [last] };
    const { reply } = await turn(place.agent({ load: 'slow' }), ['sleep 500', 'say whole'], changes);
    expect(reply).toEqual({ text: 'whole', metadata: {} });
  });

  test('is loaded where it can’t be resumed, though the agent said so', async () => {
    const { place, text } = await resumed({ resume: 'refused', load: true }, told, 1);
    expect(text).toBe('whole ["say half\\ndie"]');
    expect(place.methods().slice(2)).toEqual(['session/resume', 'session/load', 'session/prompt']);
  });

  test.each<[what: string, fault: object, methods: readonly string[]]>([
    ['can open none again', {}, ['session/new', 'session/prompt']],
    ['has lost it', { load: 'refused' }, ['session/load', 'session/new', 'session/prompt']],
    ['dies of it', { load: true, dieAt: 'session/load' }, ['session/load', 'session/new', 'session/prompt']],
  ])('begins anew with the conversation so far where the agent %s', async (_, fault, methods) => {
    const { place, outcome, text } = await resumed(fault);
    expect(text).toBe('whole []');
    expect(outcome.reply?.metadata).toEqual({ acp: { context: 'history' } });
    expect(place.methods().slice(2)).toEqual(methods);
    const prompts = place.asked().filter(({ method }) => method === 'session/prompt');
    expect(JSON.stringify(prompts.at(-1)?.params)).toContain('Person: what was before');
    expect(place.logged()).toContain(
      'The agent gets the conversation so far as text, as it knows nothing of it.',
    );
  });

  test('gets the conversation so far where the agent takes any id for one that it knows', async () => {
    const { place, outcome } = await resumed({ load: 'empty' });
    expect(outcome.reply?.metadata).toEqual({ acp: { context: 'history' } });
    expect(place.logged().join()).toContain('it told no message of the session');
  });

  test('has no context after the first turn that ended well', async () => {
    const place = new Place();
    const agent = place.agent();
    const history = async () => [earlier];
    expect((await turn(agent, 'hi', { history })).reply?.metadata).toEqual({ acp: { context: 'history' } });
    expect((await turn(agent, 'hi', { history })).reply?.metadata).toEqual({});
  });
});

describe('the end of a turn', () => {
  test.each<[what: string, fault: object]>([
    ['an agent that obeys', {}],
    ['an agent that ignores the cancel', { noCancel: true }],
    ['an agent that ignores SIGTERM as well', { noCancel: true, stubborn: true }],
  ])('by cancelling %s leaves nothing running', async (_, fault) => {
    const place = new Place();
    const agent = place.agent({ ...fault, resume: true }, { killDelay: 100 });
    const cancel = new AbortController();
    const agentSession = agentSessionRecord();
    const running = turn(agent, ['child', 'hang'], { agentSession }, cancel.signal);
    await place.isAsked('session/prompt');
    // The text with the child's number has come by then.
    await new Promise((resolve) => setTimeout(resolve, 200));
    cancel.abort();
    const { error, events } = await running;
    expect(error?.reason).toBe('cancelled');
    expect(place.methods()).toContain('session/cancel');
    const child = Number(events.flatMap((event) => (event.type === 'delta' ? event.text : [])).join(''));
    expect(child).toBeGreaterThan(0);
    expect([child, place.asked()[0]?.pid ?? 0].map(isAlive)).toEqual([false, false]);
    expect(await said(agent, 'hi', { agentSession })).toBe('hi');
    expect(place.methods()).toContain('session/resume');
  });

  test('before it began starts nothing', async () => {
    const place = new Place();
    expect((await failure(place.agent(), 'hi', {}, AbortSignal.abort())).reason).toBe('cancelled');
    expect(place.asked()).toEqual([]);
  });

  test.each<[what: string, script: readonly string[], reason: string, message: RegExp]>([
    ['a kill', ['die'], 'killed', /killed by SIGKILL/],
    ['an exit', ['die 3'], 'failed', /exited with status 3; standard error ends: it was too much/],
    ['half a message', ['half'], 'killed', /SIGKILL/],
    ['the end of its output', ['eof'], 'failed', /closed its standard output/],
    ['a question and a kill', ['askAndDie'], 'killed', /SIGKILL/],
    ['an error of its model', ['error 400 bad request'], 'failed', /error 400: bad request: of the model/],
    ['nothing at all', ['end end_turn'], 'bad-reply', /without a word/],
    ['a refusal', ['end refusal'], 'failed', /refused/],
    ['a cancel of its own', ['say x', 'end cancelled'], 'failed', /nobody here did/],
  ])('by %s fails it, and the next one runs', async (_, script, reason, message) => {
    const place = new Place();
    const agent = place.agent({ resume: true });
    const agentSession = agentSessionRecord();
    const error = await failure(agent, script, { agentSession });
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(message);
    expect(await said(agent, 'hi', { agentSession })).toBe('hi');
  });

  test('ends what the turn has left behind, and not what the agent holds', async () => {
    const agent = new Place().agent();
    const left = Number(await said(agent, 'child orphan'));
    // The reply does not wait for that, and the next turn does.
    const held = Number(await said(agent, 'child'));
    expect(isAlive(left)).toBe(false);
    expect(isAlive(held)).toBe(true);
    await agent.close();
    expect(isAlive(held)).toBe(false);
  });
});

describe('an agent’s output', () => {
  test('may have lines that are no messages, answers that come twice, late or to nothing', async () => {
    const place = new Place();
    const agent = place.agent();
    expect(await said(agent, ['garbage 100', 'say a', 'twice'])).toBe('a');
    expect(place.logged().filter((message) => message.includes('no message of the protocol'))).toHaveLength(
      10,
    );
    expect(await said(agent, ['say b', 'late c'])).toBe('b');
    expect(await said(agent, ['echo my own words', 'elsewhere d', 'say e'])).toBe('e');
  });

  test('may have long lines and messages that the protocol does not know', async () => {
    const agent = new Place().agent();
    expect(await said(agent, ['extras', 'unknown', 'line 7'])).toBe('-32601');
  });

  test.each(['line 100', 'endless'])(
    'is bounded, so "%s" ends the turn and little memory is held',
    async (step) => {
      const place = new Place();
      const agent = place.agent({ resume: true });
      const agentSession = agentSessionRecord();
      const before = process.memoryUsage().rss;
      const error = await failure(agent, step, { agentSession });
      expect(error.message).toBe('the agent was ended: a line is longer than 8388608 bytes');
      expect((process.memoryUsage().rss - before) / 1024 ** 2).toBeLessThan(80);
      expect(await said(agent, 'hi', { agentSession })).toBe('hi');
    },
  );

  test('may be a flood: little of it is held, though nobody reads the events', async () => {
    const agent = new Place().agent();
    const before = process.memoryUsage().rss;
    const events = agent
      .run(agentRequest({ text: 'flood 50000\nsay done' }), new AbortController().signal)
      [Symbol.asyncIterator]();
    expect((await events.next()).value).toEqual({ type: 'started' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    let count = 0;
    for (let next = await events.next(); !next.done; next = await events.next()) count += 1;
    expect(count).toBeLessThan(60_000);
    expect((process.memoryUsage().rss - before) / 1024 ** 2).toBeLessThan(80);
  });

  test('of requests whose answers it does not read ends the turn', async () => {
    const error = await failure(new Place().agent(), 'requests');
    expect(error.message).toBe('the agent was ended: it does not read what it is sent');
  });

  test('is no longer than a reply may be', async () => {
    const error = await failure(new Place().agent({}, { replyLimit: 10 }), ['say 12345', 'say 678901']);
    expect(error).toMatchObject({ reason: 'bad-reply' });
    expect(error.message).toContain('larger than 10 bytes (agent.reply_limit)');
  });
});

describe('permission', () => {
  const allow = ['read', 'other'];

  test.each<[what: string, step: string, outcome: string]>([
    ['is denied by default', 'ask execute aArR rm -r /', 'id-r'],
    ['is given once to a kind that is allowed', 'ask read AaR Read a.txt', 'id-a'],
    ['is given where only "always" is offered', 'ask read AR Read a.txt', 'id-A'],
    ['is denied where only "never" is offered', 'ask edit AR Write a.txt', 'id-R'],
    ['is denied where nothing is offered', 'ask edit - Write a.txt', 'cancelled'],
    ['of a tool without a kind is that of "other"', 'ask - ar Think', 'id-a'],
  ])('%s', async (_, step, outcome) => {
    const { reply } = await turn(new Place().agent({}, { allow }), step);
    expect(reply?.text).toBe(outcome);
  });

  test('that was denied is on record', async () => {
    const place = new Place();
    const { reply } = await turn(place.agent(), ['ask execute ar rm -r /', 'end cancelled']);
    expect(reply).toEqual({
      text: 'id-r',
      metadata: { acp: { stop_reason: 'cancelled', denied: [{ kind: 'execute', title: 'rm -r /' }] } },
    });
    expect(place.logged().join()).toContain('may not use it: rm -r / (execute)');
  });

  /** Runs a turn that asks, and answers its question with the id. */
  async function asked(step: string, answer: string | null) {
    const agent = new Place().agent({}, { allow: ['execute'], ask: ['execute'] });
    const request = agentRequest({ text: step });
    for await (const event of agent.run(request, new AbortController().signal)) {
      if (event.type === 'question') {
        expect(event.question).toEqual({
          kind: 'execute',
          title: 'rm x',
          input: { words: ['rm', 'x'] },
          options: [
            { id: 'id-A', name: 'A', effect: 'allow' },
            { id: 'id-r', name: 'r', effect: 'deny' },
          ],
        });
        event.answer(answer);
      } else if (event.type === 'end') return event.reply;
    }
    return null;
  }

  test('is a person’s to give for the kinds of "ask"', async () => {
    expect(await asked('ask execute Ar rm x', 'id-A')).toEqual({ text: 'id-A', metadata: {} });
    const denied = { acp: { denied: [{ kind: 'execute', title: 'rm x' }] } };
    expect(await asked('ask execute Ar rm x', 'id-r')).toEqual({ text: 'id-r', metadata: denied });
    expect(await asked('ask execute Ar rm x', null)).toEqual({ text: 'id-r', metadata: denied });
  });

  test('that nobody has given is taken back by a cancel', async () => {
    const place = new Place();
    const agent = place.agent({}, { ask: ['execute'] });
    const cancel = new AbortController();
    const events = agent.run(agentRequest({ text: 'ask execute ar x\nhang' }), cancel.signal);
    const kinds: string[] = [];
    await expect(async () => {
      for await (const { type } of events) {
        kinds.push(type);
        if (type === 'question') cancel.abort();
      }
    }).rejects.toMatchObject({ reason: 'cancelled' });
    expect(kinds).toContain('question');
    expect(place.methods()).toContain('session/cancel');
  });

  test('takes the kind of the tool call that was announced', async () => {
    const { reply } = await turn(new Place().agent({}, { allow: ['read'] }), [
      'tool call-0 read Read',
      'ask - ar X',
    ]);
    expect(reply?.text).toBe('id-a');
  });
});
