import { join } from 'node:path';

/** Where a gateway keeps what, after systemd.exec(5) and the XDG Base Directory Specification. */
export interface Directories {
  /** The store, the token, the lock. */
  readonly state: string;
  /** The control socket. */
  readonly runtime: string;
  /** `sd-gateway.toml`. */
  readonly configuration: string;
  /** Where a user manager before systemd 254 puts a unit's StateDirectory=; null where that is of no concern. */
  readonly earlierUserState: string | null;
  /** `$CREDENTIALS_DIRECTORY`: null outside of units with credentials. */
  readonly credentials: string | null;
}

export interface DirectoriesOptions {
  /** Null: the instance without a name. */
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
 * What a unit's name may hold (systemd.unit(5)), short enough for a socket's path; without ":", which separates the
 * directories in `$STATE_DIRECTORY`.
 */
export function isInstanceName(name: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(name) && !/^\.+$/.test(name);
}

/** systemd gives lists of directories separated by colons; the first is ours. */
function firstOf(list: string | undefined): string | null {
  const first = list?.split(':')[0];
  return first === undefined || first === '' ? null : first;
}

/** An absolute path from the environment; the XDG specification has relative ones ignored. */
function absolute(path: string | undefined): string | null {
  return path?.startsWith('/') ? path : null;
}

/** Says where everything is; creates nothing. */
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
  const state = firstOf(environment.STATE_DIRECTORY) ?? join(stateHome, name);
  return {
    state,
    // A person without a session has no runtime directory; the state directory is as private.
    runtime:
      firstOf(environment.RUNTIME_DIRECTORY) ?? (runtimeHome === null ? state : join(runtimeHome, name)),
    configuration: firstOf(environment.CONFIGURATION_DIRECTORY) ?? join(configurationHome, 'sd-gateway'),
    earlierUserState:
      isSystem || environment.STATE_DIRECTORY !== undefined ? null : join(configurationHome, name),
    credentials: firstOf(environment.CREDENTIALS_DIRECTORY),
  };
}

/** The configuration file that is read when none is named. */
export function configurationFile(configurationDirectory: string, instance: string | null): string {
  return join(configurationDirectory, instance === null ? 'sd-gateway.toml' : `sd-gateway-${instance}.toml`);
}
