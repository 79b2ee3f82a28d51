import {
  conflictDependencies,
  type Dependencies,
  explainStopJob,
  type ManagerJob,
  mayBeDrawnAlong,
  type StopJob,
  stopDependencies,
} from '../lifecycle/stop-job.js';
import { ProgramError, runProgram } from './program.js';
import { type Scope, scopeOption } from './scope.js';

const service = 'org.freedesktop.systemd1';
const managerPath = '/org/freedesktop/systemd1';

/** How long the manager may take for one answer, in milliseconds. */
const patience = 1_000;

interface ListedJob extends ManagerJob {
  readonly unitPath: string;
}

/** One answer of busctl(1), which comes with systemd: no client of our own, nothing loaded until it is needed. */
async function busctl(
  scope: Scope,
  parameters: readonly string[],
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const { status, stdout, stderr } = await runProgram(
    'busctl',
    [scopeOption(scope), '--json=short', '--no-pager', `--timeout=${patience / 1_000}`, ...parameters],
    { timeout: patience * 2, signal },
  );
  if (status !== 0) throw new ProgramError('busctl', 'failed-to-start', `busctl: ${stderr.trim()}`);
  return stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { readonly data: unknown }).data);
}

async function listJobs(scope: Scope, signal: AbortSignal): Promise<readonly ListedJob[]> {
  const [data] = await busctl(
    scope,
    ['call', service, managerPath, `${service}.Manager`, 'ListJobs'],
    signal,
  );
  const [rows] = data as [readonly (readonly [number, string, string, string, string, string])[]];
  return rows.map(([, unit, type, , , unitPath]) => ({ unit, type, unitPath }));
}

async function dependenciesOf(scope: Scope, unitPath: string, signal: AbortSignal): Promise<Dependencies> {
  const names = [...stopDependencies, ...conflictDependencies];
  const lists = await busctl(scope, ['get-property', service, unitPath, `${service}.Unit`, ...names], signal);
  return Object.fromEntries(names.map((name, index) => [name, lists[index] as readonly string[]]));
}

/**
 * Asks the manager over D-Bus which of its jobs stops the unit; read-only, bounded in time. Null when none does.
 * Rejects with a ProgramError when there is no bus or no busctl, and with an AbortError.
 */
export async function findStopJob(scope: Scope, unit: string, signal: AbortSignal): Promise<StopJob | null> {
  const jobs = await listJobs(scope, signal);
  const own = jobs.find((job) => job.unit === unit);
  const dependencies =
    own !== undefined && mayBeDrawnAlong(unit, jobs) ? await dependenciesOf(scope, own.unitPath, signal) : {};
  return explainStopJob(unit, jobs, dependencies);
}
