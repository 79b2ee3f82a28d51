import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import type { ManagedService, ManagedServiceOptions } from './managed-service.js';
import { checkFunction, readFields } from './read-arguments.js';

let isSupervised = false;

/**
 * Makes this process a service: takes its signals, with their senders, and exceptions that nobody catches, extends the
 * start timeout while it gets on, and ends the process when it is to stop. Once a process.
 *
 * @param options `stopTimeoutMs` in milliseconds, `foreignSigterm`, `report`
 * @throws {@link ArgumentError} for wrong options, and an Error at a second call: the promise is rejected
 * @see systemd.service(5), sd_notify(3)
 */
export async function supervise(options: ManagedServiceOptions = {}): Promise<ManagedService> {
  const given = readFields('options', options, ['stopTimeoutMs', 'foreignSigterm', 'report']);
  const { stopTimeoutMs, foreignSigterm, report } = given;
  if (stopTimeoutMs !== undefined && !(Number.isFinite(stopTimeoutMs) && stopTimeoutMs > 0)) {
    throw new ArgumentError(
      'stopTimeoutMs',
      `${showValue(stopTimeoutMs)} ms is not a time that a stop can take`,
    );
  }
  if (foreignSigterm !== undefined && foreignSigterm !== 'fail' && foreignSigterm !== 'clean') {
    throw new ArgumentError(
      'foreignSigterm',
      `foreignSigterm is 'fail' or 'clean', not ${showValue(foreignSigterm)}`,
    );
  }
  if (report !== undefined) checkFunction('report', report);
  if (isSupervised) {
    throw new Error('supervise() was called before: a process is one service, which that call gave');
  }
  isSupervised = true;
  // A program that only imports this library may have no need of it.
  const { ManagedService } = await import('./managed-service.js');
  return new ManagedService(given);
}
