import { join } from 'node:path';
import { configurationFile, type Directories, directories } from '../config/directories.js';
import { NoRegularFileError, readRegularFile } from '../linux/files.js';
import type { Scope } from '../manager/service-manager.js';

/**
 * Reads a file for EnvironmentFile= as systemd.exec(5) has it: NAME=VALUE lines, comments that begin with "#" or ";",
 * values in single or double quotes, a backslash before a line feed that goes on with the value.
 */
export function parseEnvironmentFile(text: string): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  let at = 0;
  while (at < text.length) {
    const end = (text.indexOf('\n', at) + 1 || text.length + 1) - 1;
    const line = text.slice(at, end);
    const name = /^[ \t\r]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=/.exec(line);
    if (name === null) {
      at = end + 1;
      continue;
    }
    const value = readValue(text, at + name[0].length);
    variables[name[1] ?? ''] = value.text;
    at = value.end + 1;
  }
  return variables;
}

/** Reads up to the line feed that ends the value. */
function readValue(text: string, from: number): { readonly text: string; readonly end: number } {
  let value = '';
  /** White space is kept only where something follows it. */
  let pending = '';
  let quote: string | null = null;
  let at = from;
  for (; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote === null && character === '\n') break;
    if (character === '\\' && quote !== "'") {
      const next = text[++at] ?? '';
      // In double quotes a backslash stands for itself, except before what it could quote.
      const literal = quote === '"' && !'"\\`$\n'.includes(next) ? `\\${next}` : next;
      if (next !== '\n') value += pending + literal;
      if (next !== '\n') pending = '';
    } else if (quote !== null && character === quote) quote = null;
    else if (quote === null && (character === '"' || character === "'") && value === '') quote = character;
    else if (quote === null && /\s/.test(character)) pending += value === '' ? '' : character;
    else {
      value += pending + character;
      pending = '';
    }
  }
  return { text: value, end: at };
}

/** The properties that say with what a unit runs its gateway, as `systemctl show` names them. */
export const settingsProperties = [
  'ExecStart',
  'Environment',
  'EnvironmentFiles',
  'StateDirectory',
  'RuntimeDirectory',
  'ConfigurationDirectory',
  'User',
  'DynamicUser',
] as const;

/** With what an installed unit runs its gateway. */
export interface UnitSettings {
  /** The unit's variables, as far as this user can read them, with the directories that the manager makes. */
  readonly environment: Readonly<Record<string, string>>;
  readonly directories: Directories;
  /** `named`: ExecStart= names it with --config; else it is the usual one, and need not be there. */
  readonly file: { readonly path: string; readonly named: boolean };
}

export interface UnitSettingsOptions {
  readonly scope: Scope;
  readonly instance: string | null;
  /** The manager's version; null if unknown. */
  readonly systemdVersion: number | null;
  readonly home: string;
  /** The home of the person who asks, below which a user's directories are. */
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
}

/** Words as systemd.exec(5) quotes them in Environment=, and a shell's simple ones: "A=b" 'C=d e' F=g. */
function words(text: string): readonly string[] {
  const found: string[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)"|'([^']*)'|((?:[^\s\\]|\\.)+)/g;
  for (const [, double, single, bare] of text.matchAll(pattern)) {
    found.push(single ?? (double ?? bare ?? '').replace(/\\(.)/g, '$1'));
  }
  return found;
}

/** Reads the unit's own variables from the property Environment=. */
export function environmentOf(property: string): Record<string, string> {
  return Object.fromEntries(
    words(property).flatMap((assignment) => {
      const at = assignment.indexOf('=');
      return at <= 0 ? [] : [[assignment.slice(0, at), assignment.slice(at + 1)]];
    }),
  );
}

/** Reads the variables of its environment files. systemd reports a file that is missing or can't be read. */
function environmentOfFiles(property: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of property.split('\n')) {
    const path = line.replace(/ \(ignore_errors=(yes|no)\)$/, '');
    if (path === '') continue;
    try {
      Object.assign(variables, parseEnvironmentFile(readRegularFile(path, 'links-followed').toString()));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!(error instanceof NoRegularFileError) && code === undefined) throw error;
    }
  }
  return variables;
}

/**
 * The file that ExecStart= names with --config, from systemctl's notation. Quotes are lost in that: a path with blanks
 * goes on to the next option.
 */
export function namedConfiguration(execStart: string): string | null {
  const command = /argv\[\]=(.*?) ; ignore_errors=/.exec(execStart)?.[1] ?? '';
  return / --config[ =](.+?)(?= --[a-z]|$)/.exec(command)?.[1] ?? null;
}

/** The variables of systemd.exec(5) that name the unit's own directories. */
function directoryVariables(
  properties: Readonly<Record<string, string>>,
  { scope, systemdVersion, home, environment, uid }: UnitSettingsOptions,
): Record<string, string> {
  const isSystem = scope === 'system';
  const configuration = isSystem ? '/etc' : (environment.XDG_CONFIG_HOME ?? join(home, '.config'));
  // A user manager before 254 keeps state beside the configuration.
  const userState =
    systemdVersion !== null && systemdVersion < 254
      ? configuration
      : (environment.XDG_STATE_HOME ?? join(home, '.local/state'));
  const roots = {
    StateDirectory: ['STATE_DIRECTORY', isSystem ? '/var/lib' : userState],
    RuntimeDirectory: [
      'RUNTIME_DIRECTORY',
      isSystem ? '/run' : (environment.XDG_RUNTIME_DIR ?? `/run/user/${uid}`),
    ],
    ConfigurationDirectory: ['CONFIGURATION_DIRECTORY', configuration],
  } as const;
  return Object.fromEntries(
    Object.entries(roots).flatMap(([property, [variable, root]]) => {
      // "NAME:LINK" is a directory with a symbolic link to it.
      const names = (properties[property] ?? '').split(' ').map((word) => word.split(':')[0] ?? '');
      const paths = names.filter((name) => name !== '').map((name) => join(root, name));
      return paths.length === 0 ? [] : [[variable, paths.join(':')]];
    }),
  );
}

/** True if the unit's gateway has a user's rights: without RuntimeDirectory= its socket is in the state directory then. */
export function isUnprivileged({ User, DynamicUser }: Readonly<Record<string, string>>): boolean {
  return DynamicUser === 'yes' || !['', 'root', '0'].includes(User ?? '');
}

/** Reads them from the unit's properties. Throws a ConfigurationError if several directories leave it open which is ours. */
export function unitSettings(
  properties: Readonly<Record<string, string>>,
  options: UnitSettingsOptions,
): UnitSettings {
  const { scope, instance, home } = options;
  const environment = {
    ...environmentOf(properties['Environment'] ?? ''),
    ...environmentOfFiles(properties['EnvironmentFiles'] ?? ''),
    ...directoryVariables(properties, options),
  };
  const { XDG_RUNTIME_DIR } = options.environment;
  const places = directories({
    scope,
    instance,
    environment: { ...(XDG_RUNTIME_DIR === undefined ? {} : { XDG_RUNTIME_DIR }), ...environment },
    home,
  });
  const named = namedConfiguration(properties['ExecStart'] ?? '');
  const isInState =
    scope === 'system' && environment['RUNTIME_DIRECTORY'] === undefined && isUnprivileged(properties);
  return {
    environment,
    directories: isInState ? { ...places, runtime: places.state } : places,
    file: { path: named ?? configurationFile(places.configuration, instance), named: named !== null },
  };
}
