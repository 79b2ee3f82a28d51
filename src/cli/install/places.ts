import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runProgram } from '../../manager/program.js';
import { unreadablePart } from '../../units/paths.js';

/** A file of the gateway that a user who owns nothing can’t read. */
export interface UnreadableFile {
  readonly path: string;
  /** The file or directory that keeps them from it. */
  readonly part: string;
  /** The directory of the package that is to be opened as a whole; null: the part alone is in the way. */
  readonly tree: string | null;
}

/** Packages with binaries, which the program loads from their own directories. */
const loaded = ['better-sqlite3', 'better-sqlite3-12', 'bindings', 'file-uri-to-path', 'node-gyp-build'];

function filesBelow(directory: string, isDeep: boolean): readonly string[] {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return isDeep ? filesBelow(path, true) : [];
    return [path];
  });
}

/** The files of a package that a gateway reads. */
function filesOf(root: string): readonly string[] {
  const deep = ['dist/cli', 'dist/bundle', 'prebuilds', 'lib'];
  return [
    join(root, 'package.json'),
    ...deep.flatMap((name) => filesBelow(join(root, name), true)),
    ...['.', 'build/Release'].flatMap((name) =>
      filesBelow(join(root, name), false).filter((path) => /\.(?:js|node)$/.test(path)),
    ),
  ];
}

function packagesOf(program: string): readonly string[] {
  const root = dirname(dirname(dirname(program)));
  const require = createRequire(join(root, 'package.json'));
  const others = loaded.flatMap((name) => {
    try {
      return [dirname(require.resolve(`${name}/package.json`))];
    } catch {
      // The start says what is missing; nobody can read it at any rate.
      return [];
    }
  });
  return [root, ...others];
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** True if the mend of one of the packages opens what is in the way. */
function isMended({ part }: UnreadableFile, packages: readonly UnreadableFile[]): boolean {
  return packages.some(({ tree }) => tree !== null && isWithin(part, tree));
}

function firstUnreadable(root: string, roots: readonly string[]): UnreadableFile | null {
  for (const path of filesOf(root)) {
    const part = unreadablePart(path);
    if (part === null) continue;
    // The package's own directory or, where that is open, the one that it lies in.
    const tree = [root, ...roots].find((directory) => isWithin(part, directory)) ?? null;
    return { path, part, tree };
  }
  return null;
}

/**
 * Finds the files that a user who owns nothing can't read: these, and of each package the first, as after an install with a
 * umask of 077.
 * @param program `dist/cli/main.js` of this package
 */
export function findUnreadable(paths: readonly string[], program: string): readonly UnreadableFile[] {
  const alone = paths.flatMap((path): UnreadableFile[] => {
    const part = unreadablePart(path);
    return part === null ? [] : [{ path, part, tree: null }];
  });
  const roots = packagesOf(program);
  const packages: UnreadableFile[] = [];
  for (const root of roots) {
    const found = firstUnreadable(root, roots);
    // One mend opens a package as a whole, with those that lie in it.
    if (found !== null && !isMended(found, packages)) packages.push(found);
  }
  return [...alone.filter((each) => !isMended(each, packages)), ...packages];
}

/** The directory of a store that lies outside of those that the unit makes. */
export interface StoreDirectory {
  readonly path: string;
  readonly isThere: boolean;
  /** True if the unit's user owns it. */
  readonly isOwned: boolean;
}

/** @param user the user that the unit runs as; null: the one who installs it */
export async function findStoreDirectory(
  path: string | null,
  user: string | null,
): Promise<StoreDirectory | null> {
  if (path === null) return null;
  const owner = statSync(path, { throwIfNoEntry: false })?.uid;
  const uid =
    user === null ? String(process.getuid?.()) : (await runProgram('id', ['-u', user])).stdout.trim();
  return { path, isThere: owner !== undefined, isOwned: owner !== undefined && String(owner) === uid };
}
