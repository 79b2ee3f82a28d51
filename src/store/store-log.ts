import type { StoreLog } from './store-kind.js';

/** Those who read the database, in the words of an operator. */
export function describeReaders(readers: StoreLog['readers']): string {
  if (readers.length === 0) return 'a reader of the database that can’t be seen from here (fuser finds it)';
  return readers.map(({ pid, command }) => `${command ?? 'a process'} (PID ${pid})`).join(', ');
}
