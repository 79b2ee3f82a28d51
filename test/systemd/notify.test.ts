import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/linux/native.js';
import {
  formatNotification,
  longestNotification,
  type NotifyFields,
  notify,
  notifyBarrier,
  notifyQueue,
  notifyWithDescriptors,
} from '../../src/systemd/notify.js';
import { near } from '../fuzz/near.js';
import { unicodeText } from '../fuzz/unicode-text.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

const microseconds = fc.bigInt({ min: 1n, max: 2n ** 64n - 2n });
const anyText = unicodeText({ maxLength: 3_000 });

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

let folder: string;
let address: string;
const receivers: DatagramReceiver[] = [];

async function receive(at = address): Promise<DatagramReceiver> {
  const receiver = await DatagramReceiver.open(at);
  receivers.push(receiver);
  return receiver;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-notify-'));
  address = join(folder, 'socket');
  process.env['NOTIFY_SOCKET'] = address;
});

afterEach(async () => {
  delete process.env['NOTIFY_SOCKET'];
  for (const receiver of receivers.splice(0)) await receiver.close();
  rmSync(folder, { recursive: true });
});

/** Sends until the receiver's queue is full; the messages sent, the last of them queued on our side. */
function fill(): string[] {
  const messages: string[] = [];
  for (let n = 0; n < 10_000; n++) {
    messages.push(`STATUS=${n}`);
    if (notify({ status: String(n) }).outcome === 'queued') return messages;
  }
  throw new Error('the queue never filled up');
}

describe('notify', () => {
  it('sends one datagram with the credentials of this process', async () => {
    const receiver = await receive();
    expect(notify({ ready: true, status: 'serving' })).toEqual({ outcome: 'sent' });
    expect(await receiver.next()).toMatchObject({
      text: 'READY=1\nSTATUS=serving',
      pid: process.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      fds: [],
    });
  });

  it('sends a status alone as the message that is made for it, whatever its text', async () => {
    const receiver = await receive();
    const lengths = fc.oneof(fc.integer({ min: 0, max: 80 }), fc.integer({ min: 4_080, max: 4_100 }));
    const plain = lengths.map((length) => '~ aZ'.repeat(1_025).slice(0, length));
    const others = fc.constantFrom(
      '',
      'é',
      '€',
      '\u{1f600}',
      '\ud800',
      '\0',
      '\n',
      '\x1f',
      '\x7f',
      '\x85',
      '\u2028',
    );
    const texts = fc
      .tuple(plain, others, fc.boolean())
      .map(([text, other, first]) => (first ? other + text : text + other));
    await fc.assert(
      fc.asyncProperty(fc.oneof(texts, unicodeText()), async (status) => {
        expect(notify({ status })).toEqual({ outcome: 'sent' });
        const { data } = await receiver.next();
        expect(data.toString('latin1')).toBe(Buffer.from(formatNotification({ status })).toString('latin1'));
      }),
      { numRuns: 300 },
    );
  });

  it('sends to an abstract address', async () => {
    process.env['NOTIFY_SOCKET'] = `@sd-gateway-test-${process.pid}`;
    const receiver = await receive(process.env['NOTIFY_SOCKET']);
    expect(notify({ stopping: true })).toEqual({ outcome: 'sent' });
    expect((await receiver.next()).text).toBe('STOPPING=1');
  });

  it('says that nobody supervises without NOTIFY_SOCKET', async () => {
    delete process.env['NOTIFY_SOCKET'];
    expect(notify({ ready: true })).toEqual({ outcome: 'not-supervised' });
    expect(notify({ status: 'serving' })).toEqual({ outcome: 'not-supervised' });
    expect(await notifyBarrier(1_000)).toEqual({ outcome: 'not-supervised' });
  });

  it('adds the monotonic time to a reload', async () => {
    const receiver = await receive();
    const before = process.hrtime.bigint() / 1_000n;
    notify({ reloading: true });
    const after = process.hrtime.bigint() / 1_000n;
    const match = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec((await receiver.next()).text);
    const time = BigInt(match?.[1] ?? 0);
    expect(time >= before && time <= after).toBe(true);
  });

  it.each([
    ['a relative path', 'run/notify', 'EAFNOSUPPORT'],
    ['another kind of address', 'tcp:127.0.0.1:1', 'EAFNOSUPPORT'],
    ['an empty address', '', 'EAFNOSUPPORT'],
    ['a path of one character', '/', 'EINVAL'],
    ['a path too long', `/${'a'.repeat(107)}`, 'ENAMETOOLONG'],
    ['a path much too long', `/${'a'.repeat(5_000)}`, 'ENAMETOOLONG'],
    ['an abstract name too long', `@${'a'.repeat(107)}`, 'ENAMETOOLONG'],
    ['a socket outside of a virtual machine', 'vsock:2:1234', 'EAFNOSUPPORT'],
    ['nobody there', '/nonexistent/sd-gateway', 'ENOENT'],
  ])('names the error for %s', (_what, wrong, code) => {
    process.env['NOTIFY_SOCKET'] = wrong;
    expect(notify({ ready: true })).toMatchObject({ outcome: 'failed', code });
  });

  it('accepts the longest path there is', async () => {
    process.env['NOTIFY_SOCKET'] = join(folder, 'a'.repeat(107 - folder.length - 1));
    const receiver = await receive(process.env['NOTIFY_SOCKET']);
    expect(notify({ ready: true })).toEqual({ outcome: 'sent' });
    expect((await receiver.next()).text).toBe('READY=1');
  });

  it('says what is wrong with whatever address it is given', () => {
    const wrong = near('/nowhere/socket', '@sd-gateway-nobody', 'vsock:2', 'tcp:127.0.0.1:1');
    fc.assert(
      // C ends a text at its first NUL.
      fc.property(wrong, (text) => {
        process.env['NOTIFY_SOCKET'] = text.replaceAll('\0', '');
        expect(notify({ status: 'x' })).toMatchObject({
          outcome: 'failed',
          code: expect.stringMatching(/^E[A-Z]+$/),
        });
      }),
      { numRuns: 500 },
    );
  });

  it('opens a new socket when the manager has come back', async () => {
    const first = await receive();
    notify({ status: 'one' });
    await first.next();
    await first.close();
    expect(notify({ status: 'lost' })).toMatchObject({ outcome: 'failed', code: 'ECONNREFUSED' });
    rmSync(address);
    const second = await receive();
    expect(notify({ status: 'two' })).toEqual({ outcome: 'sent' });
    expect((await second.next()).text).toBe('STATUS=two');
  });

  it('follows a change of the address', async () => {
    const first = await receive();
    const second = await receive(`${address}-2`);
    notify({ status: 'one' });
    process.env['NOTIFY_SOCKET'] = `${address}-2`;
    notify({ status: 'two' });
    expect((await first.next()).text).toBe('STATUS=one');
    expect((await second.next()).text).toBe('STATUS=two');
  });

  it('loses nothing and keeps the order when the manager has no room', async () => {
    const receiver = await receive();
    const messages = fill();
    for (const status of ['later', 'and later']) {
      expect(notify({ status })).toEqual({ outcome: 'queued' });
      messages.push(`STATUS=${status}`);
    }
    expect(notifyQueue().waiting).toBe(3);
    for (const message of messages) expect((await receiver.next()).text).toBe(message);
    // The receiver may have the last one before the sending thread has counted it.
    await expect.poll(() => notifyQueue().waiting).toBe(0);
    expect(notify({ ready: true })).toEqual({ outcome: 'sent' });
  });

  it('says so when its own queue is full as well, and counts what can no longer be sent', async () => {
    const receiver = await receive();
    fill();
    const failedBefore = notifyQueue().failed;
    let outcome = notify({ status: 'x' });
    while (outcome.outcome === 'queued') outcome = notify({ status: 'x' });
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'ENOBUFS' });
    const { waiting } = notifyQueue();
    await receiver.close();
    await expect.poll(() => notifyQueue().waiting).toBe(0);
    expect(notifyQueue().lastFailure).toMatchObject({ code: 'ECONNREFUSED' });
    expect(notifyQueue().failed - failedBefore).toBe(waiting);
  });
});

describe('notifyWithDescriptors', () => {
  it('sends duplicates of descriptors', async () => {
    const receiver = await receive();
    const fd = openSync('/dev/null', 'r');
    expect(notifyWithDescriptors({ fdStore: true, fdName: 'null' }, [fd, fd])).toEqual({ outcome: 'sent' });
    expect(await receiver.next()).toMatchObject({
      text: 'FDSTORE=1\nFDNAME=null',
      fds: [{ kind: 'other' }, { kind: 'other' }],
    });
  });

  it('keeps descriptors with their message in the queue', async () => {
    const receiver = await receive();
    const messages = fill();
    expect(notifyWithDescriptors({ fdStore: true }, [0])).toEqual({ outcome: 'queued' });
    for (const message of messages) expect((await receiver.next()).text).toBe(message);
    expect(await receiver.next()).toMatchObject({ text: 'FDSTORE=1', fds: [{}] });
  });

  it('refuses more descriptors than a message can carry, and closed ones', async () => {
    await receive();
    expect(notifyWithDescriptors({ fdStore: true }, new Array(254).fill(0))).toMatchObject({ code: 'E2BIG' });
    expect(notifyWithDescriptors({ fdStore: true }, [1_000_000])).toMatchObject({ code: 'EBADF' });
  });

  it('speaks for another process where that is allowed', async () => {
    const receiver = await receive();
    expect(notifyWithDescriptors({ ready: true }, [], { pid: process.ppid })).toEqual({ outcome: 'sent' });
    expect((await receiver.next()).pid).toBe(process.getuid?.() === 0 ? process.ppid : process.pid);
  });
});

describe('sd_notify', () => {
  it.each([
    ['empty', ''],
    ['beyond the buffer on the stack', `STATUS=${'x'.repeat(20_000)}`],
    ['at the edge of that buffer', `STATUS=${'€'.repeat(1_363)}`],
    ['lone surrogates', 'STATUS=\ud800'],
  ])('sends a state that is %s', async (_what, state) => {
    const receiver = await receive();
    expect(native().sd_notify(state, '')).toBe(1);
    expect((await receiver.next()).data.equals(Buffer.from(state))).toBe(true);
  });

  it('refuses what C could not pass on', () => {
    expect(native().sd_notify('STATUS=a\0b', '')).toBe(-22);
    expect(() => Reflect.apply(native().sd_notify, null, ['STATUS=', 1])).toThrow(TypeError);
    expect(() => Reflect.apply(native().sd_notify, null, [1, ''])).toThrow(TypeError);
    expect(() => Reflect.apply(native().sd_notify, null, [])).toThrow(TypeError);
  });

  it('sends one line of printable ASCII that fits behind it, and leaves all else to be edited first', async () => {
    const receiver = await receive();
    const status = (text: string) => native().sd_notify('STATUS=', text);
    for (const text of ['', ' ~', 'x'.repeat(4_089)]) {
      expect(status(text)).toBe(1);
      expect((await receiver.next()).text).toBe(`STATUS=${text}`);
    }
    const unfit = [
      'a\0b',
      'a\n',
      '\x7f',
      'é',
      '\ud800',
      'x'.repeat(4_090),
      `${'x'.repeat(4_088)}€`,
      '€'.repeat(9_000),
    ];
    for (const text of unfit) expect(status(text)).toBe(-84);
    expect(await receiver.pending()).toBe(0);
  });
});
