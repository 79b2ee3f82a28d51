import { describe, expect, test } from 'vitest';
import type { RunRecord, StopRecord } from '../../../src/store/open-store.js';
import { killsInARow, waitAfterKills } from '../../../src/store/rules/kills.js';

type Run = Pick<RunRecord, 'startedAt' | 'stop' | 'bootId' | 'endUnknown'>;

const stop = { cause: 'planned-stop' } as StopRecord;
const run = (startedAt: number, changes: Partial<Run> = {}): Run => ({
  startedAt,
  stop: null,
  bootId: 'b',
  ...changes,
});

describe('kills in a row', () => {
  test.each<[string, readonly Run[], number]>([
    ['none at a first start', [], 0],
    ['each that was soon after its start', [run(990_000), run(980_000), run(100_000)], 3],
    ['not one of a run that had gone on for long', [run(990_000), run(80_000), run(70_000)], 1],
    ['none before a stop', [run(990_000), run(980_000, { stop }), run(970_000)], 1],
    ['none before an end that nobody knows', [run(990_000, { endUnknown: 'restored' }), run(980_000)], 0],
    ['none of another boot', [run(990_000), run(980_000, { bootId: 'a' })], 1],
  ])('are %s', (_name, runs, expected) => {
    expect(killsInARow(runs, 1_000_000)).toBe(expected);
  });
});

test('a turn waits from the fourth on, twice as long each time, five minutes at most', () => {
  const waits = [1, 2, 3, 4, 5, 6, 13, 100].map(waitAfterKills);
  expect(waits).toEqual([null, null, null, 1_000, 2_000, 4_000, 300_000, 300_000]);
});
