import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Whether the system's journal file can be read by this user; null: there is none. */
export function mayReadJournal(): boolean | null {
  let found = false;
  for (const root of ['/var/log/journal', '/run/log/journal']) {
    try {
      for (const machine of readdirSync(root)) {
        const file = join(root, machine, 'system.journal');
        if (!existsSync(file)) continue;
        found = true;
        accessSync(file, constants.R_OK);
        return true;
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EPERM') found = true;
      else if (code !== 'ENOENT') throw error;
    }
  }
  return found ? false : null;
}
