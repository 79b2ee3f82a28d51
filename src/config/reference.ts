import { configurationSchema } from './schema.js';
import { settings } from './settings.js';

/** The defaults as they would be written in the file, before the schema has turned them into milliseconds and bytes. */
function writtenDefault(path: readonly string[]): unknown {
  let type: unknown = configurationSchema;
  let value: unknown;
  for (const key of path) {
    const shape = shapeOf(type);
    type = shape?.[key];
    value = defaultOf(type);
  }
  return value;
}

interface Definition {
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly defaultValue?: unknown;
}

function definitionOf(type: unknown): Definition {
  return (type as { readonly def?: Definition } | undefined)?.def ?? {};
}

function shapeOf(type: unknown): Readonly<Record<string, unknown>> | null {
  let inner = type;
  for (;;) {
    const { shape } = inner as { readonly shape?: Readonly<Record<string, unknown>> };
    if (shape !== undefined) return shape;
    const definition = definitionOf(inner);
    inner = definition.innerType ?? definition.in;
    if (inner === undefined) return null;
  }
}

function defaultOf(type: unknown): unknown {
  let inner = type;
  while (inner !== undefined) {
    const definition = definitionOf(inner);
    if ('defaultValue' in definition) return definition.defaultValue;
    inner = definition.innerType ?? definition.in;
  }
  return undefined;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** The table of all settings, in Markdown; docs/configuration.md holds it. */
export function configurationReference(): string {
  const rows = settings.map(({ path, variable, description }) => {
    const value = writtenDefault(path);
    const shown = value === null || value === undefined ? 'unset' : `\`${JSON.stringify(value)}\``;
    return `| \`${path.join('.')}\` | ${cell(shown)} | \`${variable}\` | ${cell(description)} |`;
  });
  return ['| key | default | environment | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}
