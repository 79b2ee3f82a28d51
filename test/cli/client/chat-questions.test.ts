import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { answerIn, questionText } from '../../../src/cli/client/chat-questions.js';
import { Place, program } from '../foreground.js';

const agent = fileURLToPath(new URL('../../support/acp-agent.mjs', import.meta.url));

let place: Place;
let children: ChildProcess[] = [];
beforeEach(() => {
  place = new Place();
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  place.remove();
});

const asking = {
  SD_GATEWAY_AGENT_TYPE: 'acp',
  SD_GATEWAY_AGENT_COMMAND: JSON.stringify([process.execPath, agent, '{"resume": true}']),
  SD_GATEWAY_AGENT_ASK: '["execute"]',
};

/** A chat on a terminal: what it shows, and a function that types. */
function chatOnTerminal(session: string) {
  const relay = `import os, pty, select, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
while True:
    ready, _, _ = select.select([0, terminal], [], [])
    if 0 in ready:
        typed = os.read(0, 4096)
        if not typed: break
        os.write(terminal, typed)
    if terminal in ready:
        try: shown = os.read(terminal, 4096)
        except OSError: break
        if not shown: break
        os.write(1, shown)
`;
  const words = [process.execPath, program, 'chat', '--session', session];
  const child = spawn('python3', ['-c', relay, ...words], { env: { ...place.environment, TERM: 'dumb' } });
  children.push(child);
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    shown += text;
  });
  const shows = async (pattern: RegExp) => {
    await vi.waitFor(() => expect(shown).toMatch(pattern), { timeout: 20_000, interval: 20 });
    return pattern.exec(shown)?.[1] ?? '';
  };
  const type = (line: string) => {
    shown = '';
    child.stdin.write(`${line}\r`);
  };
  return { shows, type, shown: () => shown };
}

it('shows what the agent asks, and takes the answer that is typed while the turn runs', async () => {
  const gateway = await place.start(asking);
  const chat = chatOnTerminal('a');
  await chat.shows(/Ctrl-D ends it/);
  chat.type('ask execute ar rm x');
  const code = await chat.shows(/\/approve ([0-9A-Z]{8})/);
  expect(chat.shown()).toContain('The agent asks: rm x (execute)');
  expect(chat.shown()).toContain('arguments: {"words":["rm","x"]}');
  expect(chat.shown()).toContain('options: a (allow), r (deny)');
  chat.type('/approve');
  await chat.shows(/code of the question is missing/);
  chat.type('/approve 00000000');
  await chat.shows(/No question has this code/);
  chat.type(`/approve ${code}`);
  await chat.shows(/Allowed: rm x\r?\n/);
  await chat.shows(/id-a\r?\n> /);
  chat.type('ask execute ar rm y');
  chat.type(`/deny ${await chat.shows(/\/deny ([0-9A-Z]{8})/)}`);
  await chat.shows(/Denied: rm y\r?\n/);
  await chat.shows(/id-r\r?\n/);
  // The word counts at the prompt too.
  chat.type(`/deny ${code}`);
  await chat.shows(/takes no answer any more/);
  gateway.child.kill('SIGTERM');
  await gateway.end;
}, 60_000);

it('shows at its start what an agent asks, and answers it at the prompt', async () => {
  const gateway = await place.start(asking);
  const { body } = await place.client.post(
    '/v1/sessions/a/messages',
    { text: 'ask execute ar rm \u001b[2Jx' },
    {},
  );
  const path = `/v1/messages/${String(body?.['id'])}`;
  await vi.waitFor(
    async () => expect((await place.client.get(path)).body).toMatchObject({ waiting_for: 'question' }),
    { timeout: 20_000, interval: 20 },
  );
  expect((await place.run(['messages', 'a'])).stdout).toMatch(
    /running {4}\(waits: question\) {2}ask execute/,
  );
  expect((await place.run(['show', String(body?.['id'])])).stdout).toContain('Waits for: question\n');

  const chat = chatOnTerminal('a');
  const code = await chat.shows(/\/deny ([0-9A-Z]{8})[\s\S]*> /);
  expect(chat.shown()).toContain('The agent asks: rm x (execute)');
  expect(chat.shown()).not.toContain('\u001b[2J');
  chat.type(`/deny ${code}`);
  await chat.shows(/Denied: rm x/);
  expect((await place.client.get(`${path}?wait=20`)).body).toMatchObject({ reply: { text: 'id-r' } });
  gateway.child.kill('SIGTERM');
  await gateway.end;
}, 60_000);

it('tells of questions on standard error if it reads a pipe, whose lines answer none', async () => {
  const gateway = await place.start({ ...asking, SD_GATEWAY_DISPATCH_QUESTION_TIMEOUT: '2s' });
  const { stdout, stderr } = await place.run(
    ['chat', '--session', 'a'],
    {},
    'ask execute ar rm x\n/approve X\n',
  );
  expect(stderr).toMatch(/^The agent asks: rm x \(execute\)\n[\s\S]*sd-gateway approve [0-9A-Z]{8}/);
  expect(stdout).toBe('id-r\n/approve X\n');
  gateway.child.kill('SIGTERM');
  await gateway.end;
}, 60_000);

it('knows an answer by its word alone', () => {
  expect(answerIn('/approve 7K2M-9QXD ')).toEqual({ code: '7K2M-9QXD', effect: 'allow' });
  expect(answerIn('/deny 7K2M9QXD')).toEqual({ code: '7K2M9QXD', effect: 'deny' });
  expect(answerIn('/deny')).toEqual({ code: '', effect: 'deny' });
  for (const line of ['approve X', ' /approve X', '//approve X', '/approved X', '/approve X Y']) {
    expect(answerIn(line)).toBeNull();
  }
});

it('keeps an agent’s words in their lines, and away from the terminal', () => {
  const text = questionText(
    {
      code: '7K2M9QXD',
      kind: 'exe\u001b[2Jcute',
      title: 'rm\n/approve 00000000',
      input: '{"a":"\u009b"}',
      input_cut: true,
      options: [{ name: 'yes\r\u0007', effect: 'allow' }],
    },
    (answer) => `/${answer}`,
  );
  expect(text).toBe(
    [
      'The agent asks: rm /approve 00000000 (exe\\x1b[2Jcute)',
      '  arguments: {"a":"\\x9b"} (cut)',
      '  options: yes\\x0d\\x07 (allow)',
      '  /approve 7K2M9QXD  or  /deny 7K2M9QXD',
      '',
    ].join('\n'),
  );
});
