import { constants } from 'node:os';
import { SystemCallError } from '../linux/errno.js';
import { largestInt, parseDecimal } from './decimal.js';

export type WatchdogSetting =
  | { readonly enabled: false }
  /** `WATCHDOG_USEC`: without `WATCHDOG=1` for this many µs the service manager ends this process. */
  | { readonly enabled: true; readonly microseconds: bigint };

/** The largest number, 2^64 - 1, stands for infinity. */
const largestTimeout = 2n ** 64n - 2n;

/**
 * sd_watchdog_enabled(3): whether the service manager expects `WATCHDOG=1` from this very process. Throws
 * `SystemCallError` when `WATCHDOG_USEC` or `WATCHDOG_PID` is malformed.
 */
export function watchdogEnabled(): WatchdogSetting {
  const { WATCHDOG_USEC, WATCHDOG_PID } = process.env;
  if (WATCHDOG_USEC === undefined) return { enabled: false };
  const microseconds = parseDecimal(WATCHDOG_USEC, 1n, largestTimeout);
  const pid = parseDecimal(WATCHDOG_PID ?? String(process.pid), 1n, largestInt);
  if (microseconds === null || pid === null) {
    throw new SystemCallError(
      'Could not read the watchdog settings in WATCHDOG_USEC and WATCHDOG_PID',
      -constants.errno.EINVAL,
      'The service manager sets both (systemd.service(5), WatchdogSec=); nothing else should.',
    );
  }
  return pid === BigInt(process.pid) ? { enabled: true, microseconds } : { enabled: false };
}
