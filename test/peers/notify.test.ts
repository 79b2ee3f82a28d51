import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/linux/native.js';
import { notify, notifyBarrier } from '../../src/systemd/notify.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';
import {
  askLibsystemd,
  libsystemd,
  loadSdNotify,
  npmSdNotify,
  type SdNotify,
  systemdNotify,
} from './peers.js';

let folder: string;
let receiver: DatagramReceiver;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-peers-'));
  process.env['NOTIFY_SOCKET'] = join(folder, 'socket');
  receiver = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
});

afterEach(async () => {
  delete process.env['NOTIFY_SOCKET'];
  await receiver.close();
  rmSync(folder, { recursive: true });
});

/** The message of one call, as the manager gets it: bytes, credentials, descriptors. */
async function sentBy(call: () => void) {
  call();
  return receiver.next();
}

describe.skipIf(npmSdNotify.missing !== null)(
  `npm sd-notify sends the same (${npmSdNotify.missing ?? 'runs'})`,
  () => {
    let peer: SdNotify;
    beforeAll(() => {
      peer = loadSdNotify();
    });

    it.each<[string, (peer: SdNotify) => void, () => void]>([
      ['ready', (peer) => peer.ready(), () => notify({ ready: true })],
      ['stopping', (peer) => peer.stopping(process.pid), () => notify({ stopping: true })],
      ['the watchdog', (peer) => peer.watchdog(), () => notify({ watchdog: 'ping' })],
      [
        'a reload with a status',
        (peer) => peer.sendState('RELOADING=1\nMONOTONIC_USEC=123456\nSTATUS=reading the configuration'),
        () =>
          notify({ reloading: true, monotonicMicroseconds: 123_456n, status: 'reading the configuration' }),
      ],
      ['text beyond ASCII', (peer) => peer.sendState('STATUS=ä€😀'), () => notify({ status: 'ä€😀' })],
      [
        'a failure',
        (peer) => peer.sendState('ERRNO=98\nSTATUS=the port is taken'),
        () => notify({ errno: 98, status: 'the port is taken' }),
      ],
      [
        'more time',
        (peer) => peer.sendState('EXTEND_TIMEOUT_USEC=10000000'),
        () => notify({ extendTimeoutMicroseconds: 10_000_000n }),
      ],
      [
        'the longest status',
        (peer) => peer.sendState(`STATUS=${'x'.repeat(4_089)}`),
        () => notify({ status: 'x'.repeat(4_089) }),
      ],
    ])('%s', async (_what, theirs, ours) => {
      const expected = await sentBy(() => theirs(peer));
      const actual = await sentBy(ours);
      expect(actual).toEqual(expected);
      expect(actual.pid).toBe(process.pid);
    });

    it('a status, which it ends by a newline that the protocol allows', async () => {
      const expected = await sentBy(() => peer.sendStatus('serving'));
      const actual = await sentBy(() => notify({ status: 'serving' }));
      expect(`${actual.text}\n`).toBe(expected.text);
    });
  },
);

describe.skipIf(systemdNotify.missing !== null)(
  `systemd-notify sends the same (${systemdNotify.missing ?? 'runs'})`,
  () => {
    it.each<[string, string[], () => void]>([
      ['ready', ['--ready'], () => notify({ ready: true })],
      [
        'ready with a status',
        ['--ready', '--status=serving'],
        () => notify({ ready: true, status: 'serving' }),
      ],
      ['a status', ['--status=ä€😀'], () => notify({ status: 'ä€😀' })],
      ['any assignment', ['WATCHDOG=trigger'], () => notify({ watchdog: 'trigger' })],
    ])('%s', async (_what, options, ours) => {
      const expected = await sentBy(() => spawnSync('systemd-notify', ['--no-block', ...options]));
      const actual = await sentBy(ours);
      expect({ ...actual, pid: 0 }).toEqual({ ...expected, pid: 0 });
    });

    it('a barrier', async () => {
      const peer = spawn('systemd-notify', ['--ready']);
      // Its end may come before the receiver has told that the barrier is answered.
      const exited = once(peer, 'exit');
      await receiver.next();
      const expected = await receiver.next();
      await receiver.closeDescriptors();
      await exited;
      const barrier = notifyBarrier(60_000);
      const actual = await receiver.next();
      await receiver.closeDescriptors();
      expect(await barrier).toEqual({ outcome: 'acknowledged' });
      expect({ ...actual, pid: 0 }).toEqual({ ...expected, pid: 0 });
    });
  },
);

describe.skipIf(libsystemd.missing !== null)(`libsystemd (${libsystemd.missing ?? 'runs'})`, () => {
  const addresses = ['/', '', 'x', '/nonexistent/sd-gateway', `/${'a'.repeat(107)}`, `@${'a'.repeat(107)}`];
  let answers: unknown[];
  beforeAll(() => {
    answers = askLibsystemd(
      'notify',
      addresses.map((NOTIFY_SOCKET) => ({ NOTIFY_SOCKET })),
    );
  });
  afterAll(() => {
    delete process.env['NOTIFY_SOCKET'];
  });

  it.each(addresses.map((address, index) => [address, index] as const))(
    'refuses the address %j as well',
    (address, index) => {
      process.env['NOTIFY_SOCKET'] = address;
      expect(answers[index]).toBeLessThan(0);
      expect(native().sd_notify('READY=1', '')).toBeLessThan(0);
    },
  );
});
