import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { directories } from '../../config/directories.js';
import { tryLock } from '../../linux/file-lock.js';
import { linkTarget } from '../../units/load-path.js';
import type { UnitTarget } from '../../units/plan.js';

/** Files and directories that a gateway has left. */
export interface GatewayData {
  /** Files and directories that are its own, and are there. */
  readonly paths: readonly string[];
  /** Directories that are shared with other instances, and go when they are empty. */
  readonly sharedDirectories: readonly string[];
}

/** Matches the names of the gateway's entries in its state directory, an earlier version's (`compiled`) too. */
const stateFile =
  /^(gateway\.db.*|token|webhook-secret|lock|control\.sock|last-words\.json|fatal-signal|agents|compiled)$/;

function isThere(path: string): boolean {
  return existsSync(path) || linkTarget(path) !== null;
}

function systemPaths(name: string): string[] {
  // A unit with DynamicUser=, as 0.1.0 had, keeps them in private/, with a link (systemd.exec(5)).
  return ['/var/lib', '/var/cache', '/var/log'].flatMap((base) => [
    join(base, 'private', name),
    join(base, name),
  ]);
}

/** Finds the state, the cache, and the configuration of an instance where its unit has them by default. */
export function gatewayData({ scope, instance, home, environment }: UnitTarget): GatewayData {
  const { XDG_STATE_HOME, XDG_CACHE_HOME, XDG_CONFIG_HOME } = environment;
  const name = instance === null ? 'sd-gateway' : `sd-gateway-${instance}`;
  const where = directories({
    scope,
    instance,
    home,
    environment: {
      ...(XDG_STATE_HOME === undefined ? {} : { XDG_STATE_HOME }),
      ...(XDG_CONFIG_HOME === undefined ? {} : { XDG_CONFIG_HOME }),
    },
  });
  const paths = ['toml', 'env'].map((suffix) => join(where.configuration, `${name}.${suffix}`));
  if (scope === 'system') paths.push(...systemPaths(name));
  else paths.push(where.state, join(XDG_CACHE_HOME ?? join(home, '.cache'), name));
  const earlier = where.earlierUserState;
  if (earlier === where.configuration && existsSync(earlier)) {
    // A user manager before systemd 254: state and configuration, of other instances too, in one directory.
    paths.push(
      ...readdirSync(earlier)
        .filter((file) => stateFile.test(file))
        .map((file) => join(earlier, file)),
    );
  } else if (earlier !== null) paths.push(earlier);
  return { paths: paths.filter(isThere), sharedDirectories: [where.configuration].filter(existsSync) };
}

/** The process that has the data in use; null: nobody, or it isn’t known who. */
export function userOfData({
  paths,
}: GatewayData): { readonly path: string; readonly pid: number | null } | null {
  for (const path of paths) {
    const lock = path.endsWith('/lock') ? path : join(path, 'lock');
    if (!lstatSync(path).isDirectory() && path !== lock) continue;
    if (!existsSync(lock)) continue;
    const result = tryLock(lock);
    if (!result.locked) return { path: dirname(lock), pid: result.holderPid };
    result.release();
  }
  return null;
}

/** Removes it for good. Throws the errors of the file system. */
export function removeData({ paths, sharedDirectories }: GatewayData): readonly string[] {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
  const emptied = sharedDirectories.filter(
    (directory) => existsSync(directory) && readdirSync(directory).length === 0,
  );
  for (const directory of emptied) rmdirSync(directory);
  return [...paths, ...emptied];
}
