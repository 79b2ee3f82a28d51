/** A job of the service manager (org.freedesktop.systemd1(5), ListJobs). */
export interface ManagerJob {
  readonly unit: string;
  /** "start", "stop", "restart", … */
  readonly type: string;
}

/** The job of the service manager that stops the gateway's unit. */
export interface StopJob {
  readonly type: string;
  /** The end of the whole system or session that the manager is about; null if there is none. */
  readonly shutdown: 'poweroff' | 'reboot' | 'halt' | 'kexec' | 'exit' | 'soft-reboot' | 'shutdown' | null;
  /** The unit whose job drew this one along; null if it was asked for itself, or the way isn't known. */
  readonly because: { readonly unit: string; readonly job: string; readonly dependency: string } | null;
}

/** Names of units by the dependency that the gateway's unit has on them, such as `PartOf`. */
export type Dependencies = Readonly<Record<string, readonly string[]>>;

/** Dependencies by which a stop or a restart of another unit stops this one (systemd.unit(5)). */
export const stopDependencies = ['PartOf', 'BindsTo', 'Requires', 'Requisite'] as const;

/** Dependencies by which a start of another unit stops this one. */
export const conflictDependencies = ['Conflicts', 'ConflictedBy'] as const;

/** Targets whose start ends everything; the more telling ones first (systemd.special(7)). */
const shutdowns = ['reboot', 'poweroff', 'halt', 'kexec', 'soft-reboot', 'exit', 'shutdown'] as const;

function shutdownOf(jobs: readonly ManagerJob[]): StopJob['shutdown'] {
  const starting = new Set(jobs.filter(({ type }) => type === 'start').map(({ unit }) => unit));
  return shutdowns.find((name) => starting.has(`${name}.target`)) ?? null;
}

/** True if other jobs may have drawn the unit's own along. Only then its dependencies are worth asking for. */
export function mayBeDrawnAlong(unit: string, jobs: readonly ManagerJob[]): boolean {
  return shutdownOf(jobs) === null && jobs.some((job) => job.unit !== unit);
}

/** Finds what stops the unit among the manager's jobs at that time; null if none of them does. */
export function explainStopJob(
  unit: string,
  jobs: readonly ManagerJob[],
  dependencies: Dependencies,
): StopJob | null {
  const own = jobs.find((job) => job.unit === unit);
  const shutdown = shutdownOf(jobs);
  if (own === undefined) return null;
  const others = shutdown === null ? jobs.filter((job) => job.unit !== unit) : [];
  for (const { unit: other, type } of others) {
    const names: readonly string[] = type === 'start' ? conflictDependencies : stopDependencies;
    const dependency = names.find((name) => dependencies[name]?.includes(other) === true);
    if (dependency !== undefined) {
      return { type: own.type, shutdown, because: { unit: other, job: type, dependency } };
    }
  }
  return { type: own.type, shutdown, because: null };
}

/** The job in the words of an operator. */
export function describeStopJob({ type, shutdown, because }: StopJob): string {
  if (shutdown !== null) return `${type} job, because of the manager’s ${shutdown}`;
  if (because === null) return `${type} job`;
  return `${type} job, drawn along by the ${because.job} of ${because.unit} (${because.dependency}=)`;
}
