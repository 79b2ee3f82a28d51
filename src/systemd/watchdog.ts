import { SystemCallError } from './failure.js';
import { native } from './native.js';

export type WatchdogSetting =
  | { readonly enabled: false }
  /** `WATCHDOG_USEC`: without `WATCHDOG=1` for this many µs the service manager ends this process. */
  | { readonly enabled: true; readonly microseconds: bigint };

/**
 * sd_watchdog_enabled(3): whether the service manager expects `WATCHDOG=1` from this very process. Throws
 * `SystemCallError` when `WATCHDOG_USEC` or `WATCHDOG_PID` is malformed.
 */
export function watchdogEnabled(options: { readonly unsetEnvironment?: boolean } = {}): WatchdogSetting {
  const result = native().sd_watchdog_enabled(options.unsetEnvironment ?? false);
  if (typeof result === 'bigint') return { enabled: true, microseconds: result };
  if (result === 0) return { enabled: false };
  throw new SystemCallError(
    'Could not read the watchdog settings in WATCHDOG_USEC and WATCHDOG_PID',
    result,
    'The service manager sets both (systemd.service(5), WatchdogSec=); nothing else should.',
  );
}
