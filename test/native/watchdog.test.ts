import { afterEach, describe, expect, it } from 'vitest';
import { watchdogEnabled } from '../../src/systemd/watchdog.js';

const own = String(process.pid);

function setEnvironment(environment: Readonly<Record<string, string>>): void {
  delete process.env['WATCHDOG_USEC'];
  delete process.env['WATCHDOG_PID'];
  Object.assign(process.env, environment);
}

afterEach(() => setEnvironment({}));

describe('watchdogEnabled', () => {
  it.each<[Record<string, string>, bigint]>([
    [{ WATCHDOG_USEC: '30000000' }, 30_000_000n],
    [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: own }, 30_000_000n],
    [{ WATCHDOG_USEC: '18446744073709551614' }, 18446744073709551614n],
  ])('is on for %o', (environment, microseconds) => {
    setEnvironment(environment);
    expect(watchdogEnabled()).toEqual({ enabled: true, microseconds });
  });

  it.each<[Record<string, string>]>([
    [{}],
    [{ WATCHDOG_PID: own }],
    [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.ppid) }],
  ])('is off for %o', (environment) => {
    setEnvironment(environment);
    expect(watchdogEnabled()).toEqual({ enabled: false });
  });

  it.each<[Record<string, string>]>([
    [{ WATCHDOG_USEC: '' }],
    [{ WATCHDOG_USEC: '0' }],
    [{ WATCHDOG_USEC: '-1' }],
    [{ WATCHDOG_USEC: '1s' }],
    [{ WATCHDOG_USEC: '18446744073709551615' }],
    [{ WATCHDOG_USEC: '18446744073709551617' }],
    [{ WATCHDOG_USEC: '1', WATCHDOG_PID: '' }],
    [{ WATCHDOG_USEC: '1', WATCHDOG_PID: '0' }],
    [{ WATCHDOG_USEC: '1', WATCHDOG_PID: 'me' }],
  ])('names what is wrong with %o', (environment) => {
    setEnvironment(environment);
    expect(() => watchdogEnabled()).toThrow(/WATCHDOG_USEC and WATCHDOG_PID: invalid argument \(EINVAL\)/);
  });

  it('removes the variables when asked to, whatever the outcome', () => {
    for (const WATCHDOG_PID of [own, String(process.ppid)]) {
      setEnvironment({ WATCHDOG_USEC: '5', WATCHDOG_PID });
      watchdogEnabled({ unsetEnvironment: true });
      expect(process.env).not.toHaveProperty('WATCHDOG_USEC');
      expect(process.env).not.toHaveProperty('WATCHDOG_PID');
    }
  });
});
