import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Message } from '../../../../src/store/messages.js';
import type { Store } from '../../../../src/store/store.js';
import { propertyRuns, propertyTimeoutMs } from '../../../support/properties.js';
import { SqliteFactory } from '../sqlite-factory.js';

const built = new URL('../../../../dist/store/sqlite/sqlite-store.js', import.meta.url).href;
const program = fileURLToPath(new URL('./accepting-process.mjs', import.meta.url));

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

/** Runs the load until it has made `promises` promises, kills it, and returns all that it could still say. */
async function runAndKill(promises: number, run: number): Promise<string[]> {
  const load = spawn(process.execPath, [program, built, files.path, `run ${run}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(load, 'exit');
  const said: string[] = [];
  for await (const line of createInterface(load.stdout)) {
    said.push(line);
    if (said.length === promises) load.kill('SIGKILL');
  }
  expect(await ended).toEqual([null, 'SIGKILL']);
  return said;
}

async function allMessages(store: Store): Promise<Message[]> {
  const messages: Message[] = [];
  const sessions = await store.sessions({ limit: 100, after: null });
  for (const { session } of sessions.items) {
    const page = await store.sessionMessages(session, { limit: 10_000, after: null });
    expect(page?.items.map(({ seq }) => seq)).toEqual(page?.items.map((_, index) => index + 1));
    messages.push(...(page?.items ?? []));
  }
  return messages;
}

test('whatever was promised before kill -9 is there afterwards', {
  timeout: propertyTimeoutMs(60_000),
}, async () => {
  const promised = new Set<string>();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 600 }), async (promises) => {
      run += 1;
      for (const line of await runAndKill(promises, run)) promised.add(line);
      const { store, report } = await files.openWithReport();
      expect(report.closedCleanly).toBe(false);
      const messages = await allMessages(store);
      const kept = new Set<string>();
      for (const message of messages) {
        kept.add(`accepted ${message.id}`);
        if (message.reply?.text === message.id) kept.add(`replied ${message.id}`);
      }
      expect([...promised].filter((line) => !kept.has(line))).toEqual([]);
      const counts = await store.counts();
      expect(counts).toMatchObject({
        running: 0,
        queued: messages.filter(({ state }) => state === 'queued').length,
        replied: messages.filter(({ state }) => state === 'replied').length,
      });
      await store.close();
    }),
    // A history of kills on one database: no run of it can be left out to find a smaller one.
    { numRuns: propertyRuns(4), endOnFailure: true },
  );
});
