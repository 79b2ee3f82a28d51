import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeStopped, stoppedJournald } from '../../src/manager/journald.js';
import { SystemctlDouble } from '../cli/systemctl-double.js';

let double: SystemctlDouble;
beforeEach(() => {
  double = new SystemctlDouble();
});
afterEach(() => double.remove());

const service = 'systemd-journald.service';
const start = `systemctl start ${service}`;

it.each([
  ['loaded', 'active', 'active', null],
  ['loaded', 'inactive', 'active', null],
  ['loaded', 'inactive', 'inactive', start],
  ['loaded', 'failed', 'failed', start],
  ['masked', 'inactive', 'active', `systemctl unmask ${service} && ${start}`],
  ['not-found', 'inactive', 'inactive', null],
])('with journald %s and %s, and its socket %s: %s', async (LoadState, ActiveState, socket, command) => {
  double.says(service, { LoadState, ActiveState });
  double.says('systemd-journald.socket', { LoadState: 'loaded', ActiveState: socket });
  const stopped = await stoppedJournald(null);
  expect(stopped?.command ?? null).toBe(command);
  if (stopped !== null) {
    expect(describeStopped(stopped)).toMatch(/^journald does not run .*\. Start it: (sudo )?systemctl /);
  }
});

it('asks nothing of the journald of a namespace, which ends when it rests', async () => {
  double.says(service, { LoadState: 'loaded', ActiveState: 'failed' });
  expect(await stoppedJournald('apart')).toBeNull();
  expect(double.asked).toEqual([]);
});
