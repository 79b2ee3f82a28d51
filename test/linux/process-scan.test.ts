import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  descendants,
  parseScannedProcess,
  parseUptimeTicks,
  type ScannedProcess,
  scanAllProcesses,
  scanProcesses,
  ticksSinceBoot,
} from '../../src/linux/process-scan.js';

describe('a line of /proc/PID/stat', () => {
  it('is read though the name has spaces and parentheses', () => {
    const line =
      '7 (a) S (b) R 1 3 4 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3 4 5 6 7 8 9 0 0 0 0 0 0 17';
    expect(parseScannedProcess(line)).toEqual({
      pid: 7,
      state: 'R',
      parentPid: 1,
      processGroup: 3,
      processSession: 4,
      startTicks: 987_654,
      hasMemory: true,
    });
  });

  it('tells a thread of the kernel by the memory that it lacks', () => {
    const line = '2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 184467';
    expect(parseScannedProcess(line)).toMatchObject({ pid: 2, startTicks: 5, hasMemory: false });
  });

  it('may be none', () => {
    for (const text of ['', 'x', '7 (a) S', '7 (a']) expect(parseScannedProcess(text)).toBeNull();
  });

  it('tells of this process what it knows of itself', () => {
    const own = parseScannedProcess(readFileSync('/proc/self/stat', 'utf8'));
    expect(own).toMatchObject({ pid: process.pid, parentPid: process.ppid, state: 'R' });
    const age = (ticksSinceBoot() - (own?.startTicks ?? 0)) / 100;
    expect(Math.abs(age - process.uptime())).toBeLessThan(2);
  });
});

it('knows that a zombie has no memory, and its parent has', async () => {
  // What takes the place of the shell never asks how its child has ended.
  const parent = spawn('sh', ['-c', 'sleep 0 & exec sleep 60']);
  try {
    const find = () => scanAllProcesses().find(({ parentPid }) => parentPid === parent.pid);
    await expect.poll(() => find()?.state).toBe('Z');
    expect(find()?.hasMemory).toBe(false);
    expect(scanAllProcesses().find(({ pid }) => pid === parent.pid)?.hasMemory).toBe(true);
  } finally {
    parent.kill('SIGKILL');
  }
});

it.each([
  ['0.29 0.00\n', 29],
  ['4.00 7.98\n', 400],
  ['36012.57 71023.10\n', 3_601_257],
  ['', 0],
])('reads the ticks since the boot in %j as %i', (text, ticks) => {
  expect(parseUptimeTicks(text)).toBe(ticks);
});

it('finds this process among those of its control group, and among all', () => {
  for (const processes of [scanProcesses(), scanAllProcesses()]) {
    expect(processes.map(({ pid }) => pid)).toContain(process.pid);
  }
});

it('finds descendants of any depth, once', () => {
  const of = (pid: number, parentPid: number): ScannedProcess => ({
    pid,
    parentPid,
    state: 'S',
    processGroup: 0,
    processSession: 0,
    startTicks: 0,
    hasMemory: true,
  });
  const processes = [of(1, 0), of(2, 1), of(3, 2), of(4, 3), of(5, 1), of(6, 4)];
  const found = (...roots: number[]) => descendants(processes, new Set(roots)).map(({ pid }) => pid);
  expect(found(2).toSorted()).toEqual([3, 4, 6]);
  expect(found(2, 3).toSorted()).toEqual([4, 6]);
  expect(found(9)).toEqual([]);
  expect(descendants([of(1, 2), of(2, 1)], new Set([1])).map(({ pid }) => pid)).toEqual([2]);
});
