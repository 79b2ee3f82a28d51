import { isUtf8 } from 'node:buffer';
import { existsSync, lstatSync, readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { NoRegularFileError, readRegularFile } from '../linux/files.js';
import { errorMessage } from '../text/failure-text.js';
import { ConfigurationError, type ConfigurationProblem, nearest } from './configuration-error.js';
import { environmentFileBeside, hazardsOf } from './hazards.js';
import { problemsOf } from './problems.js';
import { unroutedAgents } from './route-table.js';
import { type Configuration, configurationSchema } from './schema.js';
import { type Setting, settings } from './settings.js';
import { readToml, type TomlDocument, TomlSyntaxError } from './toml.js';

/** Names with our prefix that are no settings. */
const otherVariables: ReadonlySet<string> = new Set([
  // Read by `send`.
  'SD_GATEWAY_TOKEN',
  'SD_GATEWAY_URL',
  // Read by the addon's loader.
  'SD_GATEWAY_PREBUILD',
  // Set for agent commands, and inherited by a gateway that one of them starts.
  'SD_GATEWAY_SESSION',
  'SD_GATEWAY_MESSAGE',
  'SD_GATEWAY_ATTEMPT',
  'SD_GATEWAY_PUT_BACKS',
  'SD_GATEWAY_TURN',
  'SD_GATEWAY_MARK',
]);

interface Override {
  readonly setting: Setting;
  /** As it would stand in the file. */
  readonly value: unknown;
}

interface Overrides {
  readonly overrides: readonly Override[];
  readonly problems: readonly { readonly where: string; readonly message: string }[];
  readonly warnings: readonly string[];
}

/** A list is a JSON array, or words separated by commas or white space. */
function readList(text: string): unknown {
  if (text.trim().startsWith('[')) return JSON.parse(text);
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

function readValue(setting: Setting, text: string): unknown {
  switch (setting.form) {
    case 'number':
      if (text.trim() === '' || Number.isNaN(Number(text)))
        throw new Error(`must be a number, not "${text}"`);
      return Number(text);
    case 'boolean':
      if (/^(true|yes|on|1)$/i.test(text)) return true;
      if (/^(false|no|off|0)$/i.test(text)) return false;
      throw new Error(`must be "true" or "false", not "${text}"`);
    case 'list':
      try {
        return readList(text);
      } catch {
        throw new Error('must be a JSON array such as ["a", "b"], or words separated by commas');
      }
    case 'table':
      try {
        return JSON.parse(text);
      } catch {
        throw new Error('must be a JSON object, such as {"temperature": 0.2}');
      }
    case 'text':
      return text;
  }
}

/** Finds the settings that the environment overrides (`SD_GATEWAY_<SECTION>_<KEY>`). An empty one is as unset. */
function readOverrides(environment: NodeJS.ProcessEnv): Overrides {
  const overrides: Override[] = [];
  const problems: { where: string; message: string }[] = [];
  const warnings: string[] = [];
  const known = new Map(settings.map((setting) => [setting.variable, setting]));
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('SD_GATEWAY_') || otherVariables.has(variable)) continue;
    const setting = known.get(variable);
    if (setting === undefined) {
      const meant = nearest(variable, [...known.keys()]);
      warnings.push(
        `The environment variable ${variable} is no setting and has no effect${meant === null ? '' : `; did you mean ${meant}?`}`,
      );
      continue;
    }
    if (text === undefined || text === '') continue;
    try {
      overrides.push({ setting, value: readValue(setting, text) });
    } catch (error) {
      problems.push({ where: variable, message: errorMessage(error) });
    }
  }
  return { overrides, problems, warnings };
}

export { ConfigurationError, type ConfigurationProblem };

interface ConfigurationSource {
  /** The file to read; null for none, so that only defaults and the environment count. */
  readonly file: string | null;
  /** True if a missing file is an error: the operator named it. */
  readonly required: boolean;
  readonly environment: NodeJS.ProcessEnv;
  /** The environment file of the unit, if another one than that beside the file. */
  readonly environmentFile?: string;
}

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly warnings: readonly string[];
  /** The file that was read; null when there was none. */
  readonly file: string | null;
}

/** Finds the link that leads nowhere, in the file's place or its directory's: its file system is not mounted, say. */
function danglingLink(file: string): { readonly at: string; readonly target: string } | null {
  const leadsNowhere = (path: string) =>
    lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true && !existsSync(path);
  const at = [dirname(file), file].find(leadsNowhere);
  return at === undefined ? null : { at, target: readlinkSync(at) };
}

/** Advice on a file that this user may not read. */
function opening(file: string): string {
  try {
    statSync(file);
  } catch {
    return 'let them enter the directories above it (chmod o+x), or put it elsewhere';
  }
  return `give it to them, or have root run "chmod o+r ${file}"`;
}

function readFile({ file, required }: ConfigurationSource): Buffer | null {
  if (file === null) return null;
  try {
    // A link will do: whoever can put one there can write the configuration, too.
    return readRegularFile(file, 'links-followed');
  } catch (error) {
    if (error instanceof NoRegularFileError) {
      throw new ConfigurationError([{ where: file, message: `${error.message}; name a file` }]);
    }
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const link = code === 'ENOENT' ? danglingLink(file) : null;
    if (link !== null) {
      const message = `${link.at === file ? '' : `${link.at} `}is a link to ${link.target}, which is not there; mount or make that, or remove the link`;
      throw new ConfigurationError([{ where: file, message }]);
    }
    if (code === 'ENOENT' && !required) return null;
    const causes: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file; name another one with --config, or leave it out for the defaults',
      EACCES: `it may not be read by UID ${process.getuid?.()}: ${opening(file)}`,
    };
    const message = causes[code] ?? errorMessage(error);
    throw new ConfigurationError([{ where: file, message: `can't be read: ${message}` }]);
  }
}

/** Some editors begin a file with one. */
function withoutByteOrderMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** TOML is UTF-8: in a path, say, U+FFFD would stand for what is not. */
function textOf(bytes: Buffer, file: string | null): string {
  if (isUtf8(bytes)) return withoutByteOrderMark(bytes.toString());
  const lines = bytes.toString('latin1').split('\n');
  const line = lines.findIndex((text) => !isUtf8(Buffer.from(text, 'latin1'))) + 1;
  throw new ConfigurationError([{ where: `${file}:${line}:1`, message: 'no valid TOML: it is no UTF-8' }]);
}

function readDocument(source: ConfigurationSource): TomlDocument | null {
  const bytes = readFile(source);
  if (bytes === null) return null;
  const text = textOf(bytes, source.file);
  try {
    return readToml(text);
  } catch (error) {
    if (!(error instanceof TomlSyntaxError)) throw error;
    const { position } = error;
    const where = position === null ? '' : `:${position.line}:${position.column}`;
    throw new ConfigurationError([
      { where: `${source.file}${where}`, message: `no valid TOML: ${error.message}` },
    ]);
  }
}

type Table = Record<string, unknown>;

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a key without touching the document's own values. */
function withValue(table: Table, path: readonly string[], value: unknown): Table {
  const [key, ...below] = path;
  if (key === undefined) return table;
  if (below.length === 0) return { ...table, [key]: value };
  const inner = table[key];
  // A value where a table should be is left for the schema to refuse.
  if (inner !== undefined && !isTable(inner)) return table;
  return { ...table, [key]: withValue(inner ?? {}, below, value) };
}

/** Finds the path for a variable's value: `[agent]` is `[agents.default]`, and the file may have either. */
function pathIn(values: Table, path: readonly string[]): readonly string[] {
  const [table, ...key] = path;
  const { agent, agents } = values;
  const hasDefault =
    table === 'agent' && agent === undefined && isTable(agents) && Object.hasOwn(agents, 'default');
  return hasDefault ? ['agents', 'default', ...key] : path;
}

/** Files that the settings are from. `read`: the configuration, if there is one. */
function filesOf(source: ConfigurationSource, read: string | null): readonly string[] {
  const { file, environmentFile = file === null ? undefined : environmentFileBeside(file) } = source;
  const beside = environmentFile !== undefined && existsSync(environmentFile) ? [environmentFile] : [];
  return read === null ? beside : [read, ...beside];
}

/** Reads the file and the environment. Throws a ConfigurationError that names all problems at once. */
export function loadConfiguration(source: ConfigurationSource): LoadedConfiguration {
  const { overrides, problems, warnings } = readOverrides(source.environment);
  const document = readDocument(source);
  let values: Table = document?.values ?? {};
  const variables = new Map<string, string>();
  for (const { setting, value } of overrides) {
    const path = pathIn(values, setting.path);
    values = withValue(values, path, value);
    variables.set(path.join('.'), setting.variable);
  }
  const inFile = (path: readonly (string | number)[]) => {
    const { line, column } = document?.positionOf(path) ?? { line: 0, column: 0 };
    if (source.file === null || document === null) return { where: 'configuration', line, column };
    return { where: line === 0 ? source.file : `${source.file}:${line}:${column}`, line, column };
  };
  // To compile a parser for a schema that is used once takes longer than to do without.
  const result = configurationSchema.safeParse(values, { jitless: true });
  const found = result.success ? [] : problemsOf(result.error, values, { variables, inFile });
  if (!result.success || problems.length > 0) throw new ConfigurationError([...problems, ...found]);
  const file = document === null ? null : source.file;
  const hazards = hazardsOf(result.data, filesOf(source, file));
  const unrouted = unroutedAgents(result.data.agents, result.data.route);
  return { configuration: result.data, warnings: [...warnings, ...hazards, ...unrouted], file };
}
