import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Place, unitPath } from './places.js';
import { parseUnit, valueIn } from './unit-text.js';

/**
 * The file of another gateway's unit that runs as the user; null: there is none. Drop-ins and the instances of a
 * template are not looked at.
 * @param unit whose user it is to be
 */
export function otherUnitOf(place: Place, user: string, unit: string): string | null {
  // A file hides those of its name in the later directories.
  const seen = new Set([unit]);
  for (const directory of unitPath(place).filter(existsSync)) {
    for (const name of readdirSync(directory).filter((entry) => /^sd-gateway(-.*)?\.service$/.test(entry))) {
      if (seen.has(name)) continue;
      seen.add(name);
      const path = join(directory, name);
      // A mask, or a link that leads nowhere, runs nothing.
      if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
      if (valueIn(parseUnit(readFileSync(path, 'utf8')), 'User') === user) return path;
    }
  }
  return null;
}
