import { expect, it } from 'vitest';
import { receiverPort } from '../crash/gateway.js';
import { describeReport } from '../crash/report.js';
import { crashTest } from '../crash/tester.js';
import { describeOnMachine } from './harness/suite.js';

/**
 * `npm run crash`: 30 minutes, with channels; CRASH_MINUTES, CRASH_SEED and CRASH_FAULTS (names, apart by commas) say
 * otherwise.
 */
const minutes = Number(process.env['CRASH_MINUTES'] ?? 1 / 4);
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

describeOnMachine('a gateway under load that crashes again and again', (machine) => {
  it('loses nothing, keeps each session’s order and sends no reply under two keys', {
    timeout: minutes * 60_000 + 900_000,
  }, async () => {
    process.stdout.write(`\nCRASH_SEED=${seed}\n`);
    const only = process.env['CRASH_FAULTS']?.split(',');
    const report = await crashTest(machine(), {
      seed,
      duration: minutes * 60_000,
      least: 8,
      channels: process.env['CRASH_MINUTES'] !== undefined,
      progress: (line) => process.stdout.write(`${line}\n`),
      ...(only === undefined ? {} : { only }),
    });
    process.stdout.write(`\n${describeReport(report)}\n`);
    expect(report.violations).toEqual([]);
  });
});

describeOnMachine('the crash tester', (machine) => {
  it('fails at once if its receiver can’t run', async () => {
    const listen = `require('node:net').createServer().listen(${receiverPort}, '127.0.0.1')`;
    await machine().check(['systemd-run', '--unit=holder', '--service-type=exec', 'node', '-e', listen]);
    await machine().check([
      'sh',
      '-c',
      `until grep -q "0100007F:$(printf %04X ${receiverPort}) .* 0A" /proc/net/tcp; do sleep 0.02; done`,
    ]);
    const test = crashTest(machine(), { seed: 1, duration: 300_000, only: ['SIGKILL'] });
    await expect(test).rejects.toThrow('receiver.mjs ended in the middle of the test (exit status 1)');
  });
});
