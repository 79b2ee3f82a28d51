import { Worker } from 'node:worker_threads';

/** The store's thread, and what becomes of it from its first moment on, whether or not anybody asks yet. */
export interface StoreThread {
  readonly worker: Worker;
  /** Resolves once it has ended; `error` is what it failed with, or undefined. */
  readonly ended: Promise<{ readonly status: number; readonly error: unknown }>;
}

/** Starts the thread, which loads what it needs and opens nothing before it is told to: see `openSqliteStore`. */
export function startStoreThread(): StoreThread {
  const worker = new Worker(new URL('./sqlite-worker.js', import.meta.url), {
    name: 'store',
    // V8 would let the room for new objects grow to 48 MB, and keep it after the load.
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  });
  return followStoreThread(worker);
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
