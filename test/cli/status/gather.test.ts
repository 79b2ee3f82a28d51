import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { gather } from '../../../src/cli/status/gather.js';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.js';
import { fakeProgram } from '../../manager/fake-program.js';
import { run } from '../operate/samples.js';
import { SystemctlDouble } from '../systemctl-double.js';

let double: SystemctlDouble;
beforeEach(() => {
  double = new SystemctlDouble();
});
afterEach(() => {
  double.remove();
});

it.each([
  [false, { description: expect.stringContaining('it ended without a word') }],
  [true, null],
])('beside a stopped unit, with a gateway in the foreground that hangs: %s', async (hangs, lastStop) => {
  double.says('sd-gateway.service', {
    LoadState: 'loaded',
    ActiveState: 'inactive',
    StateDirectory: 'sd-gateway',
    RuntimeDirectory: 'sd-gateway',
  });
  fakeProgram('journalctl', '');
  // The place in user managers before systemd 254.
  const state = join(double.home, 'CONFIG_HOME/sd-gateway');
  const runtime = join(double.home, 'RUNTIME_DIR/sd-gateway');
  for (const directory of [state, runtime]) mkdirSync(directory, { recursive: true });
  const path = join(state, 'gateway.db');
  const { store } = await openSqliteStore({ path, busyTimeout: 1_000, maxAttempts: 3 });
  await store.beginRun(run({ stop: null }));
  await store.close();
  const silent = createServer((socket) => socket.on('error', () => undefined));
  if (hangs) await once(silent.listen(join(runtime, 'control.sock')), 'listening');
  const report = await gather({ scope: 'user', instance: null }, true);
  silent.close();
  expect(report.verdict).toBe(hangs ? 'foreground' : 'stopped');
  expect(report.lastStop).toEqual(lastStop === null ? null : expect.objectContaining(lastStop));
});
