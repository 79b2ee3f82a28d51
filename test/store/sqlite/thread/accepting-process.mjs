/**
 * Works on the store as hard as it can and says on stdout what was promised to it, until it is killed:
 * "accepted ID" and "replied ID", each only once its promise has resolved.
 * Arguments: the URL of the built sqlite-store.js, the path of the database, a name for this run, and how many
 * messages to send before it does nothing more (default: no end).
 */
import { writeSync } from 'node:fs';
import { v7 } from 'uuid';

const [, , module, path, run, count] = process.argv;
const { openSqliteStore } = await import(module);
const { store } = await openSqliteStore({ path, busyTimeout: 5_000, maxAttempts: 1_000 });
const limits = { session: 1_000_000, total: 1_000_000 };

async function post(session, messages = Number.POSITIVE_INFINITY) {
  for (let sent = 0; sent < messages; sent += 1) {
    const id = v7();
    const outcome = await store.accept(
      {
        id,
        session,
        text: 'x'.repeat(300),
        metadata: { run },
        replyTo: null,
        idempotencyKey: id,
        fingerprint: new Uint8Array(32),
        channel: 'test',
      },
      limits,
    );
    if (outcome.outcome !== 'accepted') throw new Error(outcome.outcome);
    writeSync(1, `accepted ${id}\n`);
  }
}

async function work() {
  for (;;) {
    for (const turn of await store.claimTurns({ owner: run, limit: 4, leaseMs: 60_000 })) {
      if (await store.completeTurn(turn, { text: turn.messageId, metadata: {} })) {
        writeSync(1, `replied ${turn.messageId}\n`);
      }
    }
  }
}

if (count === undefined)
  await Promise.all([...Array.from({ length: 8 }, (_, index) => post(`session ${index}`)), work()]);
else await post('session', Number(count));
