import { parseJson } from './parse-files.js';
import { type SourceDirectory, SourceError } from './source-directory.js';
import type { Takeover } from './takeover.js';
import type { Tree } from './tree.js';

/** Largest of the files, in bytes. */
const largestBytes = 1_048_576;

/** Ids of the people whom an operator let in, from JSON files. One that is not there has none; a bad one is left. */
export function pairedPeople(
  directory: SourceDirectory,
  takeover: Takeover,
  names: readonly string[],
  idsIn: (tree: Tree) => readonly string[],
): readonly string[] {
  return names.flatMap((name) => {
    try {
      const text = directory.read(name, largestBytes);
      return text === null ? [] : idsIn(parseJson(text, `${directory.path}/${name}`));
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      takeover.leave(name, error.message);
      return [];
    }
  });
}
