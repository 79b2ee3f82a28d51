import { SystemCallError } from '../linux/errors.js';
import { failure, native } from '../linux/native.js';
import { errnoInvalid, largestInt, parseDecimal } from './arguments.js';

/** A descriptor that the service manager passed. */
export interface PassedDescriptor {
  readonly fd: number;
  /** `FileDescriptorName=` or `FDNAME=`; "unknown" when the manager gave no names. */
  readonly name: string;
}

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const firstDescriptor = 3;

function refused(negativeErrno: number): SystemCallError {
  return new SystemCallError(
    'Could not take over the sockets announced in LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES',
    failure(negativeErrno),
    'The service manager sets these for a socket unit (sd_listen_fds(3)); nothing else should.',
  );
}

function numberIn(text: string, smallest: bigint, largest: bigint): bigint {
  const value = parseDecimal(text, smallest, largest);
  if (value === null) throw refused(-errnoInvalid);
  return value;
}

/** Counts the descriptors that were passed to this very process. */
function passedCount({ LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS }: NodeJS.ProcessEnv): number {
  if (LISTEN_PID === undefined) return 0;
  if (numberIn(LISTEN_PID, 1n, largestInt) !== BigInt(process.pid)) return 0;
  if (LISTEN_PIDFDID !== undefined) {
    // A later process may have the same PID, but not the same inode (since Linux 6.9).
    const inode = numberIn(LISTEN_PIDFDID, 0n, 2n ** 64n - 1n);
    const own = native().pidfd_inode();
    if (typeof own === 'bigint' && own !== inode) return 0;
  }
  if (LISTEN_FDS === undefined) return 0;
  return Number(numberIn(LISTEN_FDS, 1n, largestInt - BigInt(firstDescriptor)));
}

/**
 * Gives the descriptors that the manager has passed to this very process, with their names, and has them closed on exec;
 * none if `LISTEN_PID` names another process. They are the caller's.
 *
 * @throws {@link SystemCallError} if the environment is malformed, or names a descriptor that isn't open
 * @see sd_listen_fds_with_names(3)
 */
export function listenFds(): readonly PassedDescriptor[] {
  const count = passedCount(process.env);
  for (let fd = firstDescriptor; fd < firstDescriptor + count; fd++) {
    const result = native().set_close_on_exec(fd);
    if (result < 0) throw refused(result);
  }
  if (count === 0) return [];
  const names = process.env['LISTEN_FDNAMES']?.split(':');
  if (names !== undefined && names.length !== count) throw refused(-errnoInvalid);
  return Array.from({ length: count }, (_, index) => ({
    fd: firstDescriptor + index,
    name: names?.[index] ?? 'unknown',
  }));
}
