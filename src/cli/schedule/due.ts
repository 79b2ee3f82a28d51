/** Times are seconds since the Unix epoch, which is how exactly systemd-analyze tells an elapse. */

/** The elapses of a schedule that were seen. */
export interface Progress {
  /** The newest elapse that was posted or is to be. */
  readonly last: number;
  /** Elapses that are still to be posted, oldest first. */
  readonly pending: readonly number[];
}

/** Finds elapses of a calendar. */
export interface Elapses {
  /** All after `from`, up to `until`, oldest first. */
  between(from: number, until: number): Promise<readonly number[]>;
  /** The newest after `from`, up to `until`; null: there is none. */
  newest(from: number, until: number): Promise<number | null>;
}

export interface Moment {
  readonly now: number;
  /** When the timer started this run, or the run began. */
  readonly startedAt: number;
  /** When the machine was booted. */
  readonly bootedAt: number;
}

/**
 * Adds the elapses up to now. systemd starts a service once for those that passed while the machine was off or asleep
 * (Persistent=). Those that pass while a post is under way start nothing, as the service runs already: each counts here.
 */
export async function withDue(
  progress: Progress,
  elapses: Elapses,
  { now, startedAt, bootedAt }: Moment,
): Promise<Progress> {
  // A clock that was set back must not keep the schedule from going on. The key tells what was posted already.
  const last = progress.last > now ? now - 60 : progress.last;
  const isUnderWay = progress.pending.length > 0;
  const awakeSince = Math.max(last, isUnderWay ? bootedAt : Math.min(startedAt, now));
  const missed = await elapses.newest(last, awakeSince);
  const due = [...(missed === null ? [] : [missed]), ...(await elapses.between(awakeSince, now))].filter(
    (time) => !progress.pending.includes(time),
  );
  return { last: due.at(-1) ?? last, pending: [...progress.pending, ...due] };
}
