import { expect, it } from 'vitest';
import { makeChanged, smallSteps } from '../crash/mutants.js';
import { describeReport } from '../crash/report.js';
import { crashTest } from '../crash/tester.js';
import { describeOnMachine } from './harness/suite.js';

/** `npm run crash`: 30 minutes; CRASH_MINUTES, CRASH_SEED and CRASH_FAULTS (names, apart by commas) say otherwise. */
const minutes = Number(process.env['CRASH_MINUTES'] ?? 1);
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
      program: await makeChanged(machine(), smallSteps),
      ...(only === undefined ? {} : { only }),
    });
    process.stdout.write(`\n${describeReport(report)}\n`);
    expect(report.violations).toEqual([]);
  });
});
