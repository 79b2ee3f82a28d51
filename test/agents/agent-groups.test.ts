import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AgentGroup, AgentGroups } from '../../src/agents/agent-groups.js';
import { failedInShell, startProgram } from '../../src/agents/start-program.js';
import { ControlGroup, parseMemoryEvents } from '../../src/linux/control-group.js';

/** Groups that are plain directories: what the gateway writes there can be read, and no kernel acts on it. */
class PlainGroups extends AgentGroups {
  readonly plain = mkdtempSync(join(tmpdir(), 'agent-groups-'));

  constructor() {
    super(new ControlGroup('/nonexistent'), null);
    onTestFinished(() => rmSync(this.plain, { recursive: true }));
  }

  override make(memoryMax: number | null): AgentGroup {
    return new PlainGroup(new ControlGroup(this.plain), memoryMax);
  }

  file(name: string): string {
    return readFileSync(join(this.plain, name), 'utf8');
  }
}

class PlainGroup extends AgentGroup {
  override async end(): Promise<void> {}
}

async function run(groups: AgentGroups, command: readonly string[], memoryMax: number | null = null) {
  const { piped, tree } = await startProgram({
    command,
    cwd: '/tmp',
    env: { PATH: '/usr/bin:/bin' },
    directory: '/a',
    killDelayMs: 1_000,
    groups,
    memoryMax,
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    piped[name].on('data', (bytes: Buffer) => {
      output[name] += bytes.toString();
    });
  }
  piped.stdin.end();
  const closed = Promise.all(
    [piped.stdout, piped.stderr].map((stream) => new Promise((end) => stream.once('close', end))),
  );
  const status = await new Promise<number | null>((exit) => piped.child.once('exit', exit));
  await closed;
  await new Promise<void>((gone) => tree.sweep(gone));
  return { ...output, status, tree };
}

test('a program enters its group before it runs, with its arguments as they are', async () => {
  const groups = new PlainGroups();
  const script = 'printf "%s|" "$0" "$@"; cat "$GROUP"';
  const { stdout } = await run(groups, [
    '/usr/bin/env',
    `GROUP=${groups.plain}/cgroup.procs`,
    'sh',
    '-c',
    script,
    '-x',
    'a b',
    '*',
    '',
  ]);
  expect(stdout).toBe('-x|a b|*||0\n');
});

test.each<[command: readonly string[], code: string]>([
  [['/nonexistent'], 'ENOENT'],
  [['nowhere-in-the-path'], 'ENOENT'],
  [['/etc/passwd'], 'EACCES'],
  [['/usr'], 'EACCES'],
  [['/etc/passwd/x'], 'ENOTDIR'],
])('%s can’t be started, as without a group', async (command, code) => {
  const error = await run(new PlainGroups(), command).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ reason: 'unavailable', message: expect.stringContaining(`: ${code}`) });
});

test('a program whose interpreter is missing was not started', async () => {
  const groups = new PlainGroups();
  const file = join(groups.plain, 'program');
  writeFileSync(file, '#!/nonexistent\n', { mode: 0o755 });
  const { status, stderr, tree } = await run(groups, [file]);
  expect(failedInShell(tree.group, status, stderr)).toMatch(/program: not found/);
  expect(failedInShell(tree.group, 1, stderr)).toBe(null);
  expect(failedInShell(tree.group, status, 'sh: 1: x: not found')).toBe(null);
  expect(failedInShell(null, status, stderr)).toBe(null);
});

test('a group that can’t be entered is no group for a program', async () => {
  class Unmade extends AgentGroups {
    override make(): AgentGroup {
      return new PlainGroup(new ControlGroup('/nonexistent'), null);
    }
  }
  const { status, stdout, stderr, tree } = await run(new Unmade(new ControlGroup('/'), null), [
    'echo',
    'hello',
  ]);
  expect(stdout).toBe('');
  expect(failedInShell(tree.group, status, stderr)).toMatch(/\/nonexistent\/cgroup\.procs/);
});

test.each<[text: string, met: boolean]>([
  ['low 0\nhigh 0\nmax 7\noom 1\noom_kill 3\noom_group_kill 1\n', true],
  // Memory of the whole machine ran out.
  ['low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\noom_group_kill 0\n', false],
  ['low 0\nhigh 0\nmax 7\noom 0\noom_kill 0\n', false],
  ['', false],
])('events of memory %j', async (text, met) => {
  const groups = new PlainGroups();
  writeFileSync(join(groups.plain, 'memory.events'), text);
  const { tree } = await run(groups, ['true'], 2 ** 26);
  expect(tree.metMemoryMax).toBe(met);
});

test('the text of memory.events', () => {
  expect(parseMemoryEvents('low 0\nmax 12\noom 2\noom_kill 31\n')).toEqual({ limitMet: 2, killed: 31 });
});

test('the limit stands in a group before anything enters it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'agent-groups-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const group = new AgentGroups(new ControlGroup(directory), null).make(2 ** 29);
  expect(readFileSync(join(group.directory, 'memory.max'), 'utf8')).toBe('536870912');
  expect(readFileSync(join(group.directory, 'memory.oom.group'), 'utf8')).toBe('1');
  expect(group.pids()).toEqual([]);
});
