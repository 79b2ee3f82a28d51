import { existsSync } from 'node:fs';
import {
  conflictDependencies,
  type Dependencies,
  type ManagerJob,
  stopDependencies,
} from '../lifecycle/stop-cause.js';
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

/** True after an end, until the manager starts the unit again by itself; queued since systemd 254. */
export function isBetweenStarts(subState: string): boolean {
  return subState === 'auto-restart' || subState === 'auto-restart-queued';
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

/** Whom to ask, and how: what is asked here only reads. */
export interface JobsQuestion {
  readonly scope: Scope;
  /** All of systemctl's environment, with the `PATH` that it is looked for in. */
  readonly environment: Readonly<Record<string, string>>;
  /** Longest time of systemctl, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends systemctl. */
  readonly signal: AbortSignal;
}

/** Never a folder that the unit's `PATH` may name: an agent could have put a systemctl of its own there. */
const path = '/usr/bin:/bin:/run/current-system/sw/bin';

/** Variables that name the manager's bus (sd_bus_open(3)). */
const ofTheBus = ['DBUS_SYSTEM_BUS_ADDRESS', 'DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR'] as const;

/** Takes from the gateway's environment only what systemctl needs: no secret, and no way to report for the unit. */
export function systemctlEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const found: Record<string, string> = { PATH: path };
  for (const name of ofTheBus) {
    const value = environment[name];
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** The manager's jobs. Rejects with a ProgramError, a ServiceManagerError, or an AbortError. */
export async function listJobs(question: JobsQuestion): Promise<readonly ManagerJob[]> {
  return parseJobs(await ask(question, ['list-jobs', '--full', '--no-legend', '--no-pager']));
}

/** Units that can draw a stop of this one along. Rejects as listJobs does. */
export async function readStopDependencies(question: JobsQuestion, unit: string): Promise<Dependencies> {
  const names = [...stopDependencies, ...conflictDependencies];
  const shown = parseProperties(
    await ask(question, ['show', `--property=${names.join(',')}`, '--no-pager', unit]),
  );
  return Object.fromEntries(
    names.map((name) => [name, (shown[name] ?? '').split(' ').filter((other) => other !== '')]),
  );
}

/**
 * `Result=` of a unit (systemd.service(5)), and its `SubState=`: "stop" while its `ExecStop=` runs. Rejects as listJobs
 * does.
 */
export async function readStopState(
  question: JobsQuestion,
  unit: string,
): Promise<{ readonly result: string; readonly subState: string }> {
  const shown = parseProperties(
    await ask(question, ['show', '--property=Result,SubState', '--no-pager', unit]),
  );
  return { result: shown['Result'] ?? '', subState: shown['SubState'] ?? '' };
}

/** Reads `systemctl list-jobs --no-legend`: JOB, UNIT, TYPE and STATE in each line. Another line is left out. */
export function parseJobs(text: string): readonly ManagerJob[] {
  return text.split('\n').flatMap((line) => {
    const [, unit, type, state] = /^\s*\d+\s+(\S+)\s+(\S+)\s+(\S+)\s*$/.exec(line) ?? [];
    return unit === undefined || type === undefined ? [] : [{ unit, type, isRunning: state === 'running' }];
  });
}

async function ask(question: JobsQuestion, words: readonly string[]): Promise<string> {
  const { scope, environment, timeoutMs, signal } = question;
  const { status, stdout, stderr } = await runProgram('systemctl', [scopeOption(scope), ...words], {
    wholeEnvironment: environment,
    timeout: timeoutMs,
    signal,
  });
  if (status !== 0) throw new ServiceManagerError(`systemctl ${words[0]}`, stderr.trim(), status);
  return stdout;
}
