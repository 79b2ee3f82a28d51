import { existsSync, lstatSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Scope } from '../manager/service-manager.js';

/** A service manager, and what decides where it reads its units. */
export interface UnitOwner {
  readonly scope: Scope;
  readonly home: string;
  readonly environment: NodeJS.ProcessEnv;
}

function absolute(path: string | undefined, otherwise: string): string {
  return path?.startsWith('/') ? path : otherwise;
}

/** The directory in which an administrator, or a user, puts units (systemd.unit(5), "Unit File Load Path"). */
export function unitDirectory({ scope, home, environment }: UnitOwner): string {
  if (scope === 'system') return '/etc/systemd/system';
  return join(absolute(environment.XDG_CONFIG_HOME, join(home, '.config')), 'systemd/user');
}

/** The directories in which the manager looks for units and drop-ins; the first wins. Generators' are left out. */
export function unitPath(owner: UnitOwner): readonly string[] {
  const { scope, home, environment } = owner;
  const own = unitDirectory(owner);
  if (scope === 'system') {
    return [
      `${own}.control`,
      '/run/systemd/system.control',
      '/run/systemd/transient',
      own,
      '/run/systemd/system',
      '/usr/local/lib/systemd/system',
      '/usr/lib/systemd/system',
      '/lib/systemd/system',
    ];
  }
  const runtime = absolute(environment.XDG_RUNTIME_DIR, '/run/user/self');
  return [
    `${own}.control`,
    join(runtime, 'systemd/user.control'),
    join(runtime, 'systemd/transient'),
    own,
    '/etc/systemd/user',
    join(runtime, 'systemd/user'),
    '/run/systemd/user',
    join(absolute(environment.XDG_DATA_HOME, join(home, '.local/share')), 'systemd/user'),
    '/usr/local/share/systemd/user',
    '/usr/share/systemd/user',
    '/usr/local/lib/systemd/user',
    '/usr/lib/systemd/user',
    '/lib/systemd/user',
  ];
}

/** A unit of the same name that lies elsewhere, such as that of a package; null: there is none. */
export function packagedUnit(owner: UnitOwner, unit: string): string | null {
  const own = unitDirectory(owner);
  for (const directory of unitPath(owner)) {
    const path = join(directory, unit);
    if (directory !== own && existsSync(path)) return path;
  }
  return null;
}

/** Directories whose drop-ins apply to a unit: its own, those of its name's beginnings, and those of all services. */
function dropInDirectories(unit: string): string[] {
  const stem = basename(unit, '.service');
  const beginnings = [...stem.matchAll(/-/g)].map(({ index }) => stem.slice(0, index + 1)).reverse();
  return [...[stem, ...beginnings].map((name) => `${name}.service.d`), 'service.d'];
}

/** The drop-ins that apply to the unit, in the order of their names, as the manager merges them. */
export function dropInsOf(owner: UnitOwner, unit: string): readonly string[] {
  const found = new Map<string, string>();
  for (const folder of dropInDirectories(unit)) {
    for (const directory of unitPath(owner)) {
      const path = join(directory, folder);
      if (!existsSync(path)) continue;
      for (const name of readdirSync(path)) {
        // The first of a name hides the others of it.
        if (name.endsWith('.conf') && !found.has(name)) found.set(name, join(path, name));
      }
    }
  }
  return [...found]
    .filter(([, path]) => !isMask(path))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, path]) => path);
}

/** A link to /dev/null hides what has the same name elsewhere. */
function isMask(path: string): boolean {
  return existsSync(path) && realpathSync(path) === '/dev/null';
}

/** The target of a link; null if the path is no link. */
export function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
