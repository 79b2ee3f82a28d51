import { constants, existsSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parseUnit, valueIn } from './unit-text.js';

/** Directories of version managers that hold one version of a program: an upgrade removes the path. */
const versioned: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\/\.?nvm\/versions\//, 'nvm'],
  [/\/fnm(_multishells|\/node-versions)\//, 'fnm'],
  [/\/\.volta\/tools\//, 'Volta'],
  [/\/\.?asdf\/installs\//, 'asdf'],
  [/\/mise\/installs\//, 'mise'],
  [/\/\.?nodenv\/versions\//, 'nodenv'],
  [/\/n\/versions\//, 'n'],
  [/\/\.?nvs\//, 'nvs'],
  [/\/\.nodebrew\//, 'nodebrew'],
  [/\/\.proto\/tools\//, 'proto'],
  [/\/\.local\/share\/pnpm\/nodejs\//, 'pnpm'],
  [/\/\.pnpm\//, 'pnpm'],
  [/\/_npx\//, 'npx'],
  [/\/Cellar\//, 'Homebrew'],
  [/^\/nix\/store\//, 'Nix'],
  [/^\/snap\/[^/]+\/\d+\//, 'snap'],
];

/** The version manager in whose directory of one version a path lies; null when in none. */
export function versionManagerOf(path: string): string | null {
  return versioned.find(([pattern]) => pattern.test(path))?.[1] ?? null;
}

/**
 * The path of a program that stays through its upgrades.
 * @param path where it lies now, with all links followed
 * @param links other paths, such as those of a search path, that lead to it
 */
export function stablePath(path: string, links: readonly string[]): string {
  if (versionManagerOf(path) === null) return path;
  return links.find((link) => versionManagerOf(link) === null) ?? path;
}

/**
 * The links by which pnpm keeps a package's path through its upgrades: the package itself lies in
 * `.pnpm/NAME@VERSION/node_modules`.
 * @param path a file of the package, with all links followed
 */
export function pnpmLinks(path: string): readonly string[] {
  const [, root, rest] = /^(.*)\/\.pnpm\/[^/]+\/node_modules\/(.*)$/.exec(path) ?? [];
  if (root === undefined || rest === undefined) return [];
  // The store is in node_modules, and of what is installed globally beside it.
  return [join(root, rest), join(root, 'node_modules', rest)].filter(
    (link) => existsSync(link) && realpathSync(link) === path,
  );
}

/** Follows the links of the part of the path that is there. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPath(parent), basename(path));
}

function isOn(value: string): boolean {
  return /^(yes|true|on|1|tmpfs)$/i.test(value);
}

/** Also true by way of a link: systemd follows those of the directories that it hides, such as /home to /var/home. */
function isBelow(path: string, directories: readonly string[]): boolean {
  const paths = [path, realPath(path)];
  return directories
    .flatMap((directory) => [directory, realPath(directory)])
    .some((directory) => paths.some((each) => each === directory || each.startsWith(`${directory}/`)));
}

/** Settings that hide paths from a service, as `systemctl show` names them. */
export const hidingProperties = ['ProtectHome', 'PrivateTmp'] as const;

/** Values of such settings, in a unit's file or of one that is loaded. */
export type Hiding = Readonly<Partial<Record<(typeof hidingProperties)[number], string>>>;

/** Directories that ProtectHome= hides (systemd.exec(5)). */
const homes = ['/home', '/root', '/run/user'];

/** True in the directories of people, which nothing should open to others. */
export function isInHomes(path: string): boolean {
  return isBelow(path, homes);
}

/** The setting that hides a path from the service, such as "ProtectHome=yes"; null: none does. */
export function hiddenFrom({ ProtectHome = '', PrivateTmp = '' }: Hiding, path: string): string | null {
  if (isOn(ProtectHome) && isBelow(path, homes)) return `ProtectHome=${ProtectHome}`;
  if (isOn(PrivateTmp) && isBelow(path, ['/tmp', '/var/tmp'])) return `PrivateTmp=${PrivateTmp}`;
  return null;
}

/** The directive of a unit that hides a path from its service; null: none does. Drop-ins are not looked at. */
export function hiddenBy(unit: string, path: string): string | null {
  const lines = parseUnit(unit);
  const set = hidingProperties.flatMap((name) => {
    const value = valueIn(lines, name);
    return value === null ? [] : [[name, value]];
  });
  return hiddenFrom(Object.fromEntries(set), path);
}

/** A user as the modes of files know them: by number, with all of their groups. */
export interface FileUser {
  readonly uid: number;
  readonly groups: readonly number[];
}

/** Owns nothing, and is in no group. */
const stranger: FileUser = { uid: -1, groups: [] };

/** True if the mode lets the user do it (path_resolution(7)). Access control lists are not looked at. */
function allows(stats: Stats, { uid, groups }: FileUser, bit: number): boolean {
  if (uid === 0) return true;
  if (stats.uid === uid) return (stats.mode & (bit << 6)) !== 0;
  return (stats.mode & (groups.includes(stats.gid) ? bit << 3 : bit)) !== 0;
}

/**
 * Finds what keeps the user from reading or executing the file: the file itself, or the first directory on the way that
 * they may not enter. Gives null if nothing does; a missing path counts as allowed. Throws the errors of stat(2).
 */
export function deniedPart(path: string, user: FileUser, wanted: 'read' | 'execute'): string | null {
  const parts: string[] = [];
  for (let part = dirname(resolve(path)); ; part = dirname(part)) {
    parts.unshift(part);
    if (part === '/') break;
  }
  for (const part of parts) {
    const stats = statSync(part, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    if (!allows(stats, user, constants.S_IXOTH)) return part;
  }
  const stats = statSync(path, { throwIfNoEntry: false });
  const bit = wanted === 'read' ? constants.S_IROTH : constants.S_IXOTH;
  return stats === undefined || allows(stats, user, bit) ? null : path;
}

/** Finds what keeps a user who owns nothing here, as the unit’s own does, from reading the file. See `deniedPart`. */
export function unreadablePart(path: string): string | null {
  return deniedPart(path, stranger, 'read');
}
