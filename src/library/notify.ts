import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import {
  type BarrierOutcome,
  formatHead,
  longestNotification,
  type NotifyFields,
  type NotifyOutcome,
  notifyBarrier,
  notify as send,
} from '../systemd/notify.js';
import { readFields } from './read-arguments.js';

/** The type of each field. TypeScript knows it; a caller in JavaScript may not. */
const fieldTypes: Readonly<Record<keyof NotifyFields, 'true' | 'false' | 'string' | 'number' | 'bigint'>> = {
  ready: 'true',
  reloading: 'true',
  stopping: 'true',
  status: 'string',
  errno: 'number',
  busError: 'string',
  exitStatus: 'number',
  mainPid: 'number',
  watchdog: 'string',
  watchdogMicroseconds: 'bigint',
  extendTimeoutMicroseconds: 'bigint',
  monotonicMicroseconds: 'bigint',
  notifyAccess: 'string',
  fdStore: 'true',
  fdStoreRemove: 'true',
  fdName: 'string',
  fdPoll: 'false',
};

/** No status of fewer UTF-16 units can be too long for a message. */
const surelyShort = 1_000;

function check(fields: NotifyFields): void {
  for (const name of Object.keys(fields) as (keyof NotifyFields)[]) {
    const type = Object.hasOwn(fieldTypes, name) ? fieldTypes[name] : undefined;
    const value: unknown = fields[name];
    if (type === undefined) {
      const known = Object.keys(fieldTypes).join(', ');
      throw new ArgumentError(
        name,
        `${showValue(name)} is no field of a notification; the fields are ${known}`,
      );
    }
    if (
      value !== undefined &&
      typeof value !== type &&
      !(typeof value === 'boolean' && String(value) === type)
    ) {
      throw new ArgumentError(name, `The field ${name} must be ${type}, not ${showValue(value)}`);
    }
  }
  const { status = '' } = fields;
  if (status.length < surelyShort) return;
  const room = longestNotification - formatHead(fields).length;
  const size = Buffer.byteLength(status);
  if (size > room) {
    const wanted = `it may have ${room} here`;
    throw new ArgumentError(
      'status',
      `The status is too long for one message: of its ${size} bytes, ${wanted}`,
    );
  }
}

/**
 * Tells the service manager, without ever blocking. A line feed or another control character in a status becomes a space.
 *
 * @param fields what to tell; each is one assignment. Times are in µs, as bigint
 * @returns `sent`, `queued` while the manager is busy, `not-supervised`, or `failed` with errno
 * @throws {@link ArgumentError} for an unknown field, for a value that its field can't have, for no field at all, and
 *   for a status too long for one message (4096 bytes with all). Nothing is sent then
 * @see sd_notify(3)
 */
export function notify(fields: NotifyFields): NotifyOutcome {
  const given = readFields('fields', fields);
  check(given);
  return send(given);
}

/**
 * Waits until the service manager has taken in all that was sent before. Keeps the event loop alive meanwhile.
 *
 * @param timeoutMilliseconds the longest wait, in milliseconds
 * @returns a promise of `acknowledged`, `timed-out`, `not-supervised`, or `failed` with errno
 * @throws {@link ArgumentError} for a timeout that isn't a time: the promise is rejected
 * @see sd_notify_barrier(3)
 */
export function barrier(timeoutMilliseconds = 5_000): Promise<BarrierOutcome> {
  return notifyBarrier(timeoutMilliseconds);
}
