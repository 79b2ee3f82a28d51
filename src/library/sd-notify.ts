/**
 * A drop-in for npm `sd-notify` 2.8.0: the same names, arguments, return values and effects, by this package's own
 * addon. Like there, nothing is reported of a message that can't be sent. Imported as `@sd-gateway/systemd/sd-notify`.
 *
 * @packageDocumentation
 */
import { basename } from 'node:path';
import { native } from '../linux/native.js';
import { journalSend } from '../systemd/journal.js';
import { watchdogEnabled } from '../systemd/watchdog.js';

/** sd_notify(3) ignores the pid of a process that this one may not speak for, and sends in its own name. */
function send(state: string, pid: number): void {
  native().sd_pid_notify_with_fds(pid === process.pid ? 0 : pid, state, []);
}

/** A C string ends at its first NUL. */
function cString(value: unknown): string {
  const text = String(value);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** A number as C++ makes an `int` of it: without its fraction; 0 for what is no number. */
function toInt(value: unknown): number {
  return typeof value === 'number' ? Math.trunc(value) | 0 : 0;
}

let watchdogTimer: NodeJS.Timeout | null = null;

/**
 * Sends `READY=1`.
 *
 * @see sd_notify(3)
 */
export function ready(): void {
  send('READY=1', 0);
}

/**
 * Sends `STOPPING=1`, in the name of a process.
 *
 * @param pid by default this process
 * @see sd_pid_notify(3)
 */
export function stopping(pid?: number): void {
  send('STOPPING=1', Math.max(0, toInt(pid)));
}

/**
 * Sends `WATCHDOG=1`.
 *
 * @see sd_notify(3)
 */
export function watchdog(): void {
  send('WATCHDOG=1', 0);
}

/**
 * The watchdog's timeout in milliseconds; 0: there is none, or it can't be read.
 *
 * @see sd_watchdog_enabled(3)
 */
export function watchdogInterval(): number {
  try {
    const setting = watchdogEnabled();
    return setting.enabled ? Number(setting.microseconds / 1_000n) : 0;
  } catch {
    return 0;
  }
}

/**
 * Sends assignments as they are.
 *
 * @param state one assignment a line
 * @see sd_notify(3)
 */
export function sendState(state: string): void {
  send(cString(state), 0);
}

/**
 * Sends `STATUS=`.
 *
 * @param text a line feed begins another assignment, as it does with `sd-notify`
 * @see sd_notify(3)
 */
export function sendStatus(text: string): void {
  send(cString(`STATUS=${text}\n`), 0);
}

/**
 * Sends `WATCHDOG=1` at each interval, hanging or not, and keeps the process alive, as `sd-notify` does. See
 * `supervise().watchdog()` for one that follows the service's progress.
 *
 * @param interval milliseconds; by default 3000
 * @see sd_notify(3)
 */
export function startWatchdogMode(interval?: number): void {
  watchdogTimer = setInterval(watchdog, Number(interval) || 3_000);
}

/**
 * Ends what `startWatchdogMode` began.
 *
 * @see sd_notify(3)
 */
export function stopWatchdogMode(): void {
  if (watchdogTimer === null) return;
  clearInterval(watchdogTimer);
  watchdogTimer = null;
}

/**
 * Writes a message to the journal.
 *
 * @param level 0 (emerg) to 7 (debug)
 * @param message up to the first NUL
 * @see sd_journal_print(3)
 */
export function journalPrint(level: number, message: string): void {
  journalSend([
    ['MESSAGE', cString(message)],
    ['PRIORITY', String(toInt(level) & 7)],
    ['SYSLOG_IDENTIFIER', basename(process.argv0)],
  ]);
}

function printer(level: number): (...words: readonly unknown[]) => void {
  return (...words) => journalPrint(level, words.join(' '));
}

/**
 * One function for each level; the arguments are joined by spaces.
 *
 * @see sd_journal_print(3), syslog(3)
 */
export const log = {
  emerg: printer(0),
  emergency: printer(0),
  alert: printer(1),
  crit: printer(2),
  critical: printer(2),
  err: printer(3),
  error: printer(3),
  warning: printer(4),
  warn: printer(4),
  notice: printer(5),
  info: printer(6),
  debug: printer(7),
};
