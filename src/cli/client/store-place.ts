import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Directories } from '../../config/directories.js';
import type { Configuration } from '../../config/schema.js';
import { namedStoreFile } from '../../config/store-table.js';
import { type Scope, ServiceManager } from '../../manager/service-manager.js';
import { type Hiding, hiddenFrom } from '../../units/paths.js';
import { commandFor, systemctlFor, type Target } from '../operate/find.js';
import { shellWord } from '../terminal.js';

/** The unit, and what it gives its gateway to see. */
interface UnitPlace {
  readonly scope: Scope;
  readonly unit: string | null;
  readonly directories: Directories;
  readonly hiding: Hiding;
}

/**
 * Says why the unit's gateway can't have its store where `store.path` names it; null: it can, or there is no unit. Asks the
 * manager.
 */
export async function storePlaceProblem(
  { scope, unit, directories: { state, earlierUserState }, hiding }: UnitPlace,
  { store }: Pick<Configuration, 'store'>,
  instance: string | null,
): Promise<string | null> {
  const path = namedStoreFile(store);
  if (unit === null || path === null || isBelow(path, [state, earlierUserState])) return null;
  const target: Target = { scope, instance };
  const directive = hiddenFrom(hiding, path);
  if (directive !== null) {
    return `store.path: the unit’s ${directive} hides ${path} from the gateway; put it elsewhere`;
  }
  const directory = dirname(path);
  const {
    ProtectSystem = '',
    ReadWritePaths = '',
    FragmentPath = '',
  } = await new ServiceManager(scope).show(unit, ['ProtectSystem', 'ReadWritePaths', 'FragmentPath']);
  // A package's unit is not for `install` to change.
  const isPackaged = scope === 'system' && !FragmentPath.startsWith('/etc/');
  const step = isPackaged
    ? `"${systemctlFor(`edit ${unit}`, scope)}" with ReadWritePaths=${directory} in [Service]`
    : `"${commandFor('install', target, true)}"`;
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return `store.path: the directory ${directory} is not there: make it with "mkdir -p ${shellWord(directory)}", then ${step}${isPackaged ? '. The directory has to be the gateway’s user’s' : ''}`;
  }
  // A path may begin with a prefix of systemd.exec(5).
  const writable = ReadWritePaths.split(' ').map((word) => word.replace(/^[-+]+/, ''));
  if (ProtectSystem !== 'strict' || isBelow(path, writable)) return null;
  return `store.path: the unit may not write in ${directory}: ${step} gives it the right`;
}

function isBelow(path: string, parents: readonly (string | null)[]): boolean {
  return parents.some(
    (parent) => parent !== null && parent !== '' && path.startsWith(`${parent.replace(/\/$/, '')}/`),
  );
}
