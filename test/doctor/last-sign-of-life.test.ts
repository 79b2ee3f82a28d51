import { expect, it } from 'vitest';
import { gatherUnit } from '../../src/doctor/facts/unit.js';
import type { ProgramResult } from '../../src/manager/program.js';
import { ServiceManager } from '../../src/manager/service-manager.js';

const milliseconds = () => Number(process.hrtime.bigint() / 1_000_000n);

/** The gateway gives a sign of life as the manager is asked, which answers later. */
class SlowManager extends ServiceManager {
  fed = 0;

  override async show(): Promise<Readonly<Record<string, string>>> {
    this.fed = milliseconds();
    while (milliseconds() <= this.fed) await Promise.resolve();
    return { LoadState: 'loaded', WatchdogTimestampMonotonic: String(this.fed * 1_000) };
  }

  override async program(): Promise<ProgramResult> {
    return { status: 0, signal: null, stdout: '', stderr: '' };
  }

  override async version(): Promise<number> {
    return 252;
  }
}

it('takes the time before it asks for the last sign of life', async () => {
  const manager = new SlowManager('system');
  const unit = await gatherUnit(manager, null);
  if (!unit.known || unit.value === null) throw new Error('no unit');
  expect(unit.value.askedAt).toBeGreaterThan(0);
  expect(unit.value.askedAt).toBeLessThanOrEqual(manager.fed);
});
