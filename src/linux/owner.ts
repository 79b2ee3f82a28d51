import { lstatSync, readlinkSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/**
 * The owner of a directory can lead whoever opens a file in it anywhere, by a link, a pipe or a socket. So root acts as
 * the owner there.
 */

/** Root may not act as the user, as in a container without the capability. */
export class IdentityError extends Error {
  constructor(uid: number, options?: ErrorOptions) {
    const cause = options?.cause instanceof Error ? options.cause.message : '';
    super(
      `this process of root may not act as UID ${uid}, to whom the gateway’s directory belongs (${cause}): run the command as that user`,
      options,
    );
    this.name = 'IdentityError';
  }
}

/** As many as path_resolution(7) follows. */
const mostLinks = 40;

/** The place in a path from which on another user than root decides where it leads. */
interface ForeignPart {
  readonly uid: number;
  /** The last directory that root chose, or the first of that user's. */
  readonly directory: string;
  /** The path from there on. */
  readonly rest: string;
}

/** Finds the first part of the path that another user than root owns, symbolic links among them; null: there is none. */
function foreignPartOf(path: string): ForeignPart | null {
  let links = 0;
  let here = '/';
  const rest = resolve(path).split('/');
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      here = dirname(here);
      continue;
    }
    const next = join(here, part);
    const stats = lstatSync(next, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    const { uid } = stats;
    if (uid !== 0) {
      return stats.isDirectory()
        ? { uid, directory: next, rest: ['.', ...rest].join('/') }
        : { uid, directory: here, rest: ['.', part, ...rest].join('/') };
    }
    if (!stats.isSymbolicLink()) here = next;
    else {
      links += 1;
      if (links > mostLinks) return null;
      const target = readlinkSync(next);
      if (target.startsWith('/')) here = '/';
      rest.unshift(...target.split('/'));
    }
  }
  return null;
}

/**
 * Finds the first user other than root who owns a part of the path; null: all of it is root's. Throws the errors of
 * lstat(2).
 */
export function ownerOf(path: string): number | null {
  return foreignPartOf(path)?.uid ?? null;
}

/**
 * Does `work`, which must not wait, as the owner of the path. Anybody but root goes on as themselves. `work` gets the
 * owner's own path: a dynamic user's directories lie in one for root alone (systemd.exec(5), DynamicUser=). Throws an
 * IdentityError.
 */
export function asOwnerOf<Result>(path: string, work: (path: string) => Result): Result {
  const part = isRoot() ? foreignPartOf(path) : null;
  if (part === null) return work(path);
  const before = workingDirectory();
  process.chdir(part.directory);
  try {
    return actingAs(part.uid, () => work(part.rest));
  } finally {
    process.chdir(before);
  }
}

/**
 * Names the user as whom root opens a file that needs its absolute path, as a database does. Null: as this process's own
 * user; so it is with the files of a dynamic user, who can't get there (see `asOwnerOf`).
 */
export function openerOf(path: string): number | null {
  const part = isRoot() ? foreignPartOf(path) : null;
  return part !== null && actingAs(part.uid, () => canEnter(part.directory)) ? part.uid : null;
}

function canEnter(directory: string): boolean {
  try {
    return statSync(join(directory, '/.'), { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false;
    throw error;
  }
}

/** Gives the root directory if the working directory was removed. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

interface Groups {
  readonly gid: number;
  readonly all: readonly number[];
}

/** The group of a user without an entry in passwd(5). */
const noGroup = 65_534;

let own: Groups | undefined;

/**
 * Does `work` as that user. Anybody but root goes on as themselves. All threads change user (credentials(7)): nothing
 * else may be done until `work` has ended. access(2), and with it `existsSync`, still goes by root. Throws an
 * IdentityError.
 *
 * @param uid 0: root again, within such work; null: the present user
 */
export function actingAs<Result>(uid: number | null, work: () => Result): Result {
  const before = process.geteuid?.() ?? -1;
  if (uid === null || uid === before || !isRoot()) return work();
  become(uid);
  let result: Result;
  try {
    result = work();
  } catch (error) {
    become(before);
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => become(before)) as Result;
  become(before);
  return result;
}

function become(uid: number): void {
  // Only root may change groups.
  process.seteuid?.(0);
  own ??= { gid: process.getegid?.() ?? 0, all: process.getgroups?.() ?? [] };
  if (uid === 0) {
    take(own);
    return;
  }
  try {
    take(groupsOf(uid));
    process.seteuid?.(uid);
  } catch (error) {
    process.seteuid?.(0);
    take(own);
    throw new IdentityError(uid, { cause: error });
  }
}

function take({ gid, all }: Groups): void {
  process.setgroups?.([...all]);
  process.setegid?.(gid);
}

/** Gives the user's own group alone: they need not be in the directory's. */
function groupsOf(uid: number): Groups {
  process.seteuid?.(uid);
  try {
    const { gid } = userInfo();
    return { gid, all: [gid] };
  } catch {
    return { gid: noGroup, all: [noGroup] };
  } finally {
    process.seteuid?.(0);
  }
}
