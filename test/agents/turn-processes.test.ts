import { describe, expect, it } from 'vitest';
import { type TurnProcess, turnOf } from '../../src/agents/turn-processes.js';
import type { ProcessTrace } from '../../src/linux/process.js';

const group = '/sys/fs/cgroup/system.slice/g.service/agent-2';
const first: TurnProcess = {
  pid: 100,
  controlGroup: null,
  turnId: 'turn_1',
  messageId: 'm1',
  session: 'a',
};
const second: TurnProcess = { ...first, pid: 200, controlGroup: group, turnId: 'turn_2' };

/** A process that is the only one of its group and session, unless that is said. */
function trace(pid: number, changes: Partial<ProcessTrace> = {}): ProcessTrace {
  return { pid, processGroup: pid, processSession: pid, mark: null, controlGroup: null, ...changes };
}

const init = trace(1);
const gateway = trace(50);
const own = { processGroup: 200, processSession: 200 };

describe('the turn that a process is part of', () => {
  it.each<[what: string, ancestry: readonly ProcessTrace[], turn: TurnProcess | null]>([
    ['the command itself', [trace(200), gateway, init], second],
    ['what it started', [trace(203, own), trace(202, own), trace(200), gateway, init], second],
    ['with a group of its own', [trace(203, { processSession: 200 }), init], second],
    [
      'with its terminal’s session, while its group is the turn’s',
      [trace(203, { processGroup: 100 })],
      first,
    ],
    ['in a session of its own, below it', [trace(203), trace(200), gateway, init], second],
    ['a daemon, by its environment', [trace(203, { mark: 'turn_1' }), init], first],
    ['below such a daemon, with none', [trace(204), trace(203, { mark: 'turn_1' }), init], first],
    ['that has nothing but its control group', [trace(203, { controlGroup: group }), init], second],
    ['in a control group below that', [trace(203, { controlGroup: `${group}/x` }), init], second],
    ['in that of another turn', [trace(203, { controlGroup: `${group}1` }), init], null],
    ['the nearest of two', [trace(203, { mark: 'turn_2' }), trace(100), gateway, init], second],
    ['from a turn that has ended', [trace(203, { mark: 'turn_0', processSession: 90 }), init], null],
    ['of a shell beside the gateway', [trace(60), trace(40), init], null],
    ['the gateway', [gateway, init], null],
    ['one that is gone, or can’t be seen', [], null],
  ])('%s', (_what, ancestry, turn) => {
    expect(turnOf(ancestry, [first, second])).toBe(turn);
  });

  it('is none where none runs', () => {
    expect(turnOf([trace(203, { mark: 'turn_1' }), trace(100)], [])).toBeNull();
  });
});
