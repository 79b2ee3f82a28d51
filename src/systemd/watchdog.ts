import { SystemCallError } from '../linux/errors.js';
import { failure, native } from '../linux/native.js';
import { errnoInvalid, largestInt, parseDecimal } from './arguments.js';
import { formatJournalEntry, type JournalField, journalSocket } from './journal.js';
import { formatNotification } from './notify.js';

export type WatchdogSetting =
  | { readonly enabled: false }
  /** `WATCHDOG_USEC`: without `WATCHDOG=1` for this many µs the service manager ends this process. */
  | { readonly enabled: true; readonly microseconds: bigint };

/** The largest number, 2^64 - 1, stands for infinity. */
const largestTimeout = 2n ** 64n - 2n;

/**
 * Tells if the service manager expects `WATCHDOG=1` from this very process, and within which time, in µs.
 *
 * @throws {@link SystemCallError} if `WATCHDOG_USEC` or `WATCHDOG_PID` is malformed
 * @see sd_watchdog_enabled(3)
 */
export function watchdogEnabled(): WatchdogSetting {
  const { WATCHDOG_USEC, WATCHDOG_PID } = process.env;
  if (WATCHDOG_USEC === undefined) return { enabled: false };
  const microseconds = parseDecimal(WATCHDOG_USEC, 1n, largestTimeout);
  const pid = parseDecimal(WATCHDOG_PID ?? String(process.pid), 1n, largestInt);
  if (microseconds === null || pid === null) {
    throw new SystemCallError(
      'Could not read the watchdog settings in WATCHDOG_USEC and WATCHDOG_PID',
      failure(-errnoInvalid),
      'The service manager sets both (systemd.service(5), WatchdogSec=); nothing else should.',
    );
  }
  return pid === BigInt(process.pid) ? { enabled: true, microseconds } : { enabled: false };
}

export interface StallWatchOptions {
  /** Longest time that the thread may go without `alive` before word is given, in ms. */
  readonly limitMilliseconds: number;
  /** Entry for journald; one line each. */
  readonly journalEntry: readonly JournalField[];
  /** `STATUS=` for the service manager. */
  readonly status: string;
  /** The socket that journald listens on. */
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
  if (id < 0) throw new SystemCallError('Could not watch the event loop for stalls', failure(id));
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
