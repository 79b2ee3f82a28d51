import { SystemCallError } from './failure.js';
import { native } from './native.js';

/** A descriptor that the service manager passed. */
export interface PassedDescriptor {
  readonly fd: number;
  /** `FileDescriptorName=` or `FDNAME=`; "unknown" when the manager gave no names. */
  readonly name: string;
}

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const firstDescriptor = 3;

/**
 * sd_listen_fds_with_names(3): the descriptors passed to this very process, now closed on exec; none when
 * `LISTEN_PID` names another process. Throws `SystemCallError` when the environment is malformed, or names a
 * descriptor that isn't open.
 */
export function listenFds(
  options: { readonly unsetEnvironment?: boolean } = {},
): readonly PassedDescriptor[] {
  const result = native().sd_listen_fds_with_names(options.unsetEnvironment ?? false);
  if (typeof result === 'object') return result.map((name, index) => ({ fd: firstDescriptor + index, name }));
  if (result === 0) return [];
  throw new SystemCallError(
    'Could not take over the sockets announced in LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES',
    result,
    'The service manager sets these for a socket unit (sd_listen_fds(3)); nothing else should.',
  );
}
