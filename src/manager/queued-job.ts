import type { ManagerJob } from '../lifecycle/stop-cause.js';
import { ProgramError } from './program.js';
import { parseJobs, type ServiceManager, ServiceManagerError } from './service-manager.js';

/** The job of a unit that the manager has not finished. */
export interface QueuedJob {
  /** "start", "stop", "restart", … (systemctl list-jobs). */
  readonly type: string;
  /** False while it waits for others. */
  readonly isRunning: boolean;
  /** Jobs of units that it comes after. */
  readonly waitsFor: readonly ManagerJob[];
}

/** Finds the unit's job among those of the manager; null: it has none. */
export function jobOf(unit: string, jobs: readonly ManagerJob[], after: readonly string[]): QueuedJob | null {
  const own = jobs.find((job) => job.unit === unit);
  if (own === undefined) return null;
  const waitsFor = own.isRunning ? [] : jobs.filter((job) => after.includes(job.unit));
  return { type: own.type, isRunning: own.isRunning, waitsFor };
}

/** Asks the manager for the unit's job. Throws a ServiceManagerError, or a ProgramError. */
export async function readQueuedJob(manager: ServiceManager, unit: string): Promise<QueuedJob | null> {
  const words = ['list-jobs', '--full', '--no-legend', '--no-pager'];
  const { status, stdout, stderr } = await manager.systemctl(words);
  if (status !== 0) throw new ServiceManagerError('systemctl list-jobs', stderr.trim(), status);
  const { After = '' } = await manager.show(unit, ['After']);
  return jobOf(unit, parseJobs(stdout), After.split(' '));
}

/** The same for a report that has more to say: null as well if the manager doesn't tell. */
export async function tellQueuedJob(manager: ServiceManager, unit: string): Promise<QueuedJob | null> {
  try {
    return await readQueuedJob(manager, unit);
  } catch (error) {
    if (error instanceof ServiceManagerError || error instanceof ProgramError) return null;
    throw error;
  }
}

/** True if the unit is going to be started by it. */
export function startsUnit({ type }: QueuedJob): boolean {
  return type === 'start' || type === 'restart';
}

/** One sentence about a job that will start a unit which is down. */
export function describeQueuedStart({ type, waitsFor }: QueuedJob): string {
  const others = waitsFor.map(({ unit }) => unit);
  const why = others.length === 0 ? 'is queued' : `waits for ${others.join(', ')}`;
  return `systemd is about to start it: its ${type} job ${why}.`;
}
