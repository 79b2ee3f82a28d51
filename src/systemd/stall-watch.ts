import { SystemCallError } from '../linux/errno.js';
import { native } from '../linux/native.js';
import { formatJournalEntry, type JournalField, journalSocket } from './journal.js';
import { formatNotification } from './notification.js';

export interface StallWatchOptions {
  /** How long the thread may go without `alive` before word is given, in ms. */
  readonly limitMilliseconds: number;
  /** What journald is told; one line each. */
  readonly journalEntry: readonly JournalField[];
  /** `STATUS=` for the service manager. */
  readonly status: string;
  /** Where journald listens. */
  readonly journalSocket?: string;
}

export interface StallWatch {
  /** This thread gets on. */
  alive(): void;
  /** Nothing is told any more once this has returned. Idempotent. */
  close(): void;
}

/**
 * Gives word of this thread being blocked, from a thread of its own, once for each time; what it says is made
 * beforehand. Throws `RangeError` for options that can't work, `SystemCallError` when the thread can't be started.
 */
export function startStallWatch(options: StallWatchOptions): StallWatch {
  const { limitMilliseconds, journalEntry, status } = options;
  if (!(limitMilliseconds > 0 && limitMilliseconds <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`${limitMilliseconds} ms is not a time that a stall watch can be given`);
  }
  const entry = formatJournalEntry(journalEntry);
  if (typeof entry !== 'string') throw new RangeError('A stall watch takes fields of one line of text only');
  const id = native().stall_watch_start(
    Math.ceil(limitMilliseconds),
    options.journalSocket ?? journalSocket,
    entry,
    formatNotification({ status }),
  );
  if (id < 0) throw new SystemCallError('Could not watch the event loop for stalls', id);
  let open = true;
  return {
    alive() {
      if (open) native().stall_watch_alive(id);
    },
    close() {
      if (!open) return;
      open = false;
      native().stall_watch_stop(id);
    },
  };
}
