import { existsSync } from 'node:fs';
import { type ProgramOptions, type ProgramResult, runProgram } from './program.js';

/** Which service manager: the system's, or that of the user who asks. */
export type Scope = 'system' | 'user';

export function otherScope(scope: Scope): Scope {
  return scope === 'system' ? 'user' : 'system';
}

/** The option that systemctl and journalctl take for the scope. */
export function scopeOption(scope: Scope): '--system' | '--user' {
  return scope === 'system' ? '--system' : '--user';
}

/** The service unit of an instance; null: the one without a name. */
export function unitName(instance: string | null): string {
  return instance === null ? 'sd-gateway.service' : `sd-gateway-${instance}.service`;
}

/** The units that may run the instance: its own, or an instance of the package's template. */
export function unitNames(instance: string | null): readonly string[] {
  return instance === null ? [unitName(null)] : [unitName(instance), `sd-gateway@${instance}.service`];
}

/** systemctl could not do what was asked. */
export class ServiceManagerError extends Error {
  constructor(
    readonly what: string,
    /** The text that systemctl printed. */
    readonly detail: string,
    readonly status: number | null,
  ) {
    super(`${what}: ${detail === '' ? `exit status ${status}` : detail}`);
    this.name = 'ServiceManagerError';
  }
}

export type UnitAction = 'start' | 'stop' | 'restart' | 'reload' | 'reset-failed';

/** `--user` needs to know where the user's manager is; a `su` or `sudo` session often has lost it. */
function managerEnvironment(scope: Scope): Record<string, string> {
  if (scope === 'system' || process.env.XDG_RUNTIME_DIR !== undefined) return {};
  const directory = `/run/user/${process.getuid?.() ?? 0}`;
  return existsSync(directory) ? { XDG_RUNTIME_DIR: directory } : {};
}

/** The service manager of one scope, as an operator speaks with it: through systemctl. */
export class ServiceManager {
  readonly scope: Scope;

  constructor(scope: Scope) {
    this.scope = scope;
  }

  /** Runs systemctl; any exit status is an answer. Rejects with a ProgramError. */
  systemctl(parameters: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
    return this.program('systemctl', parameters, options);
  }

  /** Runs a program of systemd that takes `--system` or `--user`. */
  program(file: string, parameters: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
    return runProgram(file, [scopeOption(this.scope), ...parameters], {
      ...options,
      environment: { ...managerEnvironment(this.scope), ...options.environment },
    });
  }

  /** The version of systemd, such as 252. Throws a ServiceManagerError when systemctl doesn't say one. */
  async version(): Promise<number> {
    const { stdout } = await runProgram('systemctl', ['--version']);
    const match = /^systemd (\d+)/.exec(stdout);
    if (match === null) throw new ServiceManagerError('systemctl --version', stdout.trim(), null);
    return Number(match[1]);
  }

  /**
   * Properties of a unit as `systemctl show` names them (org.freedesktop.systemd1(5)); those that this systemd doesn't
   * know are absent. Lists and structures are in systemctl's notation. A unit that isn't there has
   * `LoadState=not-found`.
   */
  async show(unit: string, properties: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const result = await this.#must(['show', unit, `--property=${properties.join(',')}`, '--no-pager']);
    return parseProperties(result.stdout);
  }

  /** Properties of the manager itself. */
  async showManager(properties: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const result = await this.#must(['show', `--property=${properties.join(',')}`, '--no-pager']);
    return parseProperties(result.stdout);
  }

  /** True if the manager has, or would load, a unit of that name. */
  async has(unit: string): Promise<boolean> {
    const { LoadState } = await this.show(unit, ['LoadState']);
    return LoadState !== undefined && LoadState !== 'not-found';
  }

  /** Asks for a job and, unless `block` is false, waits for its end, however long it takes. */
  act(action: UnitAction, unit: string, options: { readonly block?: boolean } = {}): Promise<ProgramResult> {
    const waiting = options.block === false ? ['--no-block'] : [];
    return this.systemctl([action, ...waiting, unit], { timeout: null });
  }

  async daemonReload(): Promise<void> {
    await this.#must(['daemon-reload'], { timeout: 90_000 });
  }

  async enable(unit: string): Promise<void> {
    await this.#must(['enable', unit], { timeout: 90_000 });
  }

  async disable(unit: string): Promise<void> {
    await this.#must(['disable', unit], { timeout: 90_000 });
  }

  /** "enabled", "disabled", "static", "masked", …; "not-found" when there is no such unit. */
  async isEnabled(unit: string): Promise<string> {
    const { stdout } = await this.systemctl(['is-enabled', unit]);
    return stdout.trim() === '' ? 'not-found' : stdout.trim();
  }

  /** Names of the loaded or installed service units that match, such as `sd-gateway*.service`. */
  async unitsMatching(pattern: string): Promise<readonly string[]> {
    const listed = await Promise.all([
      this.#must(['list-units', '--all', '--plain', '--no-legend', '--no-pager', pattern]),
      this.#must(['list-unit-files', '--plain', '--no-legend', '--no-pager', pattern]),
    ]);
    const names = listed.flatMap(({ stdout }) =>
      stdout
        .split('\n')
        .map((line) => line.trim().split(/\s+/)[0] ?? '')
        .filter((name) => name.endsWith('.service') && !name.endsWith('@.service')),
    );
    return [...new Set(names)].sort();
  }

  async #must(parameters: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
    const result = await this.systemctl(parameters, options);
    if (result.status === 0) return result;
    // list-unit-files says 1 for an empty list.
    if (parameters[0] === 'list-unit-files' && result.stderr === '') return result;
    throw new ServiceManagerError(
      `systemctl ${scopeOption(this.scope)} ${parameters[0]}`,
      result.stderr.trim(),
      result.status,
    );
  }
}

/** Reads lines of NAME=VALUE as `systemctl show` prints them; a name that comes again is a further line of the value. */
export function parseProperties(text: string): Readonly<Record<string, string>> {
  const properties: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at <= 0) continue;
    const name = line.slice(0, at);
    const value = line.slice(at + 1);
    properties[name] = Object.hasOwn(properties, name) ? `${properties[name]}\n${value}` : value;
  }
  return properties;
}
