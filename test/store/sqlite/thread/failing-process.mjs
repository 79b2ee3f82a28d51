/**
 * Works on the store step by step, then waits to be killed. Each step that was answered is told on stdout: "ok STEP", or
 * "refused STEP: REASON". Steps: "accept NAME" adds a message, "file" adds a file without a sync, "fail"
 * has each sync fail from then on, "work" ends that, "damage" changes what was the end of the write-ahead log before.
 * Arguments: the URL of the built sqlite-store.js, the path of the database, the steps.
 */
import { openSync, readSync, statSync, writeSync } from 'node:fs';
import { v7 } from 'uuid';

const [, , module, path, ...steps] = process.argv;
const { openSqliteStore } = await import(module);
const events = { ended: ({ message }) => writeSync(1, `ended: ${message}\n`) };
const { store } = await openSqliteStore({ path, busyTimeout: 5_000, maxAttempts: 3, events });

/** The place of `failing`, and its value for syncs, in struct control of ../../../crash/inside/faults.c. */
const [failingAt, syncs] = [16, 4];
function failSyncs(value) {
  const number = Buffer.alloc(4);
  number.writeInt32LE(value);
  writeSync(openSync(process.env.CRASH_CONTROL, 'r+'), number, 0, 4, failingAt);
}

let logBytes = 0;
function damage() {
  const log = openSync(`${path}-wal`, 'r+');
  const [byte, at] = [Buffer.alloc(1), logBytes - 100];
  readSync(log, byte, 0, 1, at);
  writeSync(log, Buffer.from([byte[0] ^ 1]), 0, 1, at);
}

const message = (text) => ({
  id: v7(),
  session: 's',
  text,
  metadata: {},
  replyTo: null,
  idempotencyKey: null,
  fingerprint: new Uint8Array(32),
  channel: 'test',
});

const actions = {
  accept: (text) => store.accept(message(text), { session: 100, total: 100 }),
  file: () => store.putBlob([new Uint8Array(5_000).fill(1)], 10_000),
  fail: () => {
    logBytes = statSync(`${path}-wal`).size;
    failSyncs(syncs);
  },
  work: () => failSyncs(0),
  damage,
};

for (const step of steps) {
  const [action, name] = step.split(' ');
  try {
    await actions[action](name);
    writeSync(1, `ok ${step}\n`);
  } catch (error) {
    writeSync(1, `refused ${step}: ${error.message}\n`);
  }
}
writeSync(1, 'done\n');
setInterval(() => {}, 60_000);
