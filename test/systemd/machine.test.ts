import { expect, it } from 'vitest';
import { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';

describeOnMachine('a machine', (machine) => {
  it('has nothing in common with another whose unit has the same name', async () => {
    const other = await Machine.boot();
    try {
      await machine().check(['systemd-run', '--unit=twin', 'sleep', 'infinity']);
      const group = ['test', '-d', '/sys/fs/cgroup/system.slice/twin.service'];
      expect((await machine().run(group)).status).toBe(0);
      expect((await other.run(group)).status).toBe(1);
    } finally {
      await other.destroy();
    }
  });
});
