import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as own from '../../src/library/sd-notify.js';
import { loadSdNotify, npmSdNotify } from '../peers/peers.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

type SdNotify = typeof own;

let folder: string;
let receiver: DatagramReceiver;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-library-'));
  process.env['NOTIFY_SOCKET'] = join(folder, 'socket');
  receiver = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
});

afterEach(async () => {
  delete process.env['NOTIFY_SOCKET'];
  delete process.env['WATCHDOG_USEC'];
  delete process.env['WATCHDOG_PID'];
  await receiver.close();
  rmSync(folder, { recursive: true });
});

/** The next one, with its bytes as characters: toEqual takes a second for so many numbers. */
async function datagram() {
  const { data, ...rest } = await receiver.next();
  return { ...rest, data: data.toString('latin1') };
}

/** Each call as programs write it, those without TypeScript too. */
const calls: readonly (readonly [string, (library: SdNotify) => unknown])[] = [
  ['ready()', (library) => library.ready()],
  ['stopping(process.pid)', (library) => library.stopping(process.pid)],
  ['watchdog()', (library) => library.watchdog()],
  ['sendStatus("serving")', (library) => library.sendStatus('serving')],
  ['sendStatus("")', (library) => library.sendStatus('')],
  ['sendStatus("ä€😀")', (library) => library.sendStatus('ä€😀')],
  ['sendStatus("a\\nREADY=1")', (library) => library.sendStatus('a\nREADY=1')],
  ['sendStatus("a\\0b")', (library) => library.sendStatus('a\0b')],
  ['sendStatus(5)', (library) => library.sendStatus(5 as never)],
  ['sendStatus(undefined)', (library) => library.sendStatus(undefined as never)],
  ['sendStatus of 100 kB', (library) => library.sendStatus('x'.repeat(100_000))],
  ['sendState("RELOADING=1\\nSTATUS=x")', (library) => library.sendState('RELOADING=1\nSTATUS=x')],
  ['sendState(null)', (library) => library.sendState(null as never)],
];

describe.skipIf(npmSdNotify.missing !== null)(
  `in the place of npm sd-notify (${npmSdNotify.missing ?? 'compared'})`,
  () => {
    it('has the same names', () => {
      const peer = loadSdNotify() as unknown as SdNotify;
      // `bindings` adds where it has found the addon.
      const names = Object.keys(peer).filter((name) => name !== 'path');
      expect(Object.keys(own).sort()).toEqual(names.sort());
      expect(Object.keys(own.log).sort()).toEqual(Object.keys(peer.log).sort());
    });

    it.each(calls)('%s sends the same bytes in the same name, and returns the same', async (_name, call) => {
      const peer = loadSdNotify() as unknown as SdNotify;
      const expected = [call(peer), await datagram()];
      const actual = [call(own), await datagram()];
      expect(actual).toEqual(expected);
    });

    it('sends text that is no Unicode as valid UTF-8, which systemd insists on', async () => {
      own.sendStatus('\ud800x');
      expect((await receiver.next()).text).toBe('STATUS=\ufffdx\n');
    });

    it.each<[string | undefined, string | undefined]>([
      [undefined, undefined],
      ['3000000', undefined],
      ['3000999', undefined],
      ['999', undefined],
      ['3000000', '1'],
      ['3000000', String(process.pid)],
      ['many', undefined],
      ['0', undefined],
      ['-1', undefined],
    ])('watchdogInterval() is the same with WATCHDOG_USEC=%s, WATCHDOG_PID=%s', (timeout, pid) => {
      if (timeout !== undefined) process.env['WATCHDOG_USEC'] = timeout;
      if (pid !== undefined) process.env['WATCHDOG_PID'] = pid;
      const peer = loadSdNotify() as unknown as SdNotify;
      expect(own.watchdogInterval()).toBe(peer.watchdogInterval());
    });

    it.each([5, '5'])('startWatchdogMode(%j) pings until stopWatchdogMode()', async (interval) => {
      for (const library of [loadSdNotify() as unknown as SdNotify, own]) {
        expect(library.startWatchdogMode(interval as number)).toBeUndefined();
        expect((await receiver.next()).text).toBe('WATCHDOG=1');
        expect((await receiver.next()).text).toBe('WATCHDOG=1');
        expect(library.stopWatchdogMode()).toBeUndefined();
        expect(library.stopWatchdogMode()).toBeUndefined();
        await receiver.pending();
      }
    });

    it('says nothing without a manager, or with a socket that is not there', () => {
      const peer = loadSdNotify() as unknown as SdNotify;
      for (const address of [undefined, '/nonexistent/socket', 'relative', '']) {
        if (address === undefined) delete process.env['NOTIFY_SOCKET'];
        else process.env['NOTIFY_SOCKET'] = address;
        for (const [, call] of calls) expect(call(own)).toEqual(call(peer));
      }
    });

    it('log.*() and journalPrint() return nothing, with or without a journal', () => {
      for (const print of Object.values(own.log)) expect(print('a', 5, 'b')).toBeUndefined();
      expect(own.journalPrint(6, 'text')).toBeUndefined();
    });
  },
);
