import { describe, expect, it, vi } from 'vitest';
import { SideWork } from '../../../src/gateway/supervisor/side-work.js';
import { recordingLog } from '../dispatch/fixture.js';

function fixture() {
  const { log, records } = recordingLog();
  return { sideWork: new SideWork(log), said: () => records.map(({ message }) => message) };
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

  it('by its clock: what fails may be done again later', async () => {
    vi.useFakeTimers();
    try {
      const { sideWork, said } = fixture();
      const clock = sideWork.clock('A look');
      let looks = 0;
      const look = () => {
        looks += 1;
        full();
      };
      clock.after(1_000, look);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(said()).toEqual([failed]);
      clock.after(1_000, look);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(looks).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });
});
