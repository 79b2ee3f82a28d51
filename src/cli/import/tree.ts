/** A tree of settings, as a YAML or JSON5 file has it. It is somebody else's: nothing in it can be relied on. */
export type Tree = Readonly<Record<string, unknown>>;

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const emptyTree: Tree = {};

/** The tree there; an empty one if there is none. */
export function treeAt(tree: Tree, ...path: readonly string[]): Tree {
  const [key, ...below] = path;
  if (key === undefined) return tree;
  const value = valueAt(tree, key);
  return isTree(value) ? treeAt(value, ...below) : emptyTree;
}

/** A tree's own value, never one that every object has. */
export function valueAt(tree: Tree, key: string): unknown {
  return Object.hasOwn(tree, key) ? tree[key] : undefined;
}

/** A text as such; a number as it was written. Null: it is neither. */
export function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : null;
}

/** An array, or words between commas. What is no text in an array is an empty one. */
export function listOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map((item) => textOf(item) ?? '');
  const text = textOf(value);
  if (text === null) return [];
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** Null: it says neither. */
export function flagOf(value: unknown): boolean | null {
  if (typeof value === 'boolean') return value;
  const word = textOf(value)?.trim().toLowerCase() ?? '';
  if (['true', 'yes', 'on', '1'].includes(word)) return true;
  return ['false', 'no', 'off', '0'].includes(word) ? false : null;
}
