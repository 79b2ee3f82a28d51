import { afterAll, beforeAll, describe } from 'vitest';
import { Machine, whyNoMachine } from './machine.js';

/**
 * A suite with a machine of its own. Where none can be booted the suite is reported as skipped, with the reason in
 * its name; under CI that is a failure.
 */
export function describeOnMachine(name: string, tests: (machine: () => Machine) => void): void {
  const reason = whyNoMachine();
  if (reason !== null && process.env['CI'] !== 'true') {
    describe.skip(`${name} (skipped: ${reason})`, () => tests(() => undefined as never));
    return;
  }
  describe(name, () => {
    let machine: Machine | null = null;
    beforeAll(async () => {
      if (reason !== null) throw new Error(`Under CI the real-systemd suite has to run: ${reason}`);
      machine = await Machine.boot();
    });
    afterAll(async () => {
      await machine?.destroy();
    });
    tests(() => {
      if (machine === null) throw new Error('The machine is there during the tests only.');
      return machine;
    });
  });
}
