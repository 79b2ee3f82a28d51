import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { endBeforeGateway } from '../../src/agents/oom-score.js';

const stat = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8');

const isRoot = process.geteuid?.() === 0;
afterEach(() => {
  if (isRoot) process.seteuid?.(0);
});

test('a process counts for more than the gateway when memory runs out', () => {
  const child = spawn('sleep', ['1000']);
  endBeforeGateway(child.pid ?? 0);
  const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  expect(Number(readFileSync(`/proc/${child.pid}/oom_score_adj`, 'utf8'))).toBe(Math.min(own + 500, 1_000));
  child.kill('SIGKILL');
});

test('a process that has ended, and was not waited for, is left alone', () => {
  const { pid = 0 } = spawn('true');
  // Node.js waits for it in a later turn of the event loop.
  while (!stat(pid).includes(') Z ')) {}
  // Root may write the file; the gateway's user may not.
  if (isRoot) process.seteuid?.(65_534);
  expect(() => readFileSync(`/proc/${pid}/environ`)).toThrow('EACCES');
  endBeforeGateway(pid);
});
