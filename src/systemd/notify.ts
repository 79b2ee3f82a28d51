import { ArgumentError, type SystemCallFailure } from '../linux/errors.js';
import { failure, native, readPipe } from '../linux/native.js';
import { showValue } from './arguments.js';

/** Fields that one message can tell the service manager; each is one assignment of sd_notify(3). */
export interface NotifyFields {
  /** `READY=1`: the start or the reload is finished. */
  readonly ready?: true;
  /** `RELOADING=1`; `notify` adds the `MONOTONIC_USEC=` that belongs to it. */
  readonly reloading?: true;
  /** `STOPPING=1`. */
  readonly stopping?: true;
  /** `STATUS=`: one line for people. Control characters become spaces; what is too long for a message is cut. */
  readonly status?: string;
  /** `ERRNO=`: why the service failed, errno(3), 1 to 4095. */
  readonly errno?: number;
  /** `BUSERROR=`: why it failed, as the name of a D-Bus error. */
  readonly busError?: string;
  /** `EXIT_STATUS=`: the exit status to come, 0 to 255. */
  readonly exitStatus?: number;
  /** `MAINPID=`. */
  readonly mainPid?: number;
  /** `WATCHDOG=1`, or `WATCHDOG=trigger` to have the watchdog act at once. */
  readonly watchdog?: 'ping' | 'trigger';
  /** `WATCHDOG_USEC=`: another watchdog timeout from now on, µs. */
  readonly watchdogMicroseconds?: bigint;
  /** `EXTEND_TIMEOUT_USEC=`: the time until the next such message, µs. */
  readonly extendTimeoutMicroseconds?: bigint;
  /** `MONOTONIC_USEC=`: CLOCK_MONOTONIC as the reload began, µs. */
  readonly monotonicMicroseconds?: bigint;
  /** `NOTIFYACCESS=`: whose messages count from now on. */
  readonly notifyAccess?: 'none' | 'main' | 'exec' | 'all';
  /** `FDSTORE=1`: keep the descriptors sent along; see `notifyWithDescriptors`. */
  readonly fdStore?: true;
  /** `FDSTOREREMOVE=1`: forget the descriptors of `fdName`. */
  readonly fdStoreRemove?: true;
  /** `FDNAME=`: 1 to 255 printable ASCII characters without a colon. */
  readonly fdName?: string;
  /** `FDPOLL=0`: keep them also after a hang-up. */
  readonly fdPoll?: false;
}

/** The service manager ignores a longer message as a whole (NOTIFY_BUFFER_MAX), bytes. */
export const longestNotification = 4096;

/** Largest `usec_t` that doesn't stand for infinity. */
const largestMicroseconds = 2n ** 64n - 2n;

const fdNamePattern = /^[\x20-\x39\x3b-\x7e]{1,255}$/;
/** D-Bus specification, "Error names". */
const busErrorPattern = /^(?=.{1,255}$)[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
const printableAscii = /^[\x20-\x7e]*$/;
const loneSurrogates = /\p{Surrogate}/gu;

/** The field of `NotifyFields` for each assignment whose value may be wrong. */
const argumentNames: Readonly<Record<string, keyof NotifyFields>> = {
  MONOTONIC_USEC: 'monotonicMicroseconds',
  ERRNO: 'errno',
  BUSERROR: 'busError',
  EXIT_STATUS: 'exitStatus',
  MAINPID: 'mainPid',
  WATCHDOG: 'watchdog',
  WATCHDOG_USEC: 'watchdogMicroseconds',
  EXTEND_TIMEOUT_USEC: 'extendTimeoutMicroseconds',
  NOTIFYACCESS: 'notifyAccess',
  FDNAME: 'fdName',
};

function refuse(name: string, value: unknown, wanted: string): never {
  throw new ArgumentError(
    argumentNames[name] ?? name,
    `${name}=${showValue(value)} can't be sent: it must be ${wanted}`,
  );
}

function integer(name: string, value: number, smallest: number, largest: number): string {
  if (!Number.isInteger(value) || value < smallest || value > largest) {
    refuse(name, value, `a whole number from ${smallest} to ${largest}`);
  }
  return String(value);
}

function microseconds(name: string, value: bigint): string {
  if (typeof value !== 'bigint' || value < 1n || value > largestMicroseconds) {
    refuse(name, value, `a bigint from 1 to ${largestMicroseconds} (µs)`);
  }
  return String(value);
}

function oneOf<Value extends string>(name: string, value: Value, values: readonly Value[]): string {
  if (!values.includes(value)) refuse(name, value, values.join(', '));
  return value;
}

function matching(name: string, value: string, pattern: RegExp, wanted: string): string {
  return typeof value === 'string' && pattern.test(value) ? value : refuse(name, value, wanted);
}

/** A text as one line of valid UTF-8. Most texts are that already. */
function oneLine(text: string): string {
  if (printableAscii.test(text)) return text;
  return text.replace(controlCharacters, ' ').replace(loneSurrogates, '\ufffd');
}

/** As much of `text` as fits into `bytes` of UTF-8, with an ellipsis where something is left out. */
function shorten(text: string, bytes: number): string {
  // A UTF-16 unit takes three bytes at most.
  if (text.length * 3 <= bytes || Buffer.byteLength(text) <= bytes) return text;
  const ellipsis = '…';
  let end = bytes - Buffer.byteLength(ellipsis);
  const encoded = Buffer.from(text);
  // Not in the middle of a character: 10xxxxxx is a continuation.
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end--;
  return encoded.toString('utf8', 0, end) + ellipsis;
}

/**
 * Formats the part before the status's text, or the whole message if there is none. All of it is ASCII. Throws
 * `ArgumentError` for a value that its field can't have, and for no field at all.
 */
export function formatHead(fields: NotifyFields): string {
  const lines: string[] = [];
  if (fields.ready) lines.push('READY=1');
  if (fields.reloading) lines.push('RELOADING=1');
  if (fields.stopping) lines.push('STOPPING=1');
  if (fields.monotonicMicroseconds !== undefined) {
    lines.push(`MONOTONIC_USEC=${microseconds('MONOTONIC_USEC', fields.monotonicMicroseconds)}`);
  }
  if (fields.errno !== undefined) lines.push(`ERRNO=${integer('ERRNO', fields.errno, 1, 4095)}`);
  if (fields.busError !== undefined) {
    lines.push(`BUSERROR=${matching('BUSERROR', fields.busError, busErrorPattern, 'a D-Bus error name')}`);
  }
  if (fields.exitStatus !== undefined) {
    lines.push(`EXIT_STATUS=${integer('EXIT_STATUS', fields.exitStatus, 0, 255)}`);
  }
  if (fields.mainPid !== undefined) {
    lines.push(`MAINPID=${integer('MAINPID', fields.mainPid, 1, 2 ** 31 - 1)}`);
  }
  if (fields.watchdog !== undefined) {
    const watchdog = oneOf('WATCHDOG', fields.watchdog, ['ping', 'trigger']);
    lines.push(`WATCHDOG=${watchdog === 'ping' ? '1' : watchdog}`);
  }
  if (fields.watchdogMicroseconds !== undefined) {
    lines.push(`WATCHDOG_USEC=${microseconds('WATCHDOG_USEC', fields.watchdogMicroseconds)}`);
  }
  if (fields.extendTimeoutMicroseconds !== undefined) {
    lines.push(
      `EXTEND_TIMEOUT_USEC=${microseconds('EXTEND_TIMEOUT_USEC', fields.extendTimeoutMicroseconds)}`,
    );
  }
  if (fields.notifyAccess !== undefined) {
    lines.push(`NOTIFYACCESS=${oneOf('NOTIFYACCESS', fields.notifyAccess, ['none', 'main', 'exec', 'all'])}`);
  }
  if (fields.fdStore) lines.push('FDSTORE=1');
  if (fields.fdStoreRemove) lines.push('FDSTOREREMOVE=1');
  if (fields.fdName !== undefined) {
    const wanted = '1 to 255 printable ASCII characters without a colon';
    lines.push(`FDNAME=${matching('FDNAME', fields.fdName, fdNamePattern, wanted)}`);
  }
  if (fields.fdPoll === false) lines.push('FDPOLL=0');
  if (fields.status !== undefined) lines.push('STATUS=');
  if (lines.length === 0) throw new ArgumentError('fields', 'A notification without a field says nothing');
  return lines.length === 1 ? (lines[0] ?? '') : lines.join('\n');
}

/** A status as one line that fits into a message behind this head, cut where there is too little room for it. */
export function editStatus(head: string, status: string): string {
  return shorten(oneLine(status), longestNotification - head.length);
}

/**
 * The message for a set of fields: one assignment a line, none but those given, whatever their texts hold. Throws
 * `ArgumentError` for a value that its field can't have, and for no field at all.
 */
export function formatNotification(fields: NotifyFields): string {
  const head = formatHead(fields);
  return fields.status === undefined ? head : head + editStatus(head, fields.status);
}

/** The outcome of a message to the service manager. */
export type NotifyOutcome =
  /** It is in the manager's queue. */
  | { readonly outcome: 'sent' }
  /** The manager's queue is full: a thread sends it as soon as there is room, after what was queued before. */
  | { readonly outcome: 'queued' }
  /** There is no `NOTIFY_SOCKET`. */
  | { readonly outcome: 'not-supervised' }
  | SystemCallFailure;

export type BarrierOutcome =
  /** The manager has taken in all that was sent before. */
  { readonly outcome: 'acknowledged' | 'not-supervised' | 'timed-out' } | SystemCallFailure;

/** The outcome of the messages that were queued. */
export interface NotifyQueue {
  readonly waiting: number;
  /** Number of messages that could not be sent after all, since the start of the process. */
  readonly failed: number;
  readonly lastFailure: SystemCallFailure | null;
}

const sent: NotifyOutcome = Object.freeze({ outcome: 'sent' });
const queued: NotifyOutcome = Object.freeze({ outcome: 'queued' });
const notSupervised = Object.freeze({ outcome: 'not-supervised' });

const errnoIllegalSequence = 84;
/** Longest wait of setTimeout, in ms. */
const longestTimer = 2 ** 31 - 1;

function notifyOutcome(result: number): NotifyOutcome {
  if (result < 0) return failure(result);
  if (result === 0) return notSupervised;
  return result === 1 ? sent : queued;
}

/** CLOCK_MONOTONIC in µs, as `MONOTONIC_USEC=` of sd_notify(3) wants it: on Linux Node's hrtime is that clock. */
function monotonicMicroseconds(): bigint {
  return process.hrtime.bigint() / 1_000n;
}

/** A reload’s message says when it began. */
function withTime(fields: NotifyFields): NotifyFields {
  return fields.reloading && fields.monotonicMicroseconds === undefined
    ? { ...fields, monotonicMicroseconds: monotonicMicroseconds() }
    : fields;
}

/**
 * sd_notify(3): tells the service manager, without ever blocking. The address is `NOTIFY_SOCKET` of the process's
 * own environment at this moment: in a worker thread too, whatever its copy in `process.env` says. Throws
 * `ArgumentError` as `formatNotification` does.
 */
export function notify(fields: NotifyFields): NotifyOutcome {
  const head = formatHead(withTime(fields));
  const { status = '' } = fields;
  // A status seldom has to be edited: the addon, which reads each character anyway, finds the one that has to be.
  const result = native().sd_notify(head, status);
  return notifyOutcome(
    result === -errnoIllegalSequence ? native().sd_notify(head + editStatus(head, status), '') : result,
  );
}

/**
 * sd_pid_notify_with_fds(3): the same with descriptors, for `fdStore`, or in another process's name. The manager
 * gets duplicates; the caller keeps its own.
 */
export function notifyWithDescriptors(
  fields: NotifyFields,
  descriptors: readonly number[],
  { pid = 0 }: { readonly pid?: number } = {},
): NotifyOutcome {
  return notifyOutcome(
    native().sd_pid_notify_with_fds(pid, formatNotification(withTime(fields)), descriptors),
  );
}

/**
 * sd_notify_barrier(3): resolves once the service manager has taken in all that was sent before, or after
 * `timeoutMilliseconds`. Keeps the event loop alive.
 */
export async function notifyBarrier(timeoutMilliseconds: number): Promise<BarrierOutcome> {
  const isTime =
    typeof timeoutMilliseconds === 'number' &&
    timeoutMilliseconds >= 0 &&
    timeoutMilliseconds <= Number.MAX_SAFE_INTEGER;
  if (!isTime) {
    throw new ArgumentError(
      'timeoutMilliseconds',
      `${showValue(timeoutMilliseconds)} ms is not a time that a barrier can be waited for`,
    );
  }
  const fd = native().sd_notify_barrier();
  if (fd < 0) return failure(fd);
  if (fd === 0) return notSupervised;
  const pipe = readPipe(fd);
  let errno = 0;
  return new Promise<BarrierOutcome>((resolve, reject) => {
    // If the event loop is late, an answer that has come meanwhile is still read first.
    const timer = setTimeout(
      () => setImmediate(() => resolve({ outcome: 'timed-out' })),
      Math.min(timeoutMilliseconds, longestTimer),
    );
    pipe.once('close', () => clearTimeout(timer));
    pipe.on('data', ([byte = 0]) => {
      errno = byte;
    });
    pipe.once('end', () => resolve(errno === 0 ? { outcome: 'acknowledged' } : failure(-errno)));
    pipe.once('error', reject);
  }).finally(() => pipe.destroy());
}

/**
 * Counts the messages that wait because the manager is busy, and those that could not be sent after all.
 *
 * @see sd_notify(3)
 */
export function notifyQueue(): NotifyQueue {
  const [waiting, failed, errno] = native().sd_notify_queue();
  return { waiting, failed, lastFailure: errno === 0 ? null : failure(-errno) };
}
