import { setTimeout as pause } from 'node:timers/promises';
import { askFacts } from '../../channels/control/ask-facts.js';
import { formatTimeSpan } from '../../text/time-span.js';

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
    onProgress(
      `Waiting for ${describeWork(work)}, ${formatTimeSpan(elapsed)}${limit}; new messages are taken`,
    );
    const left = timeout === null ? interval : Math.min(interval, timeout - elapsed);
    await pause(left, undefined, { signal }).catch(() => undefined);
  }
}
