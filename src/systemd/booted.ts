import { SystemCallError } from './failure.js';
import { native } from './native.js';

/** sd_booted(3): whether systemd is the init of this machine. Throws `SystemCallError`. */
export function booted(): boolean {
  const result = native().sd_booted();
  if (result < 0) throw new SystemCallError('Could not look for /run/systemd/system', result);
  return result > 0;
}
