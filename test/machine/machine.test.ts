import { expect, it } from 'vitest';
import { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';

describeOnMachine('a machine', (machine) => {
  it('starts none of the services that the system outside has enabled', async () => {
    const active = await machine().check([
      'systemctl',
      'list-units',
      '--type=service,timer,socket',
      '--state=active',
      '--plain',
      '--no-legend',
    ]);
    const names = active
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '')
      .filter((name) => name !== '');
    expect(names).toContain('dbus.service');
    expect(
      names.filter((name) => !/^(systemd-|dbus\.|user@|user-runtime-dir@|kmod-static)/.test(name)),
    ).toEqual([]);
  });

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
