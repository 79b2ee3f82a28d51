// An agent that speaks ACP (version 1) and has the faults that it is told to have. Its only argument is a JSON object:
//   resume, load        how it opens a session again: true; for "load" also "late" (the replay behind the answer), "slow"
//                       (the same, after long pauses), "empty" (it answers and knows nothing), "refused"; for "resume" also
//                       "refused" (announced and not there)
//   dieAt, hangAt       a method at which it dies by SIGKILL, or which it never answers
//   version, auth, deaf, noCancel, stubborn
//   forgets             it can close and delete sessions
//   plan                a module that makes the scripts and further options
// A prompt is a script, one step a line: see `steps`. Sessions are kept in $HOME, so that they outlive the process.
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const given = JSON.parse(process.argv[2] ?? '{}');
const plan = given.plan === undefined ? null : await import(given.plan);
const options = { ...given, ...plan?.options };
const home = process.env.HOME;
const journal = join(home, 'acp-journal');
if (options.stubborn) process.on('SIGTERM', () => undefined);

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const note = (event) => appendFileSync(journal, `${JSON.stringify({ pid: process.pid, ...event })}\n`);
const fileOf = (id) => join(home, `acp-session-${id}.json`);
const historyOf = (id) => (existsSync(fileOf(id)) ? JSON.parse(readFileSync(fileOf(id), 'utf8')) : null);
const keep = (id, history) => writeFileSync(fileOf(id), JSON.stringify(history));
const update = (sessionId, sessionUpdate, members) =>
  send({ method: 'session/update', params: { sessionId, update: { sessionUpdate, ...members } } });
const chunk = (sessionId, text, kind = 'agent_message_chunk') =>
  update(sessionId, kind, { content: { type: 'text', text } });

let cancelled = () => undefined;
let isCancelled = false;
const waiting = new Map();
let nextId = 0;
const terminals = [];

/** Asks the client, and gives its answer. */
const ask = (method, params) => {
  const id = nextId++;
  send({ id, method, params });
  return new Promise((resolve) => waiting.set(id, resolve));
};

const permission = async ({ session }, words) => {
  const [kind, ids, ...title] = words.split(' ');
  const toolCall = { toolCallId: `call-${nextId}`, title: title.join(' '), rawInput: { words: title } };
  if (kind !== '-') toolCall.kind = kind;
  const kinds = { a: 'allow_once', A: 'allow_always', r: 'reject_once', R: 'reject_always' };
  const all = ids === '-' ? '' : ids;
  const shown = [...all].map((letter) => ({ optionId: `id-${letter}`, name: letter, kind: kinds[letter] }));
  const { result } = await ask('session/request_permission', {
    sessionId: session,
    toolCall,
    options: shown,
  });
  return result;
};

const answer = (id, result) => send({ id, result });
const refuse = (id, code, message, data) => send({ id, error: { code, message, ...(data && { data }) } });

const megabyte = Buffer.alloc(1_000_000, 'x');
const writeMegabyte = async () => {
  if (!process.stdout.write(megabyte)) await new Promise((resolve) => process.stdout.once('drain', resolve));
};

/** Steps of a prompt, by the first word of their line; `rest` is what follows. */
const steps = {
  say: ({ session }, rest) => chunk(session, rest),
  think: ({ session }, rest) => chunk(session, rest, 'agent_thought_chunk'),
  echo: ({ session }, rest) => chunk(session, rest, 'user_message_chunk'),
  message: ({ session }, rest) => {
    const [messageId, ...words] = rest.split(' ');
    update(session, 'agent_message_chunk', {
      messageId,
      content: { type: 'text', text: words.join(' ') },
    });
  },
  /** A content block with a file, as JSON. */
  file: ({ session }, rest) => update(session, 'agent_message_chunk', { content: JSON.parse(rest) }),
  /** The content of the files that the prompt links to. */
  cat: ({ session, params }) => {
    for (const { type, uri } of params.prompt) {
      if (type === 'resource_link') chunk(session, readFileSync(new URL(uri), 'utf8'));
    }
  },
  /** For another session than the turn's. */
  elsewhere: (_, rest) => chunk('another', rest),
  tool: ({ session }, rest) => {
    const [toolCallId, kind, ...title] = rest.split(' ');
    update(session, 'tool_call', { toolCallId, kind, title: title.join(' '), status: 'in_progress' });
    update(session, 'tool_call_update', { toolCallId, status: 'completed' });
  },
  plan: ({ session }) =>
    update(session, 'plan', {
      entries: [
        { content: 'look', priority: 'high', status: 'completed' },
        { content: 'write', priority: 'high', status: 'in_progress' },
      ],
    }),
  extras: ({ session }) => {
    update(session, 'available_commands_update', {
      availableCommands: [],
      _meta: { x: 'x'.repeat(560_000) },
    });
    update(session, 'usage_update', { used: 1, size: 2 });
    update(session, 'session_info_update', { title: 'x' });
    send({ method: '_auth/status_update', params: {} });
    send({ method: '$/cancel_request', params: { requestId: 99 } });
  },
  /** A request that no client knows. */
  unknown: async ({ session }) => chunk(session, JSON.stringify((await ask('craft/drain', {})).error.code)),
  /** "fs METHOD JSON": a request about files; its answer, or the error's number and text. */
  fs: async ({ session }, rest) => {
    const [method, ...params] = rest.split(' ');
    const { result, error } = await ask(`fs/${method}_text_file`, {
      sessionId: session,
      ...JSON.parse(params.join(' ')),
    });
    chunk(session, error ? `${error.code} ${error.message}` : JSON.stringify(result));
  },
  /**
   * "terminal METHOD JSON": a request about a terminal; its answer, or the error's number and text. "at" is the number of a
   * terminal that was made.
   */
  terminal: async ({ session }, rest) => {
    const [method, ...words] = rest.split(' ');
    const given = JSON.parse(words.join(' ') || '{}');
    const params = { sessionId: session, ...given };
    if (typeof given.at === 'number') params.terminalId = terminals[given.at];
    const { result, error } = await ask(`terminal/${method}`, params);
    if (result?.terminalId) terminals.push(result.terminalId);
    chunk(session, `${error ? `${error.code} ${error.message}` : JSON.stringify(result)}\n`);
  },
  /** Waits until the first terminal has an output, which is a text of a line. */
  shown: async ({ session }) => {
    const params = { sessionId: session, terminalId: terminals[0] };
    while (true) {
      const { output } = (await ask('terminal/output', params)).result;
      if (output.endsWith('\n')) {
        chunk(session, output);
        return;
      }
      await sleep(5);
    }
  },
  /** So many requests at once for a terminal; the number of those that were made, and the error of the others. */
  terminals: async ({ session }, rest) => {
    const params = { sessionId: session, command: 'sleep', args: ['1000'] };
    const answers = await Promise.all(
      Array.from({ length: Number(rest) }, () => ask('terminal/create', params)),
    );
    const made = answers.filter(({ result }) => result).length;
    chunk(session, `${made} ${answers.find(({ error }) => error)?.error.message}`);
  },
  /** Takes back a request for the end of the first terminal; its answer. */
  takeBack: async ({ session }) => {
    const answered = ask('terminal/wait_for_exit', { sessionId: session, terminalId: terminals[0] });
    send({ method: '$/cancel_request', params: { requestId: nextId - 1 } });
    chunk(session, String((await answered).error.code));
  },
  /** "ask KIND IDS TITLE": permission, with options of these ids; "-" for none. */
  ask: async (turn, rest) => {
    const { outcome } = await permission(turn, rest);
    chunk(turn.session, outcome.outcome === 'selected' ? outcome.optionId : outcome.outcome);
  },
  /** The same, and says nothing of the answer. */
  request: async (turn, rest) => {
    await permission(turn, rest);
  },
  askAndDie: ({ session }) => {
    void ask('session/request_permission', {
      sessionId: session,
      toolCall: { toolCallId: 'x', kind: 'execute', title: 'die' },
      options: [],
    });
    process.kill(process.pid, 'SIGKILL');
  },
  sleep: async (_, rest) => {
    await Promise.race([
      sleep(Number(rest)),
      new Promise((resolve) => {
        cancelled = resolve;
      }),
    ]);
  },
  /** Never goes on, but by a cancel. */
  hang: () =>
    new Promise((resolve) => {
      if (!options.noCancel) cancelled = resolve;
    }),
  die: (_, rest) => {
    if (rest === '') process.kill(process.pid, 'SIGKILL');
    process.stderr.write('it was too much\n');
    process.exit(Number(rest));
  },
  /** Writes half a message and dies. */
  half: () => {
    process.stdout.write('{"jsonrpc":"2.0","method":"session/upd', () =>
      process.kill(process.pid, 'SIGKILL'),
    );
    return new Promise(() => undefined);
  },
  eof: () => {
    closeSync(1);
    setInterval(() => undefined, 1_000);
    return new Promise(() => undefined);
  },
  garbage: (_, rest) => {
    for (let line = 0; line < Number(rest); line++) process.stdout.write(`no message ${line} {"id":\n`);
    for (const line of ['[]', '[1]', 'null', '3', '{}', '{"id":7}', '{"id":"0","result":{}}', '\u00ff', '']) {
      process.stdout.write(`${line}\n`);
    }
  },
  /** One line of so many MB, which ends. */
  line: async ({ session }, rest) => {
    const params = `{"sessionId":${JSON.stringify(session)},"update":{"sessionUpdate":"x","content":"`;
    process.stdout.write(`{"jsonrpc":"2.0","method":"session/update","params":${params}`);
    for (let left = Number(rest); left > 0; left--) await writeMegabyte();
    process.stdout.write('"}}}\n');
  },
  /** Bytes without an end of line, for as long as somebody reads. */
  endless: async () => {
    while (true) await writeMegabyte();
  },
  /** So many thoughts and status lines, as fast as they are read. */
  flood: async ({ session }, rest) => {
    for (let at = 0; at < Number(rest); at++) {
      chunk(session, `thought ${at}`, 'agent_thought_chunk');
      update(session, 'tool_call', {
        toolCallId: `t${at}`,
        title: `tool ${at}`,
        kind: 'read',
        status: 'pending',
      });
      if (process.stdout.writableNeedDrain)
        await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
  },
  /** Requests without an end, whose answers it does not read. */
  requests: async ({ session }) => {
    process.stdin.pause();
    while (true) {
      send({ id: nextId++, method: 'x'.repeat(50), params: { session } });
      if (process.stdout.writableNeedDrain)
        await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
  },
  /** Starts a process of a session of its own; with "orphan" its parent exits. Its PID is in the reply. */
  child: async ({ session }, rest) => {
    const script =
      rest === 'orphan'
        ? 'setsid sh -c "sleep 1000 & echo \\$!"'
        : 'setsid sh -c "echo \\$\\$; exec sleep 1000"';
    const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const pid = await new Promise((resolve) => child.stdout.once('data', resolve));
    if (rest === 'orphan') await new Promise((resolve) => child.once('exit', resolve));
    chunk(session, String(pid).trim());
  },
  /** The texts that it knows of the session. */
  history: ({ session, history }) => chunk(session, JSON.stringify(history.map(({ text }) => text))),
  meta: ({ session, params }) => chunk(session, JSON.stringify(params._meta)),
  env: ({ session }, rest) => chunk(session, String(process.env[rest])),
  cwd: ({ session }) => chunk(session, process.cwd()),
  pid: ({ session }) => chunk(session, String(process.pid)),
  error: ({ id }, rest) => {
    const [code, ...message] = rest.split(' ');
    refuse(id, Number(code), message.join(' '), { details: 'of the model' });
    return 'answered';
  },
  end: ({ id }, rest) => {
    answer(id, { stopReason: rest });
    return 'answered';
  },
  /** The answer twice, and one to nothing. */
  twice: ({ id }) => {
    for (let time = 0; time < 2; time++) answer(id, { stopReason: 'end_turn' });
    answer(77, {});
    return 'answered';
  },
  /** Text behind the answer, in one write with it: behind the next prompt it would be an answer to that. */
  late: ({ id, session }, rest) => {
    process.stdout.cork();
    answer(id, { stopReason: 'end_turn' });
    chunk(session, rest);
    process.stdout.uncork();
    return 'answered';
  },
  usage: ({ id }) => {
    answer(id, { stopReason: 'end_turn', usage: { inputTokens: 12, outputTokens: 34, totalTokens: 46 } });
    return 'answered';
  },
};

const modes = {
  currentModeId: 'ask',
  availableModes: [
    { id: 'ask', name: 'Ask' },
    { id: 'code', name: 'Code' },
  ],
};
const configOptions = [
  {
    id: 'm',
    name: 'Model',
    category: 'model',
    type: 'select',
    currentValue: 'small',
    options: [
      {
        group: 'g',
        name: 'G',
        options: [
          { value: 'small', name: 'S' },
          { value: 'large', name: 'L' },
        ],
      },
    ],
  },
];

const methods = {
  initialize: (id) =>
    answer(id, {
      protocolVersion: options.version ?? 1,
      agentCapabilities: {
        loadSession: options.load !== undefined,
        sessionCapabilities: {
          ...(options.resume !== undefined && { resume: {} }),
          ...(options.forgets && { close: {}, delete: {} }),
        },
        promptCapabilities: {
          image: options.images === true,
          audio: options.audio === true,
          embeddedContext: options.embeds === true,
        },
      },
      authMethods: [{ id: 'key', name: 'A key of the model', args: ['login', '--by key'] }],
      agentInfo: { name: 'faulty', version: '1' },
    }),
  'session/new': (id) => {
    if (options.auth) {
      refuse(id, -32000, 'Authentication required');
      return;
    }
    const sessionId = `s-${process.pid}-${Date.now()}`;
    keep(sessionId, []);
    answer(id, { sessionId, modes, configOptions });
  },
  'session/resume': (id, { sessionId }) => {
    if (options.resume === 'refused') refuse(id, -32601, 'Method not found');
    else if (historyOf(sessionId) === null) refuse(id, -32002, 'Resource not found');
    else answer(id, { modes, configOptions });
  },
  'session/load': async (id, { sessionId }) => {
    const history = historyOf(sessionId);
    if (options.load === 'refused' || (history === null && options.load !== 'empty')) {
      refuse(id, -32603, 'Internal error', { details: 'No previous sessions found' });
      return;
    }
    const pauseMs = { late: 20, slow: 250 }[options.load];
    const replay = async () => {
      for (const { role, text } of options.load === 'empty' ? [] : history) {
        if (options.load === 'slow') await sleep(pauseMs);
        chunk(sessionId, `replay of ${text}`, `${role}_message_chunk`);
        if (options.load === 'late') await sleep(pauseMs);
      }
    };
    if (pauseMs === undefined) await replay();
    answer(id, { modes, configOptions });
    if (pauseMs !== undefined) void replay();
  },
  'session/close': (id) => answer(id, {}),
  'session/delete': (id) => answer(id, {}),
  'session/set_mode': (id) => answer(id, {}),
  'session/set_config_option': (id) => answer(id, { configOptions }),
  'session/prompt': async (id, params) => {
    plan?.begins(params);
    await perform(id, params);
    plan?.ends();
  },
};

async function perform(id, params) {
  const { sessionId: session, prompt } = params;
  const texts = prompt.filter(({ type }) => type === 'text').map(({ text }) => text);
  const script = plan?.scriptOf(params) ?? texts.at(-1);
  const history = historyOf(session) ?? [];
  isCancelled = false;
  keep(session, [...history, ...texts.map((text) => ({ role: 'user', text }))]);
  for (const line of script.split('\n')) {
    const [word, ...rest] = line.split(' ');
    const step = steps[word] ?? plan?.steps[word] ?? (({ session }) => chunk(session, line));
    const outcome = await step({ id, session, history, params }, rest.join(' '));
    if (outcome === 'answered') return;
    if (isCancelled) {
      answer(id, { stopReason: 'cancelled' });
      return;
    }
  }
  keep(session, [...historyOf(session), { role: 'agent', text: 'done' }]);
  answer(id, { stopReason: 'end_turn' });
}

async function take(message) {
  const { id, method, params } = message;
  if (method === undefined) {
    waiting.get(id)?.(message);
    waiting.delete(id);
    return;
  }
  note({ method, params });
  if (options.dieAt === method) process.kill(process.pid, 'SIGKILL');
  if (options.hangAt === method) return;
  if (method === 'session/cancel') {
    if (options.noCancel) return;
    isCancelled = true;
    cancelled();
    return;
  }
  await methods[method]?.(id, params);
}

let rest = '';
process.stdin.on('data', (text) => {
  if (options.deaf) return;
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  for (const line of lines) void take(JSON.parse(line));
});
process.stdin.on('end', () => {
  if (!options.stubborn) process.exit(0);
});
