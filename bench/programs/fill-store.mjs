// Makes a store with a past:   node fill-store.mjs PATH MESSAGES SESSIONS RUNNING
// The messages are spread over the sessions; of RUNNING sessions the last one was running when the gateway was killed.
// Written by SQL, as the store would take minutes; then opened as a gateway does, which checks all of it.

import { seal } from '../../dist/store/sqlite/file/seal.js';
import { openSqliteStore } from '../../dist/store/sqlite/sqlite-store.js';
import Database from '../../test/support/sqlite.mjs';

const [path, ...numbers] = process.argv.slice(2);
const [messages, sessions, running] = numbers.map(Number);
const options = { path, busyTimeout: 5_000, maxAttempts: 3 };

await (await openSqliteStore(options)).store.close();
const database = new Database(path);
const now = Date.now();
const last = Math.ceil(messages / sessions);
const series = (count) =>
  `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})`;
// The last of its session, and that session is one of those that run.
const isRunning = `(i / ${sessions} = ${last - 1} AND i % ${sessions} < ${running})`;
database.transaction(() => {
  database.exec(`
    INSERT INTO sessions (number, name, last_seq, unfinished, last_accepted_at)
      ${series(sessions)} SELECT i + 1, 'session-' || i, ${last}, i < ${running}, ${now} FROM n;
    INSERT INTO messages (number, id, session, seq, state, attempts, accepted_at, changed_at, channel)
      ${series(messages)} SELECT i + 1, unhex(printf('019a0000000070008000%012x', i)), i % ${sessions} + 1,
        i / ${sessions} + 1, iif(${isRunning}, 'running', 'replied'), 1, ${now}, ${now}, 'http' FROM n;
    INSERT INTO message_texts (message, text, metadata)
      ${series(messages)} SELECT i + 1, 'Message ' || i || ' of the benchmark, of some length', '{}' FROM n;
    INSERT INTO replies (message, text, metadata, at)
      ${series(messages)} SELECT i + 1, 'Message ' || i || ' of the benchmark, of some length', '{}', ${now}
        FROM n WHERE NOT ${isRunning};
    UPDATE counters SET sessions = ${sessions}, replied = ${messages - running}, running = ${running};`);
  if (running > 0) {
    database.exec(`
      INSERT INTO heads (line, session, message, owner, lease_until)
        ${series(running)} SELECT 'turn', i + 1, ${(last - 1) * sessions} + i + 1, 'killed', ${now + 30_000} FROM n`);
  }
})();
const problems = database.pragma('foreign_key_check');
if (problems.length > 0) throw new Error(`The store is not right: ${JSON.stringify(problems[0])}`);
database.pragma('wal_checkpoint(TRUNCATE)');
database.close();
seal(path, 'closed');
process.stdout.write('{}\n');
