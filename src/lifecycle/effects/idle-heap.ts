/** From one look at the heap to the next, in milliseconds. */
export const idleHeapIntervalMs = 60_000;

/** Share of that time that the watchdog and the status line of a gateway at rest may take. */
const mostUtilization = 0.02;

/** Less is not worth the tens of milliseconds for which a collection holds up the thread. */
const worthwhileBytes = 4 * 1024 ** 2;

/** One thread's heap, as a look finds it. */
export interface HeapLook {
  /** Share of the time since the last look for which the event loop was busy, from 0 to 1. */
  readonly utilization: number;
  /** Memory that V8 holds for the heap, in use or not, in bytes. */
  readonly committedBytes: number;
  /** The same right after the last collection; 0: there was none. */
  readonly collectedBytes: number;
}

export function isWorthCollecting({ utilization, committedBytes, collectedBytes }: HeapLook): boolean {
  return utilization <= mostUtilization && committedBytes >= collectedBytes + worthwhileBytes;
}

/**
 * Collects this thread's garbage each time that it has come to rest, so that V8 hands back the room that a load took.
 * V8's own collections at rest end once two have shrunk the heap, also while a slow load goes on, and begin again only
 * after a later one has found 10 MiB more. Without another load that never comes.
 *
 * @param onFailure told once, and nothing is collected from then on
 */
export function collectGarbageAtRest(onFailure: (error: unknown) => void): NodeJS.Timeout {
  let last = performance.eventLoopUtilization();
  let collectedBytes = 0;
  const look = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    if (!isWorthCollecting({ utilization, committedBytes: committedBytes(), collectedBytes })) return;
    collectGarbage();
    collectedBytes = committedBytes();
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch (error) {
      clearInterval(timer);
      onFailure(error);
    }
  }, idleHeapIntervalMs).unref();
  return timer;
}

/** Node's modules for it are loaded at the first look: no start waits for them. */
function committedBytes(): number {
  return process.getBuiltinModule('node:v8').getHeapStatistics().total_heap_size;
}

/**
 * Collects all garbage of this thread. V8 also shrinks the room for new objects; up to Node.js 20 it does so only if little
 * was allocated in the seconds before. Throws if this Node.js hands out no collector.
 */
function collectGarbage(): void {
  // The flag adds the function to the contexts that are made from now on, and to no other.
  process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc');
  const collect: unknown = process.getBuiltinModule('node:vm').runInNewContext('globalThis.gc');
  if (typeof collect !== 'function')
    throw new Error('this Node.js hands out no collector of garbage (--expose-gc)');
  // Node.js 20 would collect new objects alone; later ones keep freed pages for the next load but for this.
  if (Number.parseInt(process.versions.node, 10) < 22) collect();
  else collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
