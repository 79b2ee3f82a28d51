import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
