import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { endLeftovers, markVariable, newMark, ProcessTree } from '../../src/agents/process-tree.js';
import { ticksSinceBoot } from '../../src/linux/process-scan.js';
import { isAlive } from '../support/is-alive.js';

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Starts a shell that leads a session, and gives the numbers that it writes in its first line. */
async function shell(script: string, mark: string, env: NodeJS.ProcessEnv = {}) {
  const child = spawn('sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'], ...env, [markVariable]: mark },
  });
  started.push(child);
  const exited = once(child, 'exit');
  const [line] = await once(child.stdout, 'data');
  return { child, exited, pid: child.pid ?? 0, pids: String(line).trim().split(' ').map(Number) };
}

const swept = (tree: ProcessTree) => new Promise<void>((resolve) => tree.sweep(resolve));

describe('the end of a process ends', () => {
  test.each<[what: string, script: string]>([
    ['a child in a session of its own', 'setsid sh -c "echo \\$\\$; exec sleep 1000"'],
    ['its child, too', 'setsid sh -c "setsid sh -c \'echo \\$\\$; exec sleep 1000\'"'],
    ['an orphan in a session of its own', 'setsid sh -c "sleep 1000 & echo \\$!"; exec sleep 1000'],
    ['a job of a shell', 'set -m; sleep 1000 & echo $!; wait'],
    ['what is deaf to SIGTERM', 'setsid sh -c "trap \'\' TERM; echo \\$\\$; while :; do sleep 0.05; done"'],
    ['a child without the mark', `setsid env -u ${markVariable} sh -c "echo \\$\\$; exec sleep 1000"`],
  ])('%s', async (_, script) => {
    const mark = newMark('/a');
    const { exited, pid, pids } = await shell(`${script}; exec sleep 1000`, mark);
    const tree = new ProcessTree(pid, mark, 100);
    tree.end();
    await exited;
    await swept(tree);
    expect(pids.map(isAlive)).toEqual([false]);
  });

  test('what is left when it has ended by itself', async () => {
    const mark = newMark('/a');
    const { exited, pid, pids } = await shell(
      'setsid sh -c "sleep 1000 & echo \\$!"; set -m; sleep 1000 &',
      mark,
    );
    const tree = new ProcessTree(pid, mark, 1_000);
    await exited;
    await swept(tree);
    expect(pids.map(isAlive)).toEqual([false]);
  });

  test('nothing of another one', async () => {
    const [mark, other] = [newMark('/a'), newMark('/a')];
    const bystander = await shell('echo $$; exec sleep 1000', other);
    const { exited, pid } = await shell('echo', mark);
    const tree = new ProcessTree(pid, mark, 1_000);
    await exited;
    await swept(tree);
    expect(isAlive(bystander.pid)).toBe(true);
  });
});

test('orphans of a turn end, while the process and what it holds go on', async () => {
  const mark = newMark('/a');
  const { exited, pid, pids } = await shell(
    'setsid sleep 1000 & held=$!; setsid sh -c "sleep 1000 & echo $held \\$!"; wait',
    mark,
  );
  const tree = new ProcessTree(pid, mark, 1_000);
  await tree.endOrphans(ticksSinceBoot() + 1);
  expect(pids.map(isAlive)).toEqual([true, true]);
  // The shell between them may not have ended yet.
  await vi.waitFor(async () => {
    await tree.endOrphans(0);
    expect(pids.map(isAlive)).toEqual([true, false]);
  });
  expect(isAlive(pid)).toBe(true);
  tree.end();
  await exited;
  await swept(tree);
  expect(pids.map(isAlive)).toEqual([false, false]);
});

test('leftovers of the same directory end, and those of others don’t', async () => {
  const directory = `/state/${process.pid}`;
  const mine = await shell('setsid sh -c "sleep 1000 & echo \\$!"; exec sleep 1000', newMark(directory));
  const others = await shell('echo $$; exec sleep 1000', newMark(`${directory}/b`));
  const pids = [mine.pid, ...mine.pids];
  expect([...(await endLeftovers(directory))].toSorted()).toEqual(pids.toSorted());
  expect(pids.map(isAlive)).toEqual([false, false]);
  expect(isAlive(others.pid)).toBe(true);
  expect(await endLeftovers(directory)).toEqual([]);
});

test('leftovers of another directory that has had the same name don’t end, as a container’s', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-test-'));
  const directory = join(folder, 'agents');
  mkdirSync(directory);
  const others = await shell('echo $$; exec sleep 1000', newMark(directory));
  renameSync(directory, join(folder, 'elsewhere'));
  mkdirSync(directory);
  expect(await endLeftovers(directory)).toEqual([]);
  expect(isAlive(others.pid)).toBe(true);
  rmSync(folder, { recursive: true });
});

const built = (file: string) => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

/**
 * Adopts orphans, as the gateway does. Three programs leave a process that has no parent, no mark and a session of its own;
 * beside the second one another program runs that began before, and might have left it.
 */
const adopting = `
  import { spawn } from 'node:child_process';
  import { once } from 'node:events';
  import { readFileSync } from 'node:fs';
  import { newMark, ProcessTree } from ${built('agents/process-tree.js')};
  import { adoptOrphans } from ${built('linux/process.js')};

  adoptOrphans();
  const leave = '(setsid env -i /bin/sh -c "echo \\\\$\\\\$; exec /bin/sleep 1000 2>/dev/null >&2" &)';
  // Nobody reaps it here.
  const isAlive = (pid) => {
    try {
      return !readFileSync('/proc/' + pid + '/stat', 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  };
  async function start(script) {
    const mark = newMark('/a');
    // Once that is said, the shell between them has ended.
    const child = spawn('/bin/sh', ['-c', script + '; echo ready; read -r line'], {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env.PATH, SD_GATEWAY_MARK: mark },
    });
    const tree = new ProcessTree(child.pid, mark, 500);
    const exited = once(child, 'exit');
    let said = '';
    while (!/^\\d+$/m.test(said) || !said.includes('ready')) said += (await once(child.stdout, 'data'))[0];
    const end = async () => {
      child.stdin.end();
      await exited;
      await new Promise((resolve) => tree.sweep(resolve));
    };
    return { left: Number(/^\\d+$/m.exec(said)[0]), tree, end };
  }
  const seen = {};
  const bystander = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });

  const alone = await start(leave);
  await alone.end();
  seen.alone = isAlive(alone.left);

  const before = await start('echo $$');
  const beside = await start(leave);
  await beside.end();
  seen.beside = isAlive(beside.left);
  await before.end();
  seen.last = isAlive(beside.left);

  const goesOn = await start(leave);
  await goesOn.tree.endOrphans(0);
  seen.betweenTurns = [isAlive(goesOn.left), isAlive(goesOn.tree.pid)];
  await goesOn.end();

  seen.bystander = isAlive(bystander.pid);
  bystander.kill();
  console.log(JSON.stringify(seen));
`;

test('an orphan without a mark ends with the last that may have left it', async () => {
  const words = ['--input-type=module', '--eval', adopting];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  expect(JSON.parse(stdout)).toEqual({
    alone: false,
    beside: true,
    last: false,
    betweenTurns: [false, true],
    bystander: true,
  });
});
