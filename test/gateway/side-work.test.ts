import { describe, expect, it, vi } from 'vitest';
import { IdleMemory, idleAfter } from '../../src/gateway/idle-memory.js';
import { SideWork } from '../../src/gateway/side-work.js';
import { recordingLog } from '../dispatch/fixture.js';

function fixture() {
  const { log, records } = recordingLog();
  return { sideWork: new SideWork(log), log, said: () => records.map(({ message }) => message) };
}

const full = () => {
  throw new Error('EMFILE: too many open files');
};
const failed =
  'A look failed: EMFILE: too many open files. The gateway goes on without it; said once until it works.';

describe('work beside the gateway’s own', () => {
  it.each([
    ['throws', full],
    ['rejects', async () => full()],
  ])('that %s ends nothing, and is told once until it works', async (_what, work) => {
    const { sideWork, said } = fixture();
    for (let time = 0; time < 3; time++) {
      sideWork.run('A look', work);
      await new Promise(setImmediate);
    }
    expect(said()).toEqual([failed]);
    sideWork.run('Another look', () => undefined);
    sideWork.run('A look', () => Promise.resolve());
    await new Promise(setImmediate);
    expect(said()).toEqual([failed, 'A look works again.']);
    sideWork.run('A look', work);
    await new Promise(setImmediate);
    expect(said()).toEqual([failed, 'A look works again.', failed]);
  });

  it('by its clock: a process that can’t see its own memory looks again after the next work', async () => {
    vi.useFakeTimers();
    try {
      const { sideWork, said, log } = fixture();
      let looks = 0;
      const memory = new IdleMemory({
        clock: sideWork.clock('A look'),
        log,
        resident: () => {
          looks += 1;
          return full();
        },
        release: () => Promise.resolve(),
      });
      memory.worked();
      await vi.advanceTimersByTimeAsync(idleAfter);
      expect(said()).toEqual([failed]);
      memory.worked();
      await vi.advanceTimersByTimeAsync(idleAfter);
      expect(looks).toBe(2);
      memory.close();
    } finally {
      vi.useRealTimers();
    }
  });
});
