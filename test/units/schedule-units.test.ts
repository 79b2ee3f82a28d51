import { describe, expect, it } from 'vitest';
import { shippedUnit } from '../../src/units/plan.js';
import {
  isScheduleName,
  type SchedulePlan,
  scheduleOfTimer,
  scheduleService,
  scheduleTimer,
  scheduleUnits,
} from '../../src/units/schedule-units.js';
import { judge } from '../../src/units/unit-text.js';

const plan: SchedulePlan = {
  scope: 'system',
  instance: null,
  name: 'news',
  calendar: 'Mon..Fri 08:00',
  systemdVersion: 252,
  gateway: 'sd-gateway.service',
  user: { name: 'sd-gateway', isDynamic: false },
  program: ['/usr/bin/node', '/opt/sd gateway/main.js'],
  directories: { state: '/var/lib/sd-gateway', runtime: '/run/sd-gateway', configuration: '/etc/sd-gateway' },
};

describe('the units of a schedule', () => {
  it('are told from those of gateways and of other instances', () => {
    expect(scheduleUnits(null, 'news').timer).toBe('sd-gateway-schedule:news.timer');
    expect(scheduleUnits('a-b', 'news').timer).toBe('sd-gateway-schedule:a-b:news.timer');
    expect(scheduleOfTimer(null, 'sd-gateway-schedule:news.timer')).toBe('news');
    expect(scheduleOfTimer('a', 'sd-gateway-schedule:a:news.timer')).toBe('news');
    for (const other of [
      'sd-gateway-schedule:a:news.timer',
      'sd-gateway.timer',
      'sd-gateway-schedule:news.service',
    ])
      expect(scheduleOfTimer(null, other)).toBeNull();
  });

  it.each(['', '-a', 'a b', 'a/b', 'a:b', '../a', 'a'.repeat(65)])('has no name %j', (name) => {
    expect(isScheduleName(name)).toBe(false);
  });

  it('run as the gateway’s user in its sandbox, and are marked', () => {
    const service = scheduleService(shippedUnit('system'), plan);
    expect(judge(service)).toBe('own');
    const lines = service.split('\n');
    for (const line of [
      'After=sd-gateway.service',
      'Type=oneshot',
      'ExecStart=/usr/bin/node "/opt/sd gateway/main.js" schedule post news',
      'Restart=on-failure',
      'User=sd-gateway',
      'ReadWritePaths=/var/lib/sd-gateway',
      'Environment=RUNTIME_DIRECTORY=/run/sd-gateway',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'SystemCallFilter=~@privileged @resources',
    ])
      expect(lines).toContain(line);
    // systemd removes a RuntimeDirectory= with the service: it is the gateway's.
    expect(service).not.toMatch(/^RuntimeDirectory=|^WatchdogSec=|^Type=notify/m);
    const timer = scheduleTimer({ ...plan, calendar: '*-*-* 08:00:00 %' });
    expect(judge(timer)).toBe('own');
    expect(timer).toContain('\nOnCalendar=*-*-* 08:00:00 %%\nPersistent=yes\n');
  });

  it('leaves out what an older systemd does not know', () => {
    const service = scheduleService(shippedUnit('system'), { ...plan, systemdVersion: 240 });
    expect(service).toContain('\nType=simple\n');
    expect(service).not.toMatch(/PrivateIPC|ProtectClock/);
  });

  it('finds the directories of a dynamic user by systemd', () => {
    const user = { name: 'sd-gateway', isDynamic: true };
    const service = scheduleService(shippedUnit('system'), { ...plan, user });
    expect(service).toContain('\nDynamicUser=yes\nStateDirectory=sd-gateway\n');
    expect(service).not.toContain('ReadWritePaths');
  });
});
