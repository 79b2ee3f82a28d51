import { collectGarbage } from '../memory/collect-garbage.js';
import type { SqliteStore } from '../store/sqlite/sqlite-store.js';
import { limitFreeMemory, trimHeap } from '../systemd/free-memory.js';

/**
 * What the C library may keep of freed memory at the end of a thread's arena, in bytes: at work as much as it allows
 * itself at most; V8's threads hand back theirs while they collect garbage.
 */
const arenaEnd = { atWork: 64 * 1024 ** 2, whileReleasing: 128 * 1024 };

/** Hands back the garbage of both threads, SQLite's cache, and what the C library keeps of freed memory. */
export async function releaseMemory(store: Pick<SqliteStore, 'releaseMemory'>): Promise<void> {
  limitFreeMemory(arenaEnd.whileReleasing);
  try {
    // At the same time, so that more of V8's threads take part and hand back what is theirs.
    await Promise.all([store.releaseMemory(), collectGarbage()]);
    trimHeap();
  } finally {
    limitFreeMemory(arenaEnd.atWork);
  }
}
