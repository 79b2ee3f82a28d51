import { accessSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { UnitOfRecords } from './unit-records.js';

const journalDirectories = ['/var/log/journal', '/run/log/journal'];

/** True if this user can read one of the journal's files of that name; null if there is none. */
function mayReadFile(name: string, roots: readonly string[]): boolean | null {
  let refused = false;
  /** True if it can be done; a missing file is no error. */
  const can = (look: () => void): boolean => {
    try {
      look();
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EPERM') refused = true;
      else if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
      return false;
    }
  };
  for (const root of roots) {
    let machines: readonly string[] = [];
    can(() => {
      machines = readdirSync(root);
    });
    // Each machine that has written there has a directory of its own: this one under its id of before, say.
    const isReadable = (machine: string) => can(() => accessSync(join(root, machine, name), constants.R_OK));
    if (machines.some(isReadable)) return true;
  }
  return refused ? false : null;
}

/**
 * True if this user can read the journal file with the unit's records; null if there is none. The records of a
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
