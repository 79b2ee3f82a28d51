import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatNotification,
  longestNotification,
  type NotifyFields,
} from '../../src/systemd/notification.js';

const microseconds = fc.bigInt({ min: 1n, max: 2n ** 64n - 2n });
const anyText = fc.string({ unit: 'binary', maxLength: 3_000 });

const anyFields: fc.Arbitrary<NotifyFields> = fc.record(
  {
    ready: fc.constant(true as const),
    reloading: fc.constant(true as const),
    stopping: fc.constant(true as const),
    status: fc.oneof(
      anyText,
      fc.string({ unit: fc.constantFrom('\n', 'READY=1', '\r', '\0', '€', '\ud800') }),
    ),
    errno: fc.integer({ min: 1, max: 4095 }),
    busError: fc.constantFrom('org.freedesktop.DBus.Error.Failed', 'a.b'),
    exitStatus: fc.integer({ min: 0, max: 255 }),
    mainPid: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    watchdog: fc.constantFrom('ping' as const, 'trigger' as const),
    watchdogMicroseconds: microseconds,
    extendTimeoutMicroseconds: microseconds,
    monotonicMicroseconds: microseconds,
    notifyAccess: fc.constantFrom('none' as const, 'main' as const, 'exec' as const, 'all' as const),
    fdStore: fc.constant(true as const),
    fdStoreRemove: fc.constant(true as const),
    fdName: fc.stringMatching(/^[ -9;-~]{1,255}$/),
    fdPoll: fc.constant(false as const),
  },
  { requiredKeys: [] },
);

const assignments: Readonly<Record<keyof NotifyFields, string>> = {
  ready: 'READY',
  reloading: 'RELOADING',
  stopping: 'STOPPING',
  status: 'STATUS',
  errno: 'ERRNO',
  busError: 'BUSERROR',
  exitStatus: 'EXIT_STATUS',
  mainPid: 'MAINPID',
  watchdog: 'WATCHDOG',
  watchdogMicroseconds: 'WATCHDOG_USEC',
  extendTimeoutMicroseconds: 'EXTEND_TIMEOUT_USEC',
  monotonicMicroseconds: 'MONOTONIC_USEC',
  notifyAccess: 'NOTIFYACCESS',
  fdStore: 'FDSTORE',
  fdStoreRemove: 'FDSTOREREMOVE',
  fdName: 'FDNAME',
  fdPoll: 'FDPOLL',
};

function names(message: string): string[] {
  return message.split('\n').map((line) => line.slice(0, line.indexOf('=')));
}

describe('formatNotification', () => {
  it('makes exactly the assignments it was given, whatever the texts hold', () => {
    fc.assert(
      fc.property(anyFields, (fields) => {
        fc.pre(Object.keys(fields).length > 0);
        const message = formatNotification(fields);
        const wanted = Object.keys(fields).map((field) => assignments[field as keyof NotifyFields]);
        expect(names(message).sort()).toEqual(wanted.sort());
        expect(Buffer.byteLength(message)).toBeLessThanOrEqual(longestNotification);
        expect(Buffer.from(message).toString()).toBe(message);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none but the line's end.
        expect(message).not.toMatch(/[\0-\x09\x0b-\x1f\x7f]/);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[NotifyFields, string]>([
    [{ ready: true }, 'READY=1'],
    [{ ready: true, status: 'up' }, 'READY=1\nSTATUS=up'],
    [{ reloading: true, monotonicMicroseconds: 7n }, 'RELOADING=1\nMONOTONIC_USEC=7'],
    [{ stopping: true, status: 'a\nREADY=1\r\n\tb' }, 'STOPPING=1\nSTATUS=a READY=1 b'],
    [{ status: '' }, 'STATUS='],
    [{ status: 'lone \ud800 half' }, 'STATUS=lone \ufffd half'],
    [{ watchdog: 'ping' }, 'WATCHDOG=1'],
    [{ watchdog: 'trigger' }, 'WATCHDOG=trigger'],
    [{ fdStore: true, fdName: 'http', fdPoll: false }, 'FDSTORE=1\nFDNAME=http\nFDPOLL=0'],
    [{ errno: 98, exitStatus: 0 }, 'ERRNO=98\nEXIT_STATUS=0'],
  ])('%o becomes %j', (fields, message) => {
    expect(formatNotification(fields)).toBe(message);
  });

  it('cuts a long status between two characters, so that the manager takes the message', () => {
    const message = formatNotification({ ready: true, status: '€'.repeat(2_000) });
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(longestNotification);
    expect(Buffer.byteLength(message)).toBeGreaterThan(longestNotification - 4);
    expect(message).toMatch(/^READY=1\nSTATUS=€+…$/);
  });

  it.each<[string, NotifyFields]>([
    ['no field', {}],
    ['an errno of 0', { errno: 0 }],
    ['a fraction', { exitStatus: 1.5 }],
    ['an exit status above 255', { exitStatus: 256 }],
    ['a PID below 1', { mainPid: -1 }],
    ['not a number', { mainPid: Number.NaN }],
    ['infinity', { extendTimeoutMicroseconds: 2n ** 64n - 1n }],
    ['no time', { extendTimeoutMicroseconds: 0n }],
    ['a colon in a name', { fdStore: true, fdName: 'a:b' }],
    ['a second assignment in a name', { fdStore: true, fdName: 'a\nREADY=1' }],
    ['a second assignment at the end of a name', { fdStore: true, fdName: 'a\n' }],
    ['a second assignment in an error name', { busError: 'a.b\nREADY=1' }],
    ['an unknown access', { notifyAccess: 'main\nREADY=1' as 'main' }],
    ['an unknown watchdog order', { watchdog: '1\nREADY=1' as 'ping' }],
  ])('refuses %s', (_what, fields) => {
    expect(() => formatNotification(fields)).toThrow(RangeError);
  });
});
