import { type AST, getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';

/** A place in a file; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface TomlDocument {
  readonly values: Readonly<Record<string, unknown>>;
  /** Where a key stands; of a key that is missing, where its table begins; null when there is neither. */
  positionOf(path: readonly (string | number)[]): Position | null;
}

/** The text is no TOML 1.0. */
export class TomlSyntaxError extends Error {
  readonly position: Position;

  constructor(message: string, position: Position, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TomlSyntaxError';
    this.position = position;
  }
}

function keyNames(key: AST.TOMLKey): string[] {
  return key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
}

function recordKeyValue(
  node: AST.TOMLKeyValue,
  table: readonly string[],
  positions: Map<string, Position>,
): void {
  const path = [...table, ...keyNames(node.key)];
  record(path, node, positions);
  if (node.value.type !== 'TOMLInlineTable') return;
  for (const inner of node.value.body) recordKeyValue(inner, path, positions);
}

/** The first place counts: a table's heading before the tables below it. */
function record(path: readonly string[], node: AST.TOMLNode, positions: Map<string, Position>): void {
  const { line, column } = node.loc.start;
  for (let length = 1; length <= path.length; length++) {
    const key = JSON.stringify(path.slice(0, length));
    if (!positions.has(key)) positions.set(key, { line, column: column + 1 });
  }
}

/** Reads TOML (toml.io, version 1.0) and remembers where each key stands. Throws a TomlSyntaxError. */
export function readToml(text: string): TomlDocument {
  let ast: AST.TOMLProgram;
  try {
    ast = parseTOML(text);
  } catch (error) {
    if (!(error instanceof SyntaxError) || !('lineNumber' in error) || !('column' in error)) throw error;
    const position = { line: Number(error.lineNumber), column: Number(error.column) + 1 };
    throw new TomlSyntaxError(error.message, position, { cause: error });
  }
  const positions = new Map<string, Position>();
  for (const node of ast.body[0].body) {
    if (node.type === 'TOMLKeyValue') {
      recordKeyValue(node, [], positions);
      continue;
    }
    record(keyNames(node.key), node, positions);
    for (const inner of node.body) recordKeyValue(inner, keyNames(node.key), positions);
  }
  return {
    values: getStaticTOMLValue(ast) as Record<string, unknown>,
    positionOf(path) {
      for (let length = path.length; length > 0; length--) {
        const position = positions.get(JSON.stringify(path.slice(0, length).map(String)));
        if (position !== undefined) return position;
      }
      return null;
    },
  };
}
