import { z } from 'zod';
import { configurationSchema } from './schema.js';

/** How a setting is written in the environment, where all is text. */
export type SettingForm = 'text' | 'number' | 'boolean' | 'list';

/** One key of the configuration, as the schema has it. */
export interface Setting {
  /** Section and key, such as `["http", "listen"]`, or the key alone. */
  readonly path: readonly string[];
  /** `SD_GATEWAY_HTTP_LISTEN`. */
  readonly variable: string;
  readonly form: SettingForm;
  readonly description: string;
  /** As it would be written in the file; undefined or null: there is none. */
  readonly default: unknown;
  /** The values of the table's `type` that have this key; null if the table has no `type`, or each type has the key. */
  readonly types: readonly string[] | null;
}

interface Wrapper {
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly out?: z.ZodType;
  readonly defaultValue?: unknown;
}

function innerOf(type: z.ZodType): z.ZodType | undefined {
  const definition = type.def as Wrapper;
  // A preprocessed type checks what its transformation gives.
  const checked = definition.in instanceof z.ZodTransform ? definition.out : definition.in;
  return definition.innerType ?? checked;
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
  return 'text';
}

function settingOf(path: readonly string[], type: z.ZodType, types: Setting['types']): Setting {
  return {
    path,
    variable: ['SD_GATEWAY', ...path].join('_').toUpperCase(),
    form: formOf(type),
    description: descriptionOf(type),
    default: defaultOf(type),
    types,
  };
}

/** The keys of all types of a table, each once; the first type is the one that an empty table has. */
function collectUnion(
  union: z.ZodDiscriminatedUnion<readonly z.ZodObject[], string>,
  path: readonly string[],
): Setting[] {
  const { discriminator, options } = union.def;
  const typeOf = ({ shape }: z.ZodObject) =>
    String((unwrap(shape[discriminator] as z.ZodType) as z.ZodLiteral).value);
  const [first] = options;
  return [...new Set(options.flatMap(({ shape }) => Object.keys(shape)))].flatMap((key) => {
    const having = options.filter(({ shape }) => key in shape);
    const types = having.length === options.length ? null : having.map(typeOf);
    const setting = settingOf([...path, key], having[0]?.shape[key] as z.ZodType, types);
    return key === discriminator && first !== undefined ? { ...setting, default: typeOf(first) } : setting;
  });
}

function collect(type: z.ZodObject, path: readonly string[]): Setting[] {
  return Object.entries(type.shape).flatMap(([key, value]) => {
    const setting = value as z.ZodType;
    const inner = unwrap(setting);
    const below = [...path, key];
    if (inner instanceof z.ZodObject) return collect(inner, below);
    if (inner instanceof z.ZodDiscriminatedUnion) {
      return collectUnion(inner as z.ZodDiscriminatedUnion<readonly z.ZodObject[], string>, below);
    }
    return [settingOf(below, setting, null)];
  });
}

/** Every setting that there is, in the schema's order. */
export const settings: readonly Setting[] = collect(configurationSchema, []);

/** The keys that may stand in a table of the file; null when there is no such table. */
export function keysOf(table: readonly string[]): readonly string[] | null {
  const keys = settings
    .filter(({ path }) => path.length > table.length && table.every((key, index) => path[index] === key))
    .map(({ path }) => path[table.length] ?? '');
  return keys.length === 0 ? null : [...new Set(keys)];
}

/** The values of `type` that a key of a table needs; null if the key is unknown or any type has it. */
export function typesOf(path: readonly string[]): readonly string[] | null {
  const name = path.join('.');
  return settings.find((setting) => setting.path.join('.') === name)?.types ?? null;
}
