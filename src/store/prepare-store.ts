import { type StoreThread, startStoreThread } from './sqlite/thread/store-thread.js';

/** A store's beginnings before its settings are known. */
export interface PreparedStore {
  readonly sqliteThread: StoreThread;
}

/**
 * Has the store load what it needs beside the gateway: there is more than one processor. This module loads next to
 * nothing itself.
 */
export function prepareStore(): PreparedStore {
  return { sqliteThread: startStoreThread() };
}
