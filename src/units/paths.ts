import { constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
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

function isOn(value: string | null): boolean {
  return value !== null && /^(yes|true|on|1|tmpfs)$/i.test(value);
}

function isBelow(path: string, directories: readonly string[]): boolean {
  return directories.some((directory) => path === directory || path.startsWith(`${directory}/`));
}

/** The directive of a unit that hides a path from its service; null: none does. Drop-ins are not looked at. */
export function hiddenBy(unit: string, path: string): string | null {
  const lines = parseUnit(unit);
  if (isOn(valueIn(lines, 'ProtectHome')) && isBelow(path, ['/home', '/root', '/run/user']))
    return `ProtectHome=${valueIn(lines, 'ProtectHome')}`;
  if (isOn(valueIn(lines, 'PrivateTmp')) && isBelow(path, ['/tmp', '/var/tmp']))
    return `PrivateTmp=${valueIn(lines, 'PrivateTmp')}`;
  return null;
}

/**
 * Finds what keeps a user who owns nothing here, as the unit’s own does, from reading the file: the file itself, or the
 * first directory on the way that they may not enter. Gives null if nothing does; a missing path counts as readable.
 */
export function unreadablePart(path: string): string | null {
  const parts: string[] = [];
  for (let part = dirname(path); ; part = dirname(part)) {
    parts.unshift(part);
    if (part === '/') break;
  }
  for (const part of parts) {
    const stats = statSync(part, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    if ((stats.mode & constants.S_IXOTH) === 0) return part;
  }
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined || (stats.mode & constants.S_IROTH) !== 0 ? null : path;
}
