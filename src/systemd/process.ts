import { native } from './native.js';

/** getppid(2), asked anew at each call; 0 when the parent is outside this PID namespace. */
export function parentPid(): number {
  return native().getppid();
}
