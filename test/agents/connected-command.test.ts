import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AgentEvent, AgentRequest } from '../../src/agents/agent.js';
import { ConnectedCommandAgent, type ConnectedCommandOptions } from '../../src/agents/connected-command.js';
import { replyOf } from '../../src/agents/reply-of.js';
import { RecordingLog } from '../gateway/delivery/recording-log.js';
import { agentFile, agentRequest, fileTaker } from '../support/agent-request.js';
import { listenForTurns, serveProgram } from '../support/agent-socket.js';

const request = agentRequest({ text: 'hello\nwörld' });

function agent(
  connect: string,
  options: Partial<ConnectedCommandOptions> = {},
  changes: Partial<AgentRequest> = {},
) {
  const log = new RecordingLog();
  const made = new ConnectedCommandAgent({
    connect,
    timeout: 15_000,
    killDelay: 5_000,
    replyLimit: 1_000,
    output: 'text',
    log,
    ...options,
  });
  return {
    log,
    run: (signal = new AbortController().signal, onEvent: (event: AgentEvent) => void = () => undefined) =>
      replyOf(made.run({ ...request, ...changes }, signal), onEvent),
  };
}

const withStdio = (form: 'text' | 'jsonl', script: string) => serveProgram(form, ['/bin/sh', '-c', script]);

test('the program gets the turn as one line, and its output is the reply', async () => {
  const connect = await withStdio('text', 'read -r line; printf "%s|%s" "$line" "$(cat)"');
  const events: AgentEvent[] = [];
  const { text } = await agent(connect).run(undefined, (event) => events.push(event));
  expect(JSON.parse(text.replace(/\|$/, ''))).toMatchObject({
    text: 'hello\nwörld',
    session: request.session,
  });
  expect(events[0]).toEqual({ type: 'started' });
});

test('the program gets files in its turn as far as there is room, and gives some with its reply', async () => {
  const large = Buffer.alloc(2 * 1024 ** 2);
  const files = [agentFile('a.txt', 'one'), agentFile('large', large), agentFile('b.txt', 'two')];
  const connect = await listenForTurns((socket) => {
    let line = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      line += text;
      if (!line.endsWith('\n')) return;
      const { attachments } = JSON.parse(line);
      const [a, b, c] = attachments;
      socket.write(`${JSON.stringify({ type: 'file', name: a.name, data: a.data })}\n`);
      socket.write(`${JSON.stringify({ type: 'file', name: 'c', media_type: 'x/y', data: c.data })}\n`);
      socket.end(`${JSON.stringify({ type: 'reply', text: `${b.name} ${b.size} ${b.data}` })}\n`);
    });
  });
  const { addFile, taken } = fileTaker();
  const { text, attachments } = await agent(connect, { output: 'jsonl' }, { files, addFile }).run();
  expect(text).toBe(`large ${large.length} undefined`);
  expect(attachments).toHaveLength(2);
  expect(taken).toEqual([
    { name: 'a.txt', mediaType: 'text/plain', content: 'one' },
    { name: 'c', mediaType: 'x/y', content: 'two' },
  ]);
});

test.each<[what: string, file: object, message: RegExp]>([
  ['by its path', { path: '/etc/passwd' }, /named a file .* put its content into "data"/],
  ['too large', { name: 'a', data: Buffer.from('12345678901').toString('base64') }, /larger than 10 bytes/],
  ['not in base64', { name: 'a', data: 'a!b?' }, /is no event/],
  ['without either', { name: 'a' }, /is no event/],
])('a file that is given %s fails the turn', async (_, file, message) => {
  const line = JSON.stringify({ type: 'file', ...file });
  const connect = await listenForTurns((socket) => {
    // The gateway may close the connection before it has read all of it.
    socket.on('error', () => undefined);
    socket.on('data', () => socket.end(`${line}\n{"type": "reply", "text": "x"}\n`));
  });
  const { addFile } = fileTaker();
  await expect(agent(connect, { output: 'jsonl' }, { addFile }).run()).rejects.toMatchObject({
    reason: 'bad-reply',
    message: expect.stringMatching(message),
  });
});

test('a program that reads nothing may answer', async () => {
  const connect = await listenForTurns((socket) => {
    socket.end('hello\n');
    socket.destroySoon();
  });
  expect(await agent(connect).run()).toEqual({ text: 'hello', metadata: {} });
});

test.each<[what: string, form: 'text' | 'jsonl', script: string, message: string]>([
  ['says nothing', 'text', 'exit 0', 'closed the connection without an answer'],
  [
    'fails',
    'jsonl',
    'echo \'{"type": "delta", "text": "a"}\'; exit 3',
    'the command failed: the program ended with 3',
  ],
  ['is killed', 'jsonl', 'echo \'{"type": "delta", "text": "a"}\'; kill -9 $$', 'the program ended with 137'],
  [
    'says no reply',
    'jsonl',
    'echo \'{"type": "delta", "text": "a"}\'',
    'the output ended without {"type": "reply"}',
  ],
  [
    'says too much',
    'text',
    'head -c 2000 /dev/zero | tr "\\0" a; cat',
    'the reply is larger than 1000 bytes',
  ],
])('a program that %s fails the turn', async (_, output, script, message) => {
  const connect = await withStdio(output, `cat >/dev/null; ${script}`);
  await expect(agent(connect, { output }).run()).rejects.toMatchObject({
    message: expect.stringContaining(message),
  });
});

test.each(['cancelled', 'timeout'] as const)('a turn that is %s ends the program', async (reason) => {
  const connect = await withStdio('jsonl', 'echo \'{"type": "status", "text": "sleeps"}\'; sleep 1000');
  const controller = new AbortController();
  const options = { output: 'jsonl', ...(reason === 'timeout' && { timeout: 200 }) } as const;
  const { run, log } = agent(connect, options);
  const turn = run(controller.signal, (event) => {
    if (event.type === 'status' && reason === 'cancelled') controller.abort();
  });
  await expect(turn).rejects.toMatchObject({ reason });
  // The connection was closed by the other side: its last holder has ended.
  expect(log.records).toEqual([]);
});

test('a program that does not end has its connection closed', async () => {
  const connect = await listenForTurns((socket) => socket.resume().on('error', () => undefined));
  const { run, log } = agent(connect, { timeout: 100, killDelay: 100 });
  await expect(run()).rejects.toMatchObject({ reason: 'timeout' });
  expect(log.records.map(({ message }) => message)).toEqual([
    expect.stringContaining('has not ended 0.1 s after its turn was over'),
  ]);
});

test('an agent that can’t be reached has done nothing', async () => {
  await expect(agent('unix:/nonexistent/s').run()).rejects.toMatchObject({
    reason: 'unavailable',
    message: expect.stringMatching(
      /\/nonexistent\/s \(agent\.connect\) could not be reached: .*ENOENT.*start its socket unit/,
    ),
  });
  const aborted = AbortSignal.abort();
  await expect(agent('unix:/nonexistent/s').run(aborted)).rejects.toMatchObject({ reason: 'cancelled' });
});

test.runIf(process.getuid?.() === 0)('nobody else but root or this user may listen there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'connected-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const script = `
    process.setuid(65533);
    require('node:net').createServer((socket) => socket.end('mine')).listen(process.argv[1], () => console.log('listens'));`;
  chmodSync(directory, 0o777);
  const child = spawn(process.execPath, ['-e', script, join(directory, 's')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise((listens) => child.stdout.once('data', listens));
  await expect(agent(`unix:${join(directory, 's')}`).run()).rejects.toMatchObject({
    reason: 'unavailable',
    message: expect.stringContaining('the user 65533 listens there, and not root or 0'),
  });
});
