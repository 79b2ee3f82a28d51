import { z } from 'zod';
import { configurationTables } from './schema.js';
import { unitOf, type ValueUnit } from './values.js';

/** The form of a setting in the environment, where all is text. */
export type SettingForm = 'text' | 'number' | 'boolean' | 'list' | 'table';

/** One key of the configuration, as the schema has it. */
export interface ConfigurationKey {
  /** Table and key, such as `["http", "listen"]`, or the key alone. A free name of a table is `NAME`. */
  readonly path: readonly string[];
  readonly form: SettingForm;
  /** The unit of the value; null if the value is written as it is. */
  readonly unit: ValueUnit | null;
  /** The texts that it may be; null if it isn't one of a few. */
  readonly choices: readonly string[] | null;
  readonly description: string;
  /** Its meaning in a table of each type that has the key. */
  readonly meanings: Readonly<Partial<Record<string, string>>>;
  /** As it would be written in the file; undefined or null: there is none. */
  readonly default: unknown;
  /** One where it is the same in each type that has it, else one for the types that share a default and a meaning. */
  readonly variants: readonly KeyVariant[];
  /** The values of the table's `type` that have this key; null if the table has no `type`, or each type has the key. */
  readonly types: readonly string[] | null;
}

/** A key in tables of some types, or of all: `types` is null then. */
export type KeyVariant = Pick<ConfigurationKey, 'default' | 'description' | 'types'>;

/** A key that the environment can override. */
export interface Setting extends ConfigurationKey {
  /** `SD_GATEWAY_HTTP_LISTEN`. */
  readonly variable: string;
}

interface Wrapper {
  readonly innerType?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly in?: z.ZodType;
  readonly out?: z.ZodType;
  readonly getter?: () => z.ZodType;
  readonly defaultValue?: unknown;
}

function innerOf(type: z.ZodType): z.ZodType | undefined {
  const definition = type.def as Wrapper;
  // A preprocessed type checks what its transformation gives.
  const checked = definition.in instanceof z.ZodTransform ? definition.out : definition.in;
  return definition.innerType ?? definition.getter?.() ?? checked;
}

/** The type inside of defaults, transformations and the like. */
function unwrap(type: z.ZodType): z.ZodType {
  const inner = innerOf(type);
  return inner === undefined ? type : unwrap(inner);
}

function defaultOf(type: z.ZodType | undefined): unknown {
  if (type === undefined) return undefined;
  const definition = type.def as Wrapper;
  return 'defaultValue' in definition ? definition.defaultValue : defaultOf(innerOf(type));
}

/** The description stands on the outermost type that has one. */
function descriptionOf(type: z.ZodType): string {
  return type.description ?? '';
}

function formOf(type: z.ZodType): SettingForm {
  const inner = unwrap(type);
  if (inner instanceof z.ZodNumber) return 'number';
  if (inner instanceof z.ZodBoolean) return 'boolean';
  if (inner instanceof z.ZodArray) return 'list';
  if (inner instanceof z.ZodRecord) return 'table';
  return 'text';
}

function choicesOf(type: z.ZodType): readonly string[] | null {
  const inner = unwrap(type);
  return inner instanceof z.ZodEnum ? inner.options.map(String) : null;
}

function keyOf(path: readonly string[], type: z.ZodType, types: readonly string[] | null): ConfigurationKey {
  const variant = { description: descriptionOf(type), default: defaultOf(type), types };
  return {
    path,
    form: formOf(type),
    unit: unitOf(type),
    choices: choicesOf(type),
    meanings: {},
    ...variant,
    variants: [variant],
  };
}

/** The keys of all types of a table, each once; the first type is the one that an empty table has. */
function collectUnion(
  union: z.ZodDiscriminatedUnion<readonly z.ZodObject[], string>,
  path: readonly string[],
): ConfigurationKey[] {
  const { discriminator, options } = union.def;
  const typeOf = ({ shape }: z.ZodObject) =>
    String((unwrap(shape[discriminator] as z.ZodType) as z.ZodLiteral).value);
  const [first] = options;
  return [...new Set(options.flatMap(({ shape }) => Object.keys(shape)))].flatMap((name) => {
    const having = options.filter(({ shape }) => name in shape);
    const types = having.length === options.length ? null : having.map(typeOf);
    const meanings = having
      .map((each) => [typeOf(each), descriptionOf(each.shape[name] as z.ZodType)])
      .filter(([, meaning]) => meaning !== '');
    const key = {
      ...keyOf([...path, name], having[0]?.shape[name] as z.ZodType, types),
      meanings: Object.fromEntries(meanings),
      ...(name !== discriminator && {
        variants: variantsOf(
          having.map((each) => ({ type: typeOf(each), key: each.shape[name] as z.ZodType })),
          types,
        ),
      }),
    };
    if (name !== discriminator || first === undefined) return key;
    // Without a default for a table that has no type, there is none for the type.
    const isNamed = path.includes(freeName);
    return { ...key, choices: options.map(typeOf), ...(isNamed ? {} : { default: typeOf(first) }) };
  });
}

/** @param types those of the key as a whole */
function variantsOf(
  having: readonly { readonly type: string; readonly key: z.ZodType }[],
  types: readonly string[] | null,
): readonly KeyVariant[] {
  const variants = new Map<string, KeyVariant & { readonly types: string[] }>();
  for (const { type, key } of having) {
    const variant = { description: descriptionOf(key), default: defaultOf(key) };
    const same = JSON.stringify(variant);
    const known = variants.get(same) ?? { ...variant, types: [] };
    known.types.push(type);
    variants.set(same, known);
  }
  return [...variants.values()].map((variant) => (variants.size === 1 ? { ...variant, types } : variant));
}

/** Stands for any name, or for the index of one of several tables. */
const freeName = 'NAME';

function collect(type: z.ZodType, path: readonly string[]): ConfigurationKey[] {
  const inner = unwrap(type);
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([name, value]) =>
      collect(value as z.ZodType, [...path, name]),
    );
  }
  if (inner instanceof z.ZodDiscriminatedUnion) {
    return collectUnion(inner as z.ZodDiscriminatedUnion<readonly z.ZodObject[], string>, path);
  }
  if (inner instanceof z.ZodRecord) return collect(inner.valueType as z.ZodType, [...path, freeName]);
  if (inner instanceof z.ZodArray && unwrap(inner.element as z.ZodType) instanceof z.ZodObject) {
    return collect(inner.element as z.ZodType, path);
  }
  return [keyOf(path, type, null)];
}

const repeatedTables = ['agents', 'channels', 'route'];

function keysOfTables(isWanted: (table: string) => boolean): readonly ConfigurationKey[] {
  return Object.entries(configurationTables.shape)
    .filter(([table]) => isWanted(table))
    .flatMap(([table, type]) => collect(type, [table]));
}

/** Every key of a table that there is once, in the schema's order. */
export const settings: readonly Setting[] = keysOfTables((table) => !repeatedTables.includes(table)).map(
  (key) => ({ ...key, variable: ['SD_GATEWAY', ...key.path].join('_').toUpperCase() }),
);

let repeated: readonly ConfigurationKey[] | null = null;

/**
 * The keys of `[agents.NAME]`, `[channels.NAME]` and `[[route]]`, which the environment has no variables for. Few commands
 * need them.
 */
export function repeatedKeys(): readonly ConfigurationKey[] {
  repeated ??= keysOfTables((table) => repeatedTables.includes(table));
  return repeated;
}

/** The key in the schema of a path in a document, in which there are names and indexes. */
export function keyAt(path: readonly string[]): ConfigurationKey | null {
  const wanted = generalPath(path).join('.');
  return [...settings, ...repeatedKeys()].find((key) => key.path.join('.') === wanted) ?? null;
}

/** A path in a document as the schema has it: `agents.fast.type` is `agents.NAME.type`, `route.0.agent` is `route.agent`. */
function generalPath(path: readonly string[]): readonly string[] {
  const [table, second, ...rest] = path;
  if (table === 'route' && second !== undefined && /^\d+$/.test(second)) return [table, ...rest];
  if ((table === 'agents' || table === 'channels') && second !== undefined) return [table, freeName, ...rest];
  return path;
}

/** The keys that may stand in a table of the file; null if there is no such table, or its names are free. */
export function keysOf(table: readonly string[]): readonly string[] | null {
  const wanted = generalPath(table);
  const keys = [...settings, ...repeatedKeys()]
    .filter(({ path }) => path.length > wanted.length && wanted.every((key, index) => path[index] === key))
    .map(({ path }) => path[wanted.length] ?? '')
    .filter((key) => key !== freeName);
  return keys.length === 0 ? null : [...new Set(keys)];
}

/** The values of `type` that a key of a table needs; null if the key is unknown or any type has it. */
export function typesOf(path: readonly string[]): readonly string[] | null {
  return keyAt(path)?.types ?? null;
}

/** The texts that a key may have; null if it isn't one of a few. */
export function choicesAt(path: readonly string[]): readonly string[] | null {
  return keyAt(path)?.choices ?? null;
}

/** The unit of a key's value; null if it has none. */
export function unitAt(path: readonly string[]): ValueUnit | null {
  return keyAt(path)?.unit ?? null;
}
