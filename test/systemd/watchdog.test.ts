import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemCallError } from '../../src/linux/errno.js';
import { watchdogEnabled } from '../../src/systemd/watchdog.js';
import { near } from '../fuzz/near.js';

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

  it('is what the variables say, or an error, whatever they hold', () => {
    // C ends a text at its first NUL.
    const text = (...good: readonly string[]) => near(...good).map((written) => written.replaceAll('\0', ''));
    const infinity = 2n ** 64n - 1n;
    const numberIn = (written: string, largest: bigint): bigint | null => {
      const number = /^[0-9]+$/.test(written) ? BigInt(written) : 0n;
      return number > 0n && number <= largest ? number : null;
    };
    const pid = fc.option(text(own, '1', '2147483647', '2147483648'), { nil: null });
    fc.assert(
      fc.property(text('30000000', '18446744073709551614', '0001'), pid, (microseconds, forProcess) => {
        setEnvironment({
          WATCHDOG_USEC: microseconds,
          ...(forProcess === null ? {} : { WATCHDOG_PID: forProcess }),
        });
        const time = numberIn(microseconds, infinity - 1n);
        const named = numberIn(forProcess ?? own, 2n ** 31n - 1n);
        if (time === null || named === null) expect(() => watchdogEnabled()).toThrow(SystemCallError);
        else {
          const isOwn = String(named) === own;
          expect(watchdogEnabled()).toEqual(
            isOwn ? { enabled: true, microseconds: time } : { enabled: false },
          );
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
