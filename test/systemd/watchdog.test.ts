import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemCallError } from '../../src/linux/errors.js';
import { type StallWatch, startStallWatch, watchdogEnabled } from '../../src/systemd/watchdog.js';
import { near } from '../fuzz/near.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

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

describe('a watch for stalls', () => {
  let folder: string;
  let manager: DatagramReceiver;
  let journald: DatagramReceiver;
  let watch: StallWatch | undefined;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sd-gateway-stall-'));
    process.env['NOTIFY_SOCKET'] = join(folder, 'notify');
    manager = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
    journald = await DatagramReceiver.open(join(folder, 'journal'));
  });

  afterEach(async () => {
    watch?.close();
    watch = undefined;
    delete process.env['NOTIFY_SOCKET'];
    await Promise.all([manager.close(), journald.close()]);
    rmSync(folder, { recursive: true });
  });

  function start(limitMilliseconds: number): StallWatch {
    watch = startStallWatch({
      limitMilliseconds,
      journalEntry: [
        ['MESSAGE', 'blocked'],
        ['PRIORITY', '3'],
      ],
      status: 'No progress',
      journalSocket: join(folder, 'journal'),
    });
    return watch;
  }

  function block(milliseconds: number): void {
    for (const end = performance.now() + milliseconds; performance.now() < end; );
  }

  it('tells journald and the service manager of a thread that is blocked, once for each time', async () => {
    const { alive } = start(100);
    for (let time = 0; time < 2; time++) {
      block(350);
      alive();
      expect((await journald.next()).text).toBe('MESSAGE=blocked\nPRIORITY=3\n');
      expect((await manager.next()).text).toBe('STATUS=No progress');
    }
    // Anything that came twice would come before this.
    const { close } = startStallWatch({
      limitMilliseconds: 1,
      journalEntry: [['MESSAGE', 'the last one']],
      status: 'The last one',
      journalSocket: join(folder, 'journal'),
    });
    expect((await journald.next()).text).toBe('MESSAGE=the last one\n');
    close();
  });

  it('refuses what can’t work', () => {
    const options = { limitMilliseconds: 1, journalEntry: [['MESSAGE', 'a']] as const, status: 's' };
    expect(() => startStallWatch({ ...options, limitMilliseconds: 0 })).toThrow(RangeError);
    expect(() => startStallWatch({ ...options, journalEntry: [['MESSAGE', 'a\nb']] })).toThrow(RangeError);
    expect(() => startStallWatch({ ...options, journalEntry: [] })).toThrow(RangeError);
  });

  it('can be closed twice, and is deaf then', () => {
    const watch = start(60_000);
    watch.close();
    watch.close();
    expect(() => watch.alive()).not.toThrow();
  });
});
