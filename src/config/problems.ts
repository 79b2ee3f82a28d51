import type { z } from 'zod';
import type { ConfigurationProblem } from './configuration-error.js';
import { nearest } from './configuration-error.js';
import { choicesAt, keysOf, typesOf, unitAt } from './settings.js';

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/** Places where keys are set: in the environment by the key, such as "stop.drain", and in the file. */
export interface KeyLocations {
  readonly variables: ReadonlyMap<string, string>;
  readonly inFile: (path: Path) => { readonly where: string; readonly line: number; readonly column: number };
}

/** A problem with its position, by which problems are sorted; those of variables are first. */
interface Placed extends ConfigurationProblem {
  readonly line: number;
  readonly column: number;
}

/** The problems of values that are not as the schema has them, in the order of their lines. */
export function problemsOf(error: z.ZodError, values: unknown, places: KeyLocations): ConfigurationProblem[] {
  return error.issues
    .flatMap((issue) => placedProblems(issue, values, places))
    .sort((one, other) => one.line - other.line || one.column - other.column)
    .map(({ where, message }) => ({ where, message }));
}

function placedProblems(issue: Issue, values: unknown, { variables, inFile }: KeyLocations): Placed[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const at = (place: Path, message: string): Placed => {
    const variable = variables.get(nameOf(place));
    return variable === undefined
      ? { ...inFile(place), message }
      : { where: variable, line: 0, column: 0, message };
  };
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => at([...path, key], describeUnknownKey([...path.map(String), key])));
  }
  if (issue.code === 'invalid_key') {
    const [first] = issue.issues;
    return [
      at(path, `"${path.at(-1)}" can't be a name in [${nameOf(path.slice(0, -1))}]: ${first?.message}`),
    ];
  }
  return [at(path, `${nameOf(path)}: ${describe(issue, path, valueAt(values, path))}`)];
}

/** A key as the documentation names it: an item of a list, or one of several tables, has the list's name. */
function nameOf(path: Path): string {
  return path.filter((part) => typeof part === 'string').join('.');
}

function valueAt(values: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined,
    values,
  );
}

function describe(issue: Issue, path: Path, value: unknown): string {
  const choices = choicesAt(path.map(String));
  switch (issue.code) {
    case 'invalid_type':
      // A message of the schema's own says more.
      if (issue.expected === 'array' && typeof value === 'string') return describeList(value);
      if (issue.expected === 'array' && path[0] === 'route') return 'is a list of tables: write [[route]]';
      return issue.message.startsWith('Invalid') ? describeType(issue.expected, value) : issue.message;
    case 'invalid_value':
      return choices === null ? issue.message : withHint(oneOf(choices), value, choices);
    case 'invalid_union':
      return choices === null ? describeUnit(path) : withHint(issue.message, value, choices);
    case 'too_small':
      return issue.message.startsWith('Too') ? `must be at least ${issue.minimum}` : issue.message;
    case 'too_big':
      return issue.message.startsWith('Too') ? `must be at most ${issue.maximum}` : issue.message;
    default:
      return issue.message;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  object: 'a table',
  record: 'a table of tables',
  array: 'a list, such as ["a", "b"]',
  string: 'a text in quotes',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
};

function describeType(expected: string, value: unknown): string {
  if (value === undefined) return 'is missing';
  return `must be ${typeNames[expected] ?? expected}`;
}

function describeList(text: string): string {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return `must be a list, such as ${JSON.stringify(words.length === 0 ? ['a', 'b'] : words).replaceAll(',"', ', "')}`;
}

function describeUnit(path: Path): string {
  return unitAt(path.map(String)) === 'size'
    ? 'must be a number of bytes or a size such as "256K" or "1M"'
    : 'must be a number of seconds or a time span such as "30s" or "5min"';
}

function oneOf(choices: readonly string[]): string {
  const quoted = choices.map((choice) => `"${choice}"`);
  return `must be ${[quoted.slice(0, -1).join(', '), quoted.at(-1)].filter((part) => part !== '').join(' or ')}`;
}

function withHint(text: string, value: unknown, choices: readonly string[]): string {
  if (value === undefined) return `${text}; it is missing`;
  // A single choice is its own hint.
  if (typeof value !== 'string' || value === '' || choices.length === 1) return text;
  const meant = choices.find((choice) => choice.startsWith(value)) ?? nearest(value, choices);
  return meant === null ? text : `${text}; did you mean "${meant}"?`;
}

function describeUnknownKey(path: readonly string[]): string {
  const key = path.at(-1) ?? '';
  const table = path.slice(0, -1);
  const place = table.filter((part) => !/^\d+$/.test(part)).join('.');
  const types = typesOf(path);
  if (types !== null) {
    return `"${key}" is no key of this type of [${place}]: it needs ${place}.type = ${types.map((type) => `"${type}"`).join(' or ')}`;
  }
  const meant = nearest(key, keysOf(table) ?? []);
  return `unknown key "${key}"${place === '' ? '' : ` in [${place}]`}${meant === null ? '' : `; did you mean "${meant}"?`}`;
}
