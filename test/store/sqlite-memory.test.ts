import { afterEach, beforeEach, expect, test } from 'vitest';
import { acceptOne } from './samples.js';
import { SqliteFactory } from './sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

test('memory is handed back after what was asked before, and the store works on', async () => {
  const store = await files.open();
  const settled: string[] = [];
  const accepted = acceptOne(store, 'a').finally(() => settled.push('accepted'));
  // The calls of one turn of the event loop travel at its end.
  await new Promise(setImmediate);
  await Promise.all([store.releaseMemory(), store.releaseMemory()]).finally(() => settled.push('released'));
  expect(settled).toEqual(['accepted', 'released']);
  const { id } = await accepted;
  expect(await store.message(id)).toMatchObject({ state: 'queued' });
  expect((await acceptOne(store, 'a')).seq).toBe(2);
});

test('a store that is closed, or closes meanwhile, says so', async () => {
  const store = await files.open();
  const [released] = await Promise.allSettled([store.releaseMemory(), store.close()]);
  expect(released).toSatisfy(
    (outcome: PromiseSettledResult<void>) =>
      outcome.status === 'fulfilled' || outcome.reason.reason === 'closed',
  );
  await expect(store.releaseMemory()).rejects.toMatchObject({ reason: 'closed' });
});
