import { setTimeout as pause } from 'node:timers/promises';
import { askFacts } from '../../channels/control/ask-facts.js';
import { messageIds } from '../../log/fields.js';
import { fieldOf } from '../../manager/journal.js';
import { ProgramError, type ProgramResult } from '../../manager/program.js';
import { type ServiceManager, ServiceManagerError } from '../../manager/service-manager.js';
import { formatTimeSpan, parseTimeSpan } from '../../text/time-span.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { awaitRecord } from './journal.js';
import { readUnit, type UnitState } from './unit.js';

/** Interval at which the unit is read while a job runs, in ms. */
const lookInterval = 300;
/** Longest wait for the gateway's record of a reload after systemd has passed the order on, in ms. */
const reloadTimeoutMs = 5_000;
/** systemd's own DefaultTimeoutStartSec=, in ms. */
const defaultStartTimeoutMs = 90_000;

/** Calls with the unit's facts now and then, until the signal; what can't be asked just now is left out. */
async function watch(
  manager: ServiceManager,
  name: string,
  onFacts: (unit: UnitState) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const unit = await readUnit(manager, name);
      if (!signal.aborted) onFacts(unit);
    } catch (error) {
      // The job itself tells how it ended; progress is only shown.
      if (!(error instanceof ProgramError || error instanceof ServiceManagerError)) throw error;
    }
    await pause(lookInterval, undefined, { signal }).catch(() => undefined);
  }
}

export type JobOutcome =
  | { readonly outcome: 'ended'; readonly result: ProgramResult }
  /** The person doesn't want to wait any longer; the job goes on. */
  | { readonly outcome: 'interrupted' };

/** Asks systemd for a job and waits for its end, or for a Ctrl-C, while the unit is watched. */
export async function performJob(
  manager: ServiceManager,
  action: 'start' | 'stop' | 'restart' | 'reload',
  name: string,
  onFacts: (unit: UnitState) => void,
): Promise<JobOutcome> {
  const stopWaiting = new AbortController();
  const stopWatching = new AbortController();
  const interrupt = () => stopWaiting.abort();
  process.once('SIGINT', interrupt);
  const watching = watch(manager, name, onFacts, stopWatching.signal);
  try {
    const result = await manager.systemctl(['--no-ask-password', action, name], {
      timeout: null,
      signal: stopWaiting.signal,
    });
    // A terminal sends its SIGINT to systemctl as well, which may be the first to end.
    if (stopWaiting.signal.aborted || result.signal === 'SIGINT') return { outcome: 'interrupted' };
    return { outcome: 'ended', result };
  } catch (error) {
    if (stopWaiting.signal.aborted) return { outcome: 'interrupted' };
    throw error;
  } finally {
    process.off('SIGINT', interrupt);
    stopWatching.abort();
    await watching;
  }
}

/** Keeps systemctl's warnings, such as that a socket unit can start it again. A changed file was already reported. */
export function notSaidYet(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => !/^Warning: The unit file, .* changed on disk/.test(line))
    .join('\n')
    .trim();
}

/** Words for an action that goes on. */
export const doing = {
  start: 'Starting',
  stop: 'Stopping',
  restart: 'Restarting',
  reload: 'Reloading',
} as const;

export interface JobProgress {
  readonly text: string;
  /** True if it says what somebody may have to do. */
  readonly isNews: boolean;
}

/**
 * Says how far a job is; null: nothing is known of it.
 * @param before the unit before the job, whose status says nothing about it
 * @param doing such as "Starting"
 */
export function jobProgress(unit: UnitState, before: UnitState, doing: string): JobProgress | null {
  const { name, statusText, activeState, subState } = unit;
  const isWaiting = statusText?.startsWith('Starting: waiting') === true;
  if (statusText !== null && (isWaiting || statusText !== before.statusText)) {
    return { text: waitText(statusText), isNews: isWaiting };
  }
  if (activeState !== 'activating' && activeState !== 'deactivating') return null;
  return { text: `${doing} ${name} (${subState})`, isNews: false };
}

export type ReloadOutcome =
  | { readonly outcome: 'done' }
  | { readonly outcome: 'refused'; readonly reason: string }
  /** It has ended meanwhile. */
  | { readonly outcome: 'ended'; readonly unit: UnitState };

/** Finds the reason of a refused reload in the status line. */
export function refusalIn(statusText: string | null): string | null {
  return /(?:^|; )reload refused: (.*)$/s.exec(statusText ?? '')?.[1] ?? null;
}

/**
 * Waits for what came of a reload: with Type=notify systemd only knows that the signal was sent. Told by the gateway's
 * record in the journal; where there is none, because this user may not read it or `log.level` leaves it out, by the
 * status line.
 */
export async function reloadOutcome(
  manager: ServiceManager,
  name: string,
  from: number,
): Promise<ReloadOutcome> {
  const ids = [messageIds.reloadDone, messageIds.reloadRefused];
  const { logNamespace } = await readUnit(manager, name);
  const record = await awaitRecord({ scope: manager.scope, name, logNamespace }, ids, from, reloadTimeoutMs);
  if (record !== null) {
    return fieldOf(record, 'MESSAGE_ID') === messageIds.reloadDone
      ? { outcome: 'done' }
      : { outcome: 'refused', reason: fieldOf(record, 'MESSAGE') ?? '' };
  }
  const unit = await readUnit(manager, name);
  if (unit.activeState !== 'active' && unit.activeState !== 'reloading') return { outcome: 'ended', unit };
  const reason = refusalIn(unit.statusText);
  return reason === null ? { outcome: 'done' } : { outcome: 'refused', reason };
}

/**
 * Waits until the gateway says that it serves, where the unit's Type= has systemd not wait for that. Gives the unit as it
 * is then; null: it did not serve within its TimeoutStartSec=, and runs all the same.
 */
export async function unitWhenServing(
  manager: ServiceManager,
  unit: UnitState,
  socket: string,
): Promise<UnitState | null> {
  if (unit.awaitsReady) return unit;
  const deadline = performance.now() + (unit.startTimeout ?? defaultStartTimeoutMs);
  for (let now = unit; ; now = await readUnit(manager, unit.name)) {
    if (now.activeState !== 'active' && now.activeState !== 'reloading') return now;
    const answer = await askFacts(socket);
    if (answer.outcome === 'told' && ['ready', 'reloading'].includes(answer.facts.state)) return now;
    if (performance.now() > deadline) return null;
    await pause(lookInterval);
  }
}

/** Shortens a status line to what is waited for, which fits 80 columns. Why the gateway stops is in its record. */
export function waitText(statusText: string): string {
  return statusText.replace(/^(Stopping|Stopped) \(.*?\)(?=: [a-z]| in \d)/s, '$1');
}

/** Turns that run or wait. */
export interface Work {
  readonly running: number;
  readonly waiting: number;
}

/** The gateway's own counts or, where it can't be asked for them, those of its status line; null: it tells none. */
export async function workOf(socket: string, statusText: () => Promise<string | null>): Promise<Work | null> {
  const answer = await askFacts(socket);
  if (answer.outcome !== 'told' || answer.facts.work === null) return workIn(await statusText());
  const { running, queued } = answer.facts.work;
  return { running, waiting: queued };
}

/** Reads a status line such as "Ready for 3min: 2 sessions, 1 running, 0 waiting, …"; null: it tells no counts. */
export function workIn(statusText: string | null): Work | null {
  const match = /(\d+) running, (\d+) waiting/.exec(statusText ?? '');
  return match === null ? null : { running: Number(match[1]), waiting: Number(match[2]) };
}

/** "1 running turn and 2 that wait". */
export function describeWork({ running, waiting }: Work): string {
  const parts = [
    ...(running > 0 ? [`${running} running ${running === 1 ? 'turn' : 'turns'}`] : []),
    ...(waiting > 0 ? [`${waiting} waiting ${waiting === 1 ? 'turn' : 'turns'}`] : []),
  ];
  return parts.join(' and ');
}

export type IdleOutcome =
  | { readonly outcome: 'idle' }
  | { readonly outcome: 'late'; readonly work: Work }
  | { readonly outcome: 'interrupted' };

export interface IdleOptions {
  /** Gives null if it does not run, so that there is nothing to wait for. */
  ask(): Promise<Work | null>;
  onProgress(text: string): void;
  /** In ms; null: as long as it takes. */
  readonly timeout: number | null;
  readonly signal: AbortSignal;
  /** Between two questions, in ms. */
  readonly interval?: number;
}

/** `--timeout`, in ms; null: none. Throws a UsageError. */
export function idleTimeoutOf({
  values: { timeout },
  command: { name },
  flags,
}: ParsedCommand): number | null {
  if (timeout === undefined) return null;
  if (!flags.has('when-idle')) {
    throw new UsageError('--timeout says how long --when-idle waits; give both', name);
  }
  const milliseconds = parseTimeSpan(timeout);
  if (milliseconds === null) {
    throw new UsageError('--timeout needs a time such as "10min" or "30s"', name);
  }
  return milliseconds;
}

/** Waits until no turn runs or waits. The gateway goes on taking messages meanwhile. */
export async function awaitIdle(options: IdleOptions): Promise<IdleOutcome> {
  const { ask, onProgress, timeout, signal, interval = 500 } = options;
  const began = performance.now();
  const aborted = new Promise<'aborted'>((resolve) => {
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
  for (;;) {
    if (signal.aborted) return { outcome: 'interrupted' };
    // A gateway that hangs must not hang this.
    const work = await Promise.race([ask(), aborted]);
    if (work === 'aborted') return { outcome: 'interrupted' };
    if (work === null || (work.running === 0 && work.waiting === 0)) return { outcome: 'idle' };
    const elapsed = performance.now() - began;
    if (timeout !== null && elapsed >= timeout) return { outcome: 'late', work };
    const limit = timeout === null ? '' : ` of ${formatTimeSpan(timeout)}`;
    onProgress(`Waiting for ${describeWork(work)}, ${formatTimeSpan(elapsed)}${limit}`);
    const left = timeout === null ? interval : Math.min(interval, timeout - elapsed);
    await pause(left, undefined, { signal }).catch(() => undefined);
  }
}
