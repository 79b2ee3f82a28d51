import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  barrier,
  credentials,
  fdStore,
  journal,
  notify,
  onSignal,
} from '../../src/library/index.js';
import { type FakeManager, fakeManager } from '../../src/library/testing.js';
import { unicodeText } from '../fuzz/unicode-text.js';

let folder: string;
let manager: FakeManager;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-library-'));
  manager = fakeManager();
  process.env['NOTIFY_SOCKET'] = manager.address;
});

afterEach(() => {
  delete process.env['NOTIFY_SOCKET'];
  delete process.env['CREDENTIALS_DIRECTORY'];
  manager.close();
  rmSync(folder, { recursive: true });
});

/** The argument that a call was refused for. */
function refusedFor(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    if (error instanceof ArgumentError) return error.argument;
    throw error;
  }
}

const untyped = notify as (fields: unknown) => unknown;

describe('notify', () => {
  it('sends the assignments of its fields', async () => {
    expect(notify({ ready: true, status: 'serving', mainPid: 7 })).toEqual({ outcome: 'sent' });
    expect((await manager.next()).text).toBe('READY=1\nMAINPID=7\nSTATUS=serving');
  });

  it.each<[string, unknown]>([
    ['fields', null],
    ['fields', undefined],
    ['fields', 'READY=1'],
    ['fields', {}],
    ['READY', { READY: '1' }],
    ['toString', { toString: true }],
    ['ready', { ready: 'yes' }],
    ['ready', { ready: false }],
    ['ready', { ready: 1 }],
    ['status', { status: 5 }],
    ['status', { ready: true, status: null }],
    ['status', { status: 'x'.repeat(4_090) }],
    ['status', { ready: true, status: 'ä'.repeat(2_050) }],
    ['errno', { errno: 0 }],
    ['errno', { errno: 1.5 }],
    ['errno', { errno: '2' }],
    ['busError', { busError: 'no name' }],
    ['exitStatus', { exitStatus: 256 }],
    ['mainPid', { mainPid: -1 }],
    ['watchdog', { watchdog: 'WATCHDOG' }],
    ['watchdog', { watchdog: true }],
    ['watchdogMicroseconds', { watchdogMicroseconds: 5 }],
    ['extendTimeoutMicroseconds', { extendTimeoutMicroseconds: 0n }],
    ['monotonicMicroseconds', { monotonicMicroseconds: 2n ** 64n }],
    ['notifyAccess', { notifyAccess: 'all\nREADY=1' }],
    ['fdName', { fdName: 'a:b' }],
    ['fdName', { fdName: 'a\nREADY=1' }],
    ['fdPoll', { fdPoll: true }],
  ])('refuses a wrong %s, and sends nothing', async (argument, fields) => {
    expect(refusedFor(() => untyped(fields))).toBe(argument);
    expect(manager.messages).toEqual([]);
  });

  it('takes a status that just fits', async () => {
    notify({ ready: true, status: 'x'.repeat(4_096 - 'READY=1\nSTATUS='.length) });
    expect(Buffer.byteLength((await manager.next()).text)).toBe(4_096);
  });

  it('never makes a second assignment of any text', async () => {
    const hostile = fc.oneof(
      unicodeText(),
      fc
        .array(fc.constantFrom('\n', '\r', '\0', '\u2028', 'READY=1', 'STATUS=', '=', 'ä', '\ud800'))
        .map((a) => a.join('')),
    );
    await fc.assert(
      fc.asyncProperty(hostile, async (status) => {
        notify({ watchdog: 'ping', status });
        const { text } = await manager.next();
        expect(text.split('\n')).toHaveLength(2);
        expect(text).toMatch(/^WATCHDOG=1\nSTATUS=/);
      }),
      { numRuns: 100 },
    );
  });

  it('answers or refuses any fields, and always says for what', () => {
    const names = ['ready', 'status', 'errno', 'fdName', 'watchdog', 'mainPid', '__proto__', 'x'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), fc.anything({ withBigInt: true })), (fields) => {
        const argument = refusedFor(() => untyped(fields));
        if (argument !== null && argument !== 'fields') expect(Object.keys(fields)).toContain(argument);
      }),
    );
  });
});

describe('barrier', () => {
  it.each([Number.NaN, -1, 'soon', Number.POSITIVE_INFINITY])('refuses to wait %s ms', async (timeout) => {
    await expect(barrier(timeout as number)).rejects.toMatchObject({ argument: 'timeoutMilliseconds' });
  });
});

describe('fdStore', () => {
  it('puts duplicates under a name, and has them removed', async () => {
    expect(fdStore.put('state', 0)).toEqual({ outcome: 'sent' });
    const { text, descriptors } = await manager.next();
    expect([text, descriptors]).toEqual(['FDSTORE=1\nFDNAME=state', 1]);
    expect(fdStore.remove('state')).toEqual({ outcome: 'sent' });
    expect((await manager.next()).text).toBe('FDSTOREREMOVE=1\nFDNAME=state');
  });

  it.each<[string, () => unknown]>([
    ['descriptors', () => fdStore.put('state', 9_999)],
    ['descriptors', () => fdStore.put('state', [0, 9_999])],
    ['descriptors', () => fdStore.put('state', -1)],
    ['descriptors', () => fdStore.put('state', 'socket' as never)],
    ['name', () => fdStore.put('a:b', 0)],
    ['name', () => fdStore.remove('')],
  ])('refuses wrong %s, and sends nothing', async (argument, call) => {
    expect(refusedFor(call)).toBe(argument);
    expect(manager.messages).toEqual([]);
  });
});

describe('journal', () => {
  it.each<[string, unknown]>([
    ['fields', null],
    ['fields', {}],
    ['fields', { MESSAGE: undefined }],
    ['fields.message', { message: 'x' }],
    ['fields._PID', { _PID: 1 }],
    ['fields.A\nB', { 'A\nB': 1 }],
    ['fields.MESSAGE', { MESSAGE: {} }],
    ['fields.MESSAGE', { MESSAGE: [Symbol('x')] }],
    ['fields.PRIORITY', { MESSAGE: 'x', PRIORITY: 8 }],
    ['fields.MESSAGE_ID', { MESSAGE: 'x', MESSAGE_ID: 'f00' }],
  ])('refuses wrong %s', (argument, fields) => {
    expect(refusedFor(() => journal.send(fields as never))).toBe(argument);
  });
});

describe('onSignal', () => {
  it.each<[string, () => unknown]>([
    ['signals', () => onSignal('SIGKILL' as never, () => undefined)],
    ['signals', () => onSignal([], () => undefined)],
    ['signals', () => onSignal(null as never, () => undefined)],
    ['listener', () => onSignal('SIGUSR2', 'x' as never)],
  ])('refuses wrong %s', (argument, call) => {
    expect(refusedFor(call)).toBe(argument);
  });

  it('tells the sender', async () => {
    const delivery = await new Promise((resolve) => {
      const watch = onSignal('SIGUSR2', (told) => {
        watch.close();
        resolve(told);
      });
      process.kill(process.pid, 'SIGUSR2');
    });
    expect(delivery).toMatchObject({ signal: 'SIGUSR2', code: 'SI_USER', senderPid: process.pid });
  });
});

describe('credentials', () => {
  it('reads those that the unit gives', () => {
    process.env['CREDENTIALS_DIRECTORY'] = folder;
    writeFileSync(join(folder, 'token'), 'secret\n');
    expect(String(credentials.read('token'))).toBe('secret\n');
    expect(credentials.read('other')).toBeNull();
  });

  it('are none outside of a unit that gives some', () => {
    expect([credentials.directory, credentials.read('token')]).toEqual([null, null]);
  });

  it.each(['../token', '..', '.', '', 'a\0b', 5])('refuses the name %j', (name) => {
    expect(refusedFor(() => credentials.read(name as string))).toBe('name');
  });
});
