/**
 * The exports of `@sd-gateway/systemd`: a service as a whole, and the low level, as the man pages have it. The gateway uses
 * the same functions.
 *
 * @packageDocumentation
 */
export type { ExitStatus, Sender, StopCause, StopRequest } from '../lifecycle/stop-cause.js';
export { exitStatus } from '../lifecycle/stop-cause.js';
export type { ServiceReport, StopContext } from '../lifecycle/supervise-options.js';
export type { Origin, Supervision, SupervisionWarning } from '../lifecycle/supervision.js';
export type { SystemCallFailure } from '../linux/errors.js';
export { ArgumentError, NativeAddonError, SystemCallError } from '../linux/errors.js';
export type { Ancestor } from '../systemd/evidence.js';
export type { FdStoreOutcome } from '../systemd/fd-store.js';
export type { JournalOutcome } from '../systemd/journal.js';
export type { PassedDescriptor } from '../systemd/listen-fds.js';
export { listenFds } from '../systemd/listen-fds.js';
export type { BarrierOutcome, NotifyFields, NotifyOutcome, NotifyQueue } from '../systemd/notify.js';
export { notifyQueue } from '../systemd/notify.js';
export type { SignalCode, SignalDelivery, SignalWatch, WatchedSignal } from '../systemd/signals.js';
export type { WatchdogSetting } from '../systemd/watchdog.js';
export { watchdogEnabled } from '../systemd/watchdog.js';
export { closeServer } from './close-server.js';
export { fdStore } from './fd-store.js';
export { type JournalFields, type JournalValue, journal } from './journal.js';
export { type ListenWhere, listen } from './listen.js';
export type {
  ManagedService,
  ManagedServiceOptions,
  ProgressCheck,
  ReloadHandler,
  StopHandler,
} from './managed-service.js';
export { barrier, notify } from './notify.js';
export { describeReport } from './report.js';
export { onSignal } from './signals.js';
export { supervise } from './supervise.js';
export { booted, credentials, describeSupervision, supervision } from './unit.js';
