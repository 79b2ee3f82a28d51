import { Worker } from 'node:worker_threads';

/** The store's thread, and what becomes of it from its first moment on, whether or not anybody asks yet. */
export interface StoreThread {
  readonly worker: Worker;
  /** Resolves once it has ended; `error` is what it failed with, or undefined. */
  readonly ended: Promise<{ readonly status: number; readonly error: unknown }>;
}

/**
 * Starts a store's thread before its time: it loads what it needs beside the main thread, which loads the rest. It keeps
 * no process that has nothing else to do.
 */
export function newStoreThread(): StoreThread {
  const worker = new Worker(new URL('./sqlite-worker.js', import.meta.url), {
    name: 'store',
    // V8 would let the room for new objects grow to 48 MB, and keep it after the load.
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  });
  worker.unref();
  return followStoreThread(worker);
}

let prepared: StoreThread | null = null;

/** Has the next store use a thread that was started before its time. */
export function useStoreThread(thread: StoreThread): void {
  prepared = thread;
}

/** Starts the thread, which loads what it needs and opens nothing before it is told to: see `openSqliteStore`. */
export function startStoreThread(): StoreThread {
  const thread = prepared ?? newStoreThread();
  prepared = null;
  thread.worker.ref();
  return thread;
}

export function followStoreThread(worker: Worker): StoreThread {
  let failure: unknown;
  worker.on('error', (error: unknown) => {
    failure = error;
  });
  const ended = new Promise<{ status: number; error: unknown }>((resolve) => {
    worker.on('exit', (status) => resolve({ status, error: failure }));
  });
  return { worker, ended };
}
