import { v7 as uuid } from 'uuid';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keptRuns, type RunRecord, runOutcome, type StopRecord } from '../../../../src/store/open-store.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

const stop: StopRecord = {
  requestedAt: 2_000,
  at: 2_100,
  cause: 'planned-stop',
  description: 'planned stop by systemd (PID 1, UID 0)',
  exitStatus: 0,
  signal: 'SIGTERM',
  sender: { pid: 1, uid: 0, comm: 'systemd' },
  job: { type: 'restart', shutdown: null, because: null },
  drainMicroseconds: 90_000,
  finishedTurns: 2,
  putBackTurns: 1,
  error: null,
};

function run(startedAt: number): RunRecord {
  return {
    id: uuid(),
    invocationId: 'ab'.repeat(16),
    bootId: 'boot',
    pid: 42,
    version: '1.2.3',
    startedAt,
    startDuration: 300,
    readyAt: startedAt + 300,
    resumedTurns: 0,
    stop: null,
  };
}

describe('the runs', () => {
  it('are there for the next start, with how they ended', async () => {
    const first = run(1_000);
    const store = await files.open();
    expect(await store.beginRun(first)).toEqual([first]);
    await store.updateRun({ ...first, stop });
    await store.close();
    const second = run(3_000);
    expect(await (await files.open()).beginRun(second)).toEqual([second, { ...first, stop }]);
  });

  it(`are the newest ${keptRuns}`, async () => {
    const store = await files.open();
    for (let number = 1; number <= keptRuns + 5; number++) await store.beginRun(run(number));
    const kept = await store.runs(1_000);
    expect(kept.map(({ startedAt }) => startedAt)).toEqual(
      Array.from({ length: keptRuns }, (_, index) => keptRuns + 5 - index),
    );
    expect(await store.runs(3)).toEqual(kept.slice(0, 3));
    expect(await store.runs(0)).toEqual([]);
  });

  it('that are forgotten can’t be updated, nor made again', async () => {
    const store = await files.open();
    await store.updateRun(run(1));
    expect(await store.runs(10)).toEqual([]);
  });

  it.each<[StopRecord | null, boolean, string]>([
    [null, true, 'running'],
    [null, false, 'crashed'],
    [stop, false, 'clean'],
    [{ ...stop, exitStatus: 75 }, false, 'clean'],
    [{ ...stop, exitStatus: 1 }, false, 'failed'],
  ])('have an outcome: %#', (ended, isCurrent, outcome) => {
    expect(runOutcome({ ...run(1), stop: ended }, isCurrent)).toBe(outcome);
  });
});
