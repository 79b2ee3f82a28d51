import JSON5 from 'json5';
import { parseDocument } from 'yaml';
import { SourceError } from './source-directory.js';
import { emptyTree, isTree, type Tree } from './tree.js';

/** Errors name the place alone: the text of a parser's own may have a secret in it. */

/**
 * Reads YAML 1.1, as Hermes does. Tags other than those of YAML itself are refused, and whole numbers are exact.
 *
 * @throws SourceError
 */
export function parseYaml(text: string, path: string): Tree {
  if (nestsTooDeep(text)) throw new SourceError(`${path} is no valid YAML (nested too deep)`);
  const document = orSourceError(path, 'YAML', () =>
    parseDocument(text, {
      version: '1.1',
      merge: true,
      uniqueKeys: false,
      intAsBigInt: true,
      prettyErrors: false,
      logLevel: 'silent',
    }),
  );
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const { code, pos } = problem;
    const line = text.slice(0, pos[0]).split('\n').length;
    const what = code === 'TAG_RESOLVE_FAILED' ? 'has a tag that is not taken' : `is no valid YAML (${code})`;
    throw new SourceError(`${path}:${line} ${what}`);
  }
  return treeOf(
    orSourceError(path, 'YAML', () => document.toJS({ maxAliasCount: 100 }) as unknown),
    path,
  );
}

/** Levels of brackets, and columns of indentation. */
const deepest = 200;

/**
 * True for a text that the parser, which calls itself for each level, could run out of stack with: V8 may end the
 * process there, instead of throwing an error. Brackets count in texts, too.
 */
function nestsTooDeep(text: string): boolean {
  let depth = 0;
  let indent = 0;
  let isIndent = true;
  for (const character of text) {
    if (character === '\n') {
      indent = 0;
      isIndent = true;
      continue;
    }
    if (isIndent && ' \t-?:&!'.includes(character)) indent += 1;
    else isIndent = false;
    if (character === '[' || character === '{') depth += 1;
    else if ((character === ']' || character === '}') && depth > 0) depth -= 1;
    if (depth > deepest || (isIndent && indent > deepest)) return true;
  }
  return false;
}

/**
 * Reads JSON5: comments, and commas at the end. Nothing is evaluated.
 *
 * @throws SourceError
 */
export function parseJson5(text: string, path: string): Tree {
  return treeOf(
    orSourceError(path, 'JSON5', () => JSON5.parse(text) as unknown),
    path,
  );
}

/** @throws SourceError */
export function parseJson(text: string, path: string): Tree {
  return treeOf(
    orSourceError(path, 'JSON', () => JSON.parse(text) as unknown),
    path,
  );
}

function orSourceError<Result>(path: string, format: string, parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    const { lineNumber } = error as { readonly lineNumber?: unknown };
    const place = typeof lineNumber === 'number' ? `:${lineNumber}` : '';
    throw new SourceError(`${path}${place} is no valid ${format}`);
  }
}

function treeOf(value: unknown, path: string): Tree {
  // An empty file.
  if (value === null || value === undefined) return emptyTree;
  if (isTree(value)) return value;
  throw new SourceError(`${path} has no settings: it is a list or a single value`);
}
