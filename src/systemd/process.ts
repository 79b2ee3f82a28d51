import { native } from './native.js';

/** getppid(2), asked anew at each call; 0 when the parent is outside this PID namespace. */
export function parentPid(): number {
  return native().getppid();
}

/**
 * Ends the process at once with what has to be done at the end, the listeners of `exit`, but without waiting for its
 * threads (_exit(2)): `process.exit` waits for a worker that is inside a long call, such as one of the database.
 */
export function exitAtOnce(status: number): never {
  process.exitCode = status;
  process.emit('exit', status);
  return native()._exit(status);
}
