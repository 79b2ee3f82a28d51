import { expect, it } from 'vitest';
import { makeChanged, mutants } from '../crash/mutants.js';
import { crashTest } from '../crash/tester.js';
import { describeOnMachine } from './harness/suite.js';

/** `npm run test:all` takes them all, each of which takes a quarter of a minute; `npm test` the quickest. */
const taken = process.env['PROPERTY_FACTOR'] === undefined ? mutants.slice(0, 1) : mutants;

for (const mutant of taken) {
  describeOnMachine(`a gateway ${mutant.name}`, (machine) => {
    it('is found out', { timeout: 180_000 }, async () => {
      const program = await makeChanged(machine(), mutant);
      const report = await crashTest(machine(), {
        seed: 1,
        duration: 6_000,
        least: mutant.least ?? 12,
        program,
        only: mutant.only,
        ...(mutant.clients === undefined ? {} : { clients: mutant.clients }),
        ...(mutant.channels === true && { channels: true }),
        startPatience: 5_000,
        endPatience: 1_500,
      });
      expect(report.violations.join('\n')).toMatch(mutant.violation);
    });
  });
}
