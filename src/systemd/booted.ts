import { lstatSync } from 'node:fs';

/** sd_booted(3): whether systemd is the init of this machine. Throws the errors of lstat(2). */
export function booted(): boolean {
  return lstatSync('/run/systemd/system', { throwIfNoEntry: false })?.isDirectory() ?? false;
}
