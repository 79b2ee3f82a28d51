import type { AgentConfiguration } from './agent-table.js';
import type { Configuration } from './schema.js';
import { type ConfigurationKey, repeatedKeys, settings } from './settings.js';
import { type ListenAddress, writtenAddress, writtenSize, writtenTimeSpan } from './values.js';

/**
 * A configuration as TOML, with every key and its value: reading it gives the same configuration. A key without a value
 * is a comment.
 */
export function writtenConfiguration(configuration: Configuration): string {
  const { agents, channels, route } = configuration;
  const tables = [...new Set(settings.map(({ path }) => path.slice(0, -1).join('.')))];
  const single = tables.map((table) => {
    const keys = settings.filter(({ path }) => path.slice(0, -1).join('.') === table);
    return section(
      table === '' ? null : `[${table}]`,
      keys,
      table === '' ? configuration : tableAt(configuration, table),
    );
  });
  const named = (name: string, values: Readonly<Record<string, object>>) =>
    Object.entries(values).map(([each, value]) => section(`[${name}.${each}]`, keysIn(name), value));
  const { default: _, ...others }: Readonly<Record<string, AgentConfiguration>> = agents;
  return [
    ...single,
    ...named('agents', others),
    ...named('channels', channels),
    ...route.map((rule) => section('[[route]]', keysIn('route'), rule)),
  ].join('\n');
}

function tableAt(configuration: Configuration, table: string): object {
  return (configuration as unknown as Readonly<Record<string, object>>)[table] ?? {};
}

function keysIn(table: string): readonly ConfigurationKey[] {
  return repeatedKeys.filter(({ path }) => path[0] === table);
}

function section(heading: string | null, keys: readonly ConfigurationKey[], values: object): string {
  const lines = keys.flatMap((key) => {
    const name = key.path.at(-1) ?? '';
    const value = (values as Readonly<Record<string, unknown>>)[name];
    // The key of another type, or a condition that a route doesn't have.
    if (value === undefined) return [];
    return [value === null ? `# ${name} is unset` : `${name} = ${written(value, key)}`];
  });
  return [...(heading === null ? [] : [heading]), ...lines, ''].join('\n');
}

function written(value: unknown, { unit }: ConfigurationKey): string {
  switch (unit) {
    case 'time':
      return quoted(writtenTimeSpan(Number(value)));
    case 'size':
      return quoted(writtenSize(Number(value)));
    case 'address':
      return quoted(writtenAddress(value as ListenAddress));
    case null:
      return Array.isArray(value) ? `[${value.map(quoted).join(', ')}]` : quoted(value);
  }
}

/** JSON leaves control characters as they are that TOML or a terminal does not take. */
function quoted(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}
