import { ownCommand } from '../text/own-command.js';
import type { AgentConfiguration } from './agent-table.js';
import type { Configuration } from './schema.js';
import { type ConfigurationKey, keyAt, repeatedKeys, type Setting, settings } from './settings.js';
import { type ListenAddress, writtenAddress, writtenSize, writtenTimeSpan } from './values.js';

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** A default as it would be written in the file; null if there is none. */
export function writtenDefault({ default: value }: ConfigurationKey): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

/** The heading of the table that a key belongs to, such as "[agents.NAME]". */
export function headingOf(key: ConfigurationKey): string {
  const table = key.path.slice(0, -1).join('.');
  return table === 'route' ? '[[route]]' : `[${table}]`;
}

/**
 * The keys that there are several times, apart from those that `[agents.NAME]` has from `[agent]`. One with another default
 * or meaning in some types stands there for each of them.
 */
export function otherRepeatedKeys(): readonly ConfigurationKey[] {
  return repeatedKeys()
    .filter(({ path }) => path[0] !== 'agents')
    .flatMap((key) => key.variants.map((variant) => ({ ...key, ...variant })));
}

/** The meaning of a key, with the types of tables that it is for if not all have it so. */
export function meaningOf({ types, description }: ConfigurationKey): string {
  return types === null ? description : `${types.join(', ')}: ${description}`;
}

/** The description of `[agents.NAME]`. */
export const namedAgents =
  'A further agent, with the keys of [agent]. [agents.default] is [agent] itself; a file has one of the two.';

/** The table of all keys, in Markdown; docs/configuration.md holds it. */
export function configurationReference(): string {
  const row = (name: string, value: string | null, variable: string, description: string) =>
    `| \`${name}\` | ${value === null ? 'unset' : cell(`\`${value}\``)} | ${variable} | ${cell(description)} |`;
  const once = settings.map((key) =>
    row(key.path.join('.'), writtenDefault(key), `\`${key.variable}\``, key.description),
  );
  const several = otherRepeatedKeys().map((key) =>
    row(`${headingOf(key)} ${key.path.at(-1)}`, writtenDefault(key), 'none', meaningOf(key)),
  );
  return [
    '| key | default | environment | meaning |',
    '| --- | --- | --- | --- |',
    ...once,
    row('[agents.NAME]', null, 'none', namedAgents),
    ...several,
    '',
  ].join('\n');
}

function entry(setting: Setting, value: string | undefined): string {
  const key = setting.path.at(-1) ?? '';
  // The description says which values a key without a default takes.
  const assignment =
    value === undefined ? `#${key} = ${writtenDefault(setting) ?? '…'}` : `${key} = ${JSON.stringify(value)}`;
  return `# ${setting.description}\n${assignment}\n`;
}

function nextSteps(): string {
  return `# "${ownCommand('check-config')}" says if it can be used, "${ownCommand('reload')}" puts it into effect.\n`;
}

function headingFrom(command: string): string {
  return (
    `# Configuration of sd-gateway, begun by "sd-gateway ${command}". The man page sd-gateway.toml(5) has all keys.\n` +
    nextSteps()
  );
}

/**
 * A configuration file to begin with: every key with its meaning and its default, as comments.
 * @param values texts to put into effect, by key, such as `http.listen`
 */
export function sampleConfiguration(values: Readonly<Record<string, string>> = {}): string {
  const parts = [
    '# Configuration of sd-gateway. A key that is commented out has the default that it shows.\n' +
      nextSteps(),
  ];
  let section = '';
  for (const setting of settings) {
    const table = setting.path.slice(0, -1).join('.');
    if (table !== section) parts.push(`[${table}]\n`);
    section = table;
    parts.push(entry(setting, values[setting.path.join('.')]));
  }
  return parts.join('\n');
}

/** A table of a configuration that is to be written: its path, such as `["channels", "github"]`, and its keys. */
export interface WrittenTable {
  readonly path: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

/** A configuration file with these tables, each key below its meaning. `command`: the one that has begun it. */
export function commentedConfiguration(tables: readonly WrittenTable[], command = 'init'): string {
  const sections = tables.map(({ path, values }) => {
    const keys = Object.entries(values).map(([name, value]) => {
      const known = keyAt([...path, name]);
      const meaning = known?.meanings[String(values['type'])] ?? known?.description;
      return `${meaning === undefined ? '' : `# ${meaning}\n`}${name} = ${writtenValue(value)}\n`;
    });
    return `[${path.join('.')}]\n${keys.join('\n')}`;
  });
  return [headingFrom(command), ...sections].join('\n');
}

/** Decides what others than the operator see of a configuration. */
export interface Showing {
  /** The value of a key as TOML, or null if it is to be left out. */
  value(value: unknown, key: ConfigurationKey): string | null;
  /** The name of a table such as `[channels.NAME]`. */
  name(table: string, name: string): string;
}

const asItIs: Showing = { value: written, name: (_table, name) => name };

/**
 * A configuration as TOML, with every key and its value: reading it gives the same configuration. A key without a value
 * is a comment.
 */
export function writtenConfiguration(configuration: Configuration, showing = asItIs): string {
  const { agents, channels, route } = configuration;
  const tables = [...new Set(settings.map(({ path }) => path.slice(0, -1).join('.')))];
  const single = tables.map((table) => {
    const keys = settings.filter(({ path }) => path.slice(0, -1).join('.') === table);
    return section(
      table === '' ? null : `[${table}]`,
      keys,
      table === '' ? configuration : tableAt(configuration, table),
      showing,
    );
  });
  const named = (name: string, values: Readonly<Record<string, object>>) =>
    Object.entries(values).map(([each, value]) =>
      section(`[${name}.${showing.name(name, each)}]`, keysIn(name), value, showing),
    );
  const { default: _, ...others }: Readonly<Record<string, AgentConfiguration>> = agents;
  return [
    ...single,
    ...named('agents', others),
    ...named('channels', channels),
    ...route.map((rule) => section('[[route]]', keysIn('route'), rule, showing)),
  ].join('\n');
}

function tableAt(configuration: Configuration, table: string): object {
  return (configuration as unknown as Readonly<Record<string, object>>)[table] ?? {};
}

function keysIn(table: string): readonly ConfigurationKey[] {
  return repeatedKeys().filter(({ path }) => path[0] === table);
}

function section(
  heading: string | null,
  keys: readonly ConfigurationKey[],
  values: object,
  showing: Showing,
): string {
  const lines = keys.flatMap((key) => {
    const name = key.path.at(-1) ?? '';
    const value = (values as Readonly<Record<string, unknown>>)[name];
    // The key of another type, or a condition that a route doesn't have.
    if (value === undefined) return [];
    if (value === null) return [`# ${name} is unset`];
    const shown = showing.value(value, key);
    return [shown === null ? `# ${name} is left out` : `${name} = ${shown}`];
  });
  return [...(heading === null ? [] : [heading]), ...lines, ''].join('\n');
}

/** A value as it stands in the file. */
export function written(value: unknown, { unit }: ConfigurationKey): string {
  switch (unit) {
    case 'time':
      return quoted(writtenTimeSpan(Number(value)));
    case 'size':
      return quoted(writtenSize(Number(value)));
    case 'address':
      return quoted(writtenAddress(value as ListenAddress));
    case null:
      return writtenValue(value);
  }
}

/** Lists and tables are written in one line. */
function writtenValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(writtenValue).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return quoted(value);
  const pairs = Object.entries(value).map(([key, item]) => `${quoted(key)} = ${writtenValue(item)}`);
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}

/** JSON leaves control characters as they are that TOML or a terminal does not take. */
function quoted(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}
