import { failure, type SystemCallFailure } from '../linux/errno.js';
import { native, readPipe } from '../linux/native.js';
import { ArgumentError, showValue } from './argument-error.js';
import { editStatus, formatHead, formatNotification, type NotifyFields } from './notification.js';

export { formatNotification, type NotifyFields } from './notification.js';

/** What became of a message to the service manager. */
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

/** What became of the messages that were queued. */
export interface NotifyQueue {
  readonly waiting: number;
  /** How many could not be sent after all, since the start of the process. */
  readonly failed: number;
  readonly lastFailure: SystemCallFailure | null;
}

const sent: NotifyOutcome = Object.freeze({ outcome: 'sent' });
const queued: NotifyOutcome = Object.freeze({ outcome: 'queued' });
const notSupervised = Object.freeze({ outcome: 'not-supervised' });

const errnoIllegalSequence = 84;
/** What setTimeout can wait for, in ms. */
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
  if (!(timeoutMilliseconds >= 0 && timeoutMilliseconds <= Number.MAX_SAFE_INTEGER)) {
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
    // Where the event loop is late, an answer that has come meanwhile is still read before.
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

export function notifyQueue(): NotifyQueue {
  const [waiting, failed, errno] = native().sd_notify_queue();
  return { waiting, failed, lastFailure: errno === 0 ? null : failure(-errno) };
}
