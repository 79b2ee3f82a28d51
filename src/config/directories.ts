import { readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ConfigurationError, type ConfigurationProblem } from './configuration-error.js';

/** The directories of a gateway, after systemd.exec(5) and the XDG Base Directory Specification. */
export interface Directories {
  /** The store, the token, the lock. */
  readonly state: string;
  /** The control socket. */
  readonly runtime: string;
  /** `sd-gateway.toml`. */
  readonly configuration: string;
  /**
   * The place where a user manager before systemd 254 puts a unit's StateDirectory=; null if that is of no concern.
   */
  readonly earlierUserState: string | null;
  /** `$CREDENTIALS_DIRECTORY`: null outside of units with credentials. */
  readonly credentials: string | null;
}

export interface DirectoriesOptions {
  /** The instance; null for the one without a name. */
  readonly instance: string | null;
  readonly environment: NodeJS.ProcessEnv;
  /** Whose directories: the system's (root), or those of a user. */
  readonly scope: 'system' | 'user';
  readonly home: string;
}

/** Root's directories are the system's. */
export function scopeOfUser(uid: number): 'system' | 'user' {
  return uid === 0 ? 'system' : 'user';
}

/**
 * True if the name holds only what a unit's name may (systemd.unit(5)), and is short enough for a socket's path. It has
 * no ":", which separates the directories in `$STATE_DIRECTORY`.
 */
export function isInstanceName(name: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(name) && !/^\.+$/.test(name);
}

/**
 * Finds our directory in a list of systemd's, separated by colons: the only one, or the one with our name. systemd sorts
 * the list, so that its order says nothing (systemd/systemd#24783). Null: the list is empty. Undefined: several
 * directories leave it open which is ours.
 */
export function ownDirectory(list: string | undefined, names: readonly string[]): string | null | undefined {
  const paths = [...new Set(list?.split(':').filter((path) => path !== ''))];
  if (paths.length <= 1) return paths[0] ?? null;
  for (const name of names) {
    const own = paths.filter((path) => basename(path) === name);
    if (own.length > 0) return own.length === 1 ? own[0] : undefined;
  }
  return undefined;
}

/** The directives of systemd.exec(5) that the variables come from. */
const directives = {
  STATE_DIRECTORY: 'StateDirectory',
  RUNTIME_DIRECTORY: 'RuntimeDirectory',
  CONFIGURATION_DIRECTORY: 'ConfigurationDirectory',
} as const;

type Variable = keyof typeof directives;

function undecided(variable: Variable, list: string, [name = '']: readonly string[]): ConfigurationProblem {
  const own = list.split(':').filter((path) => basename(path) === name);
  const found = own.length === 0 ? `none of them is called "${name}"` : `more than one is called "${name}"`;
  return {
    where: variable,
    message: `it holds ${list.replaceAll(':', ', ')}, and ${found}, so that nobody can tell which is the gateway’s; have the unit’s ${directives[variable]}= name "${name}" once beside the others, or one directory only`,
  };
}

/** An absolute path from the environment; the XDG specification has relative ones ignored. */
function absolute(path: string | undefined): string | null {
  return path?.startsWith('/') ? path : null;
}

/**
 * Says where everything is; creates nothing. Throws a ConfigurationError if the environment has several directories of a
 * kind, and none is ours.
 */
export function directories({ instance, environment, scope, home }: DirectoriesOptions): Directories {
  const name = instance === null ? 'sd-gateway' : `sd-gateway-${instance}`;
  const isSystem = scope === 'system';
  const stateHome = isSystem
    ? '/var/lib'
    : (absolute(environment.XDG_STATE_HOME) ?? join(home, '.local/state'));
  const runtimeHome = isSystem ? '/run' : absolute(environment.XDG_RUNTIME_DIR);
  const configurationHome = isSystem
    ? '/etc'
    : (absolute(environment.XDG_CONFIG_HOME) ?? join(home, '.config'));
  const problems: ConfigurationProblem[] = [];
  const given = (variable: Variable, names: readonly string[]): string | null => {
    const list = environment[variable];
    const own = ownDirectory(list, names);
    if (own === undefined) problems.push(undecided(variable, list ?? '', names));
    return own ?? null;
  };
  const state = given('STATE_DIRECTORY', [name]) ?? join(stateHome, name);
  const runtime = given('RUNTIME_DIRECTORY', [name]);
  // All instances share a directory, in which each has a file.
  const configuration = given('CONFIGURATION_DIRECTORY', [...new Set(['sd-gateway', name])]);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return {
    state,
    // A person without a session has no runtime directory; the state directory is as private.
    runtime: runtime ?? (runtimeHome === null ? state : join(runtimeHome, name)),
    configuration: configuration ?? join(configurationHome, 'sd-gateway'),
    earlierUserState:
      isSystem || environment.STATE_DIRECTORY !== undefined ? null : join(configurationHome, name),
    // systemd.exec(5) has one such directory at most.
    credentials: environment.CREDENTIALS_DIRECTORY || null,
  };
}

/** The configuration file that is read when none is named. */
export function configurationFile(configurationDirectory: string, instance: string | null): string {
  return join(configurationDirectory, instance === null ? 'sd-gateway.toml' : `sd-gateway-${instance}.toml`);
}

/** The error's name where a system call failed, such as "ENOENT"; throws any other error. */
function codeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return code;
}

/**
 * Returns true if a stopped unit with DynamicUser= has left the path. Its stop removes the runtime directory in
 * `private/`, and not the link to it (systemd.exec(5)). Over that link neither systemd nor mkdir(2) makes the
 * directory of another user.
 */
export function isLeftoverLink(path: string): boolean {
  try {
    if (readlinkSync(path) !== `private/${basename(path)}`) return false;
  } catch (error) {
    codeOf(error);
    return false;
  }
  try {
    statSync(path);
    return false;
  } catch (error) {
    // Only root may look into private/.
    return codeOf(error) === 'ENOENT';
  }
}
