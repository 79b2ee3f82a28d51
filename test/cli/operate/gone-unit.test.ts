import { afterEach, beforeEach, expect, it } from 'vitest';
import { operations } from '../../../src/cli/operate/operate.js';
import { gather } from '../../../src/cli/status/gather.js';
import { findCommand, parseCommand } from '../../../src/cli/usage.js';
import { gatherUnit } from '../../../src/doctor/facts/unit.js';
import { ServiceManager } from '../../../src/manager/service-manager.js';
import { fakeProgram } from '../../manager/fake-program.js';
import { SystemctlDouble } from '../systemctl-double.js';

let double: SystemctlDouble;
beforeEach(() => {
  double = new SystemctlDouble();
  fakeProgram('journalctl', '');
  // As systemctl shows a unit that runs after its file was removed, and the manager was reloaded.
  double.says('sd-gateway.service', {
    LoadState: 'not-found',
    ActiveState: 'active',
    SubState: 'running',
    MainPID: String(process.pid),
  });
});
afterEach(() => {
  double.remove();
});

it.each(['restart', 'reload'] as const)(
  '%s leaves a gateway alone whose unit file is gone',
  async (action) => {
    expect(await operations[action](parseCommand(findCommand(action), ['--user']))).toBe(1);
    expect(double.said).toMatch(/sd-gateway\.service is gone: .*\n {2}Write it anew: sd-gateway install/);
    expect(double.asked.filter((words) => !words.startsWith('show'))).toEqual([]);
  },
);

it('shows it as the unit that it is', async () => {
  const report = await gather({ scope: 'user', instance: null }, true);
  expect(report).toMatchObject({ verdict: 'running', unit: { name: 'sd-gateway.service' } });
});

it('has doctor look at it', async () => {
  const found = await gatherUnit(new ServiceManager('user'), null);
  expect(found).toMatchObject({ known: true, value: { name: 'sd-gateway.service', command: [] } });
});
