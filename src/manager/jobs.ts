import { explainStopJob, mayBeDrawnAlong, type StopJob } from '../lifecycle/stop-job.js';
import type { ManagerBus } from './manager-bus.js';

/**
 * Asks the manager which of its jobs stops the unit; read-only, bounded in time. Null when none does. Rejects with an
 * Error when the manager doesn't answer, or when `signal` is aborted.
 */
export async function findStopJob(
  bus: ManagerBus,
  unit: string,
  signal: AbortSignal,
): Promise<StopJob | null> {
  const jobs = await bus.listJobs(signal);
  const own = jobs.find((job) => job.unit === unit);
  const dependencies =
    own !== undefined && mayBeDrawnAlong(unit, jobs) ? await bus.dependencies(own.unitPath, signal) : {};
  return explainStopJob(unit, jobs, dependencies);
}
