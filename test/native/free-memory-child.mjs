// Frees much memory, and says in JSON what became of it, in KiB; run with --expose-gc.
//   free-memory-child.mjs trim           in the middle of the heap, then handed back
//   free-memory-child.mjs limit BYTES    at the end of a thread's arena
import { scryptSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { limitFreeMemory, trimHeap } from '../../dist/systemd/free-memory.js';

/** Of proc_pid_status(5). */
const resident = () => Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);

async function trim() {
  // Each too small for a mapping of its own; every thousandth stays, so that the end of the heap can't be cut off.
  let buffers = Array.from({ length: 30_000 }, () => Buffer.alloc(4_096, 1));
  const kept = buffers.filter((_, index) => index % 1_000 === 999);
  buffers = [];
  // Another thread of V8 frees the memory of collected buffers.
  while (process.memoryUsage().arrayBuffers > 8 * 1024 ** 2) {
    globalThis.gc();
    await new Promise(setImmediate);
  }
  const before = resident();
  trimHeap();
  return { handedBack: before - resident(), kept: kept.length };
}

async function limit(bytes) {
  limitFreeMemory(Number(bytes));
  const thread = new Worker(new URL(import.meta.url));
  const [kept] = await once(thread, 'message');
  return { kept };
}

/** scrypt(3) takes one block of 3.5 MiB, smaller than one with a mapping of its own, and frees it. */
function scrypt() {
  scryptSync('', '', 16, { N: 2_048, r: 14, maxmem: 8 * 1024 ** 2 });
}

if (isMainThread) {
  const [mode, bytes] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(mode === 'trim' ? await trim() : await limit(bytes)));
  process.exit();
}
// With what else the first call loads.
scryptSync('', '', 16, { N: 2 });
const before = resident();
scrypt();
parentPort.postMessage(resident() - before);
