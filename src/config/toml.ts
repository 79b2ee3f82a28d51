import { type AST, parseTOML } from 'toml-eslint-parser';
import { describeTomlMistake } from './toml-mistakes.js';

/** A position in a file; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface TomlDocument {
  /** A table has no prototype: any name may be one of its keys. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Finds the position of a key, or the start of its table if the key is missing; null if there is neither. */
  positionOf(path: readonly (string | number)[]): Position | null;
}

/** The text is no TOML 1.0, or none that can be read. */
export class TomlSyntaxError extends Error {
  /** The position of the fault; null if it isn't known. */
  readonly position: Position | null;

  constructor(message: string, position: Position | null, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TomlSyntaxError';
    this.position = position;
  }
}

type Table = Record<string, unknown>;

/** Levels of tables and arrays that are read: far more than the configuration has. */
const deepest = 100;
const tooDeep = `tables or lists are nested deeper than ${deepest} levels`;

function positionOf(node: AST.TOMLNode): Position {
  const { line, column } = node.loc.start;
  return { line, column: column + 1 };
}

function keyNames(key: AST.TOMLKey): string[] {
  return key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
}

/** Takes in what the document says, in its order; that no key is there twice is known by then. */
class Reader {
  readonly values = emptyTable();
  readonly positions = new Map<string, Position>();

  read(document: AST.TOMLTopLevelTable): void {
    for (const node of document.body) {
      if (node.type === 'TOMLKeyValue') this.#keyValue(node, this.values, []);
      else this.#table(node);
    }
  }

  #table(node: AST.TOMLTable): void {
    const path = keyNames(node.key);
    this.#record(path, node);
    const [parent, name] = this.#tableOf(this.values, path, node, 0);
    if (node.kind === 'array') {
      parent[name] ??= [];
      (parent[name] as Table[]).push(emptyTable());
    }
    const table = below(parent, name);
    const located = this.#located(path);
    if (node.kind === 'array') this.#record(located, node);
    for (const inner of node.body) this.#keyValue(inner, table, located);
  }

  /** The path of a table with, behind the name of an array of tables, the index of its last one. */
  #located(names: readonly string[]): readonly string[] {
    const path: string[] = [];
    let table: unknown = this.values;
    for (const name of names) {
      path.push(name);
      table = (table as Table)[name];
      if (!Array.isArray(table)) continue;
      path.push(String(table.length - 1));
      table = table.at(-1);
    }
    return path;
  }

  /** `path`: of the table that the key stands in. */
  #keyValue(node: AST.TOMLKeyValue, table: Table, path: readonly string[], depth = 0): void {
    const names = keyNames(node.key);
    const own = [...path, ...names];
    this.#record(own, node);
    const [parent, name] = this.#tableOf(table, names, node, depth);
    parent[name] = this.#value(node.value, own, depth + names.length);
  }

  #value(node: AST.TOMLContentNode, path: readonly string[], depth: number): unknown {
    if (depth > deepest) throw new TomlSyntaxError(tooDeep, positionOf(node));
    if (node.type === 'TOMLArray') {
      return node.elements.map((item, index) => this.#value(item, [...path, String(index)], depth + 1));
    }
    if (node.type !== 'TOMLInlineTable') return node.value;
    const table = emptyTable();
    for (const inner of node.body) this.#keyValue(inner, table, path, depth);
    return table;
  }

  /** The table that a key's last name belongs into, and that name. */
  #tableOf(
    from: Table,
    names: readonly string[],
    node: AST.TOMLNode,
    depth: number,
  ): readonly [Table, string] {
    if (depth + names.length > deepest) throw new TomlSyntaxError(tooDeep, positionOf(node));
    return [names.slice(0, -1).reduce(below, from), names.at(-1) ?? ''];
  }

  /** The first position counts: a table's heading before the tables below it. */
  #record(path: readonly string[], node: AST.TOMLNode): void {
    if (path.length > deepest) throw new TomlSyntaxError(tooDeep, positionOf(node));
    for (let length = 1; length <= path.length; length++) {
      const key = JSON.stringify(path.slice(0, length));
      if (!this.positions.has(key)) this.positions.set(key, positionOf(node));
    }
  }
}

/** An object with a prototype takes the key "__proto__" for that, and so for what all tables have. */
function emptyTable(): Table {
  return Object.create(null) as Table;
}

/** The table of that name, which is made where there is none; of an array of tables its last. */
function below(table: Table, name: string): Table {
  table[name] ??= emptyTable();
  const found = table[name];
  return (Array.isArray(found) ? found.at(-1) : found) as Table;
}

/** Reads TOML (toml.io, version 1.0) and remembers where each key stands. Throws a TomlSyntaxError. */
export function readToml(text: string): TomlDocument {
  const reader = new Reader();
  reader.read(parse(text).body[0]);
  const { values, positions } = reader;
  return {
    values,
    positionOf(path) {
      for (let length = path.length; length > 0; length--) {
        const position = positions.get(JSON.stringify(path.slice(0, length).map(String)));
        if (position !== undefined) return position;
      }
      return null;
    },
  };
}

function parse(text: string): AST.TOMLProgram {
  try {
    return parseTOML(text);
  } catch (error) {
    // The parser recurses with the nesting, and has run out of stack.
    if (error instanceof RangeError) throw new TomlSyntaxError(tooDeep, null, { cause: error });
    if (!(error instanceof SyntaxError) || !('lineNumber' in error) || !('column' in error)) throw error;
    const position = { line: Number(error.lineNumber), column: Number(error.column) + 1 };
    throw new TomlSyntaxError(describeTomlMistake(error.message), position, { cause: error });
  }
}
