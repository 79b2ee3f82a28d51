import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allowsAttempt,
  type Circuit,
  closedCircuit,
  failuresToOpen,
  onAttempt,
  onFailure,
  onInconclusive,
} from '../../../src/gateway/delivery/destination.js';

const settings = { retry_delay: 1_000, retry_delay_limit: 300_000 };
const open: Circuit = { state: 'open', failures: 5, until: 1_000 };
const halfOpen: Circuit = { state: 'half-open', failures: 5 };

describe('what passes', () => {
  test.each([
    [closedCircuit, 0, true],
    [open, 999, false],
    [open, 1_000, true],
    [halfOpen, 9_999, false],
  ])('%j at %i: %s', (circuit, now, expected) => {
    expect(allowsAttempt(circuit, now)).toBe(expected);
  });
});

describe('what an attempt changes', () => {
  test.each<[string, Circuit, Circuit]>([
    ['the probe begins', onAttempt(open), halfOpen],
    ['another attempt begins', onAttempt(closedCircuit), closedCircuit],
    ['one failure', onFailure(closedCircuit, 0, settings, () => 0), { state: 'closed', failures: 1 }],
    [
      'the failure that opens it',
      onFailure({ state: 'closed', failures: 4 }, 500, settings, () => 0),
      { state: 'open', failures: 5, until: 500 + 8_000 },
    ],
    [
      'the probe fails: longer',
      onFailure(halfOpen, 500, settings, () => 0),
      { state: 'open', failures: 6, until: 500 + 16_000 },
    ],
    ['a late failure of one from before', onFailure(open, 500, settings, () => 0), open],
    ['the probe says nothing', onInconclusive(halfOpen, 500), { state: 'open', failures: 5, until: 500 }],
    ['another attempt says nothing', onInconclusive(closedCircuit, 500), closedCircuit],
  ])('%s', (_name, got, expected) => {
    expect(got).toEqual(expected);
  });
});

test('never more than one probe, and never closed to it for longer than the limit', () => {
  const step = fc.record({
    wait: fc.nat(400_000),
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      let circuit = closedCircuit;
      let now = 0;
      let failures = 0;
      for (const { wait, random } of steps) {
        now += wait;
        if (!allowsAttempt(circuit, now)) {
          expect(circuit).toMatchObject({ state: 'open' });
          expect(circuit.state === 'open' && circuit.until - now).toBeLessThanOrEqual(
            settings.retry_delay_limit,
          );
          continue;
        }
        circuit = onAttempt(circuit);
        if (failures >= failuresToOpen) expect(allowsAttempt(circuit, now + 1e12)).toBe(false);
        circuit = onFailure(circuit, now, settings, () => random);
        failures += 1;
        expect(circuit.state).toBe(failures < failuresToOpen ? 'closed' : 'open');
      }
    }),
  );
});
