import {
  conflictDependencies,
  type Dependencies,
  type ManagerJob,
  stopDependencies,
} from '../lifecycle/stop-job.js';
import { runProgram } from './program.js';
import { parseProperties, type Scope, ServiceManagerError, scopeOption } from './service-manager.js';

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

/** Reads `systemctl list-jobs --no-legend`: JOB, UNIT, TYPE and STATE in each line. Another line is left out. */
export function parseJobs(text: string): readonly ManagerJob[] {
  return text.split('\n').flatMap((line) => {
    const [, unit, type] = /^\s*\d+\s+(\S+)\s+(\S+)\s+\S+\s*$/.exec(line) ?? [];
    return unit === undefined || type === undefined ? [] : [{ unit, type }];
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
