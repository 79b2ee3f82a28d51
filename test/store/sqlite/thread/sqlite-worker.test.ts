import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SqliteStore } from '../../../../src/store/sqlite/sqlite-store.js';
import type { Turn } from '../../../../src/store/turns.js';
import { acceptOne, claimTurns, newMessage, noLimits } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

describe('what many agents write at once', () => {
  const count = 100;

  async function run(store: SqliteStore): Promise<readonly Turn[]> {
    const messages = Array.from({ length: count }, (_, index) => newMessage(`session-${index}`));
    await store.acceptAll(messages, noLimits, null);
    return claimTurns(store, { limit: count });
  }

  const textOf = async (store: SqliteStore, { messageId }: Turn) =>
    (await store.deltas(messageId, 0, 10)).items.map(({ position, text }) => `${position} ${text}`);

  test('lets a post go first that comes behind it', async () => {
    const store = await files.open();
    const turns = await run(store);
    const answered: string[] = [];
    const written = turns.map(async (turn) => {
      expect(await store.appendDeltas(turn, ['one', 'two'])).toBe(2);
      answered.push('text');
    });
    await acceptOne(store, 'a');
    answered.push('post');
    await Promise.all(written);
    expect(answered).toHaveLength(count + 1);
    expect(answered.at(-1)).toBe('text');
    for (const turn of turns) expect(await textOf(store, turn)).toEqual(['1 one', '2 two']);
  });

  test('is written before the store is closed', async () => {
    const store = await files.open();
    const turns = await run(store);
    const written = Promise.all(turns.map((turn) => store.appendDeltas(turn, ['one'])));
    await store.close();
    expect(await written).toEqual(turns.map(() => 1));
    const again = await files.open();
    for (const turn of turns) expect(await textOf(again, turn)).toEqual(['1 one']);
  });
});
