import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { UnitOfRecords } from './unit-records.js';

const journalDirectories = ['/var/log/journal', '/run/log/journal'];

/** Whether one of the journal's files of that name can be read by this user; null: there is none. */
function mayReadFile(name: string, roots: readonly string[]): boolean | null {
  let found = false;
  for (const root of roots) {
    try {
      for (const machine of readdirSync(root)) {
        const file = join(root, machine, name);
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

/**
 * Whether the journal file with the unit's records can be read by this user; null: there is none. The records of a
 * user's units are in that user's own file, where journald splits them off (journald.conf(5), SplitMode=).
 */
export function mayReadJournal(
  unit: Pick<UnitOfRecords, 'scope' | 'uid'>,
  roots: readonly string[] = journalDirectories,
): boolean | null {
  const own =
    unit.scope === 'user' ? mayReadFile(`user-${unit.uid ?? process.getuid?.() ?? 0}.journal`, roots) : null;
  if (own === true) return true;
  return mayReadFile('system.journal', roots) ?? own;
}
