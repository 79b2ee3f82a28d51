// Messages a second through the store alone:   node store-rate.mjs PATH COUNT one-session|new-sessions|some-sessions
// Each is accepted, claimed and completed, 64 at a time; durable at each step, as in the gateway.
import { v7 } from 'uuid';
import { openSqliteStore } from '../../dist/store/sqlite/sqlite-store.js';

const [path, count, pattern] = process.argv.slice(2);
const total = Number(count);
const { store } = await openSqliteStore({ path, busyTimeout: 5_000, maxAttempts: 3 });
const limits = { session: 1_000_000, total: 10_000_000 };
const fingerprint = new Uint8Array(32);
const sessionOf = {
  'one-session': () => 'session-0',
  'new-sessions': (number) => `new-${number}`,
  'some-sessions': (number) => `session-${number % 64}`,
}[pattern];

async function accept(number) {
  const { outcome } = await store.accept(
    {
      id: v7(),
      session: sessionOf(number),
      text: `Message ${number} of the benchmark, of some length`,
      metadata: {},
      replyTo: null,
      idempotencyKey: null,
      fingerprint,
      channel: 'http',
    },
    limits,
  );
  if (outcome !== 'accepted') throw new Error(`A message was not accepted: ${outcome}`);
}

async function drain() {
  let done = 0;
  for (;;) {
    const turns = await store.claimTurns({ owner: 'bench', limit: 64, leaseMs: 30_000 });
    if (turns.length === 0) return done;
    await Promise.all(turns.map((turn) => store.completeTurn(turn, { text: turn.text, metadata: {} })));
    done += turns.length;
  }
}

const before = (await store.counts()).replied;
let handled = 0;
const began = performance.now();
for (let number = 0; number < total; number += 64) {
  const size = Math.min(64, total - number);
  await Promise.all(Array.from({ length: size }, (_, index) => accept(number + index)));
  handled += await drain();
}
const seconds = (performance.now() - began) / 1_000;
const { replied, queued, running } = await store.counts();
if (handled !== total || replied - before !== total || queued + running !== 0) {
  throw new Error(`Of ${total} messages ${replied - before} have a reply`);
}
await store.close();
process.stdout.write(`${JSON.stringify({ rate: total / seconds })}\n`);
