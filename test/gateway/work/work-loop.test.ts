import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WorkLoop } from '../../../src/gateway/work/work-loop.js';
import { systemClock } from '../../../src/lifecycle/effects/clock.js';
import { StoreError } from '../../../src/store/store-error.js';
import { recordingLog } from '../dispatch/fixture.js';

test('many ends that wait for the store are no leak that Node.js warns of', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const loop = new WorkLoop({
    name: 'dispatcher',
    purposes: { claim: 'claim', due: 'say what is due', write: 'write', putBack: 'put back' },
    log: recordingLog().log,
    clock: systemClock,
    leaseMs: () => 60_000,
    freeSlots: () => 0,
    claim: async () => [],
    nextDueInMs: async () => null,
    onClaimed: () => undefined,
    onClaimedLate: () => undefined,
    isHolding: () => false,
    renewLeases: async () => undefined,
    onGiveUp: () => undefined,
    ended: async () => undefined,
    finishedCount: () => 0,
    unfinishedCount: () => 0,
    putBack: async () => 0,
  });
  const fail = () => Promise.reject(new StoreError('unavailable', 'the disk is away'));
  const writes = Array.from({ length: 30 }, () => loop.write(fail));
  await nextRound();
  await loop.drain(0);
  expect((await Promise.all(writes)).map(({ result }) => result)).toEqual(Array(30).fill('given-up'));
  await nextRound();
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
