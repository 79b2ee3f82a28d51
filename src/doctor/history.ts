import { type RunRecord, runOutcome } from '../store/run-record.js';
import type { DoctorFacts, HistoryEvent } from './facts.js';

/** Number of starts and stops that are looked at. */
export const historyLength = 10;

const shownKinds: readonly HistoryEvent['kind'][] = [
  'started',
  'start-failed',
  'stop',
  'foreign-kill',
  'crash',
  'failed',
];

/** Reads the events of a run from its own record; a run that recorded no end has only its start. */
function eventsOfRun(
  run: RunRecord,
  isCurrent: boolean,
  next: RunRecord | undefined,
): readonly HistoryEvent[] {
  const { invocationId: invocation, stop } = run;
  const took = run.startDuration === null ? '' : ` in ${run.startDuration} ms`;
  const started: HistoryEvent = {
    at: run.readyAt ?? run.startedAt,
    kind: 'started',
    text: run.readyAt === null ? 'Started; it never got ready' : `Ready${took}`,
    invocation,
  };
  const outcome = runOutcome(run, isCurrent);
  if (outcome === 'running') return [started];
  if (stop === null) {
    // It was over when the next one began; nobody knows better.
    const at = next?.startedAt ?? started.at;
    return [
      started,
      {
        at,
        kind: 'crash',
        text: 'Ended without a word: killed, aborted, or the machine went down',
        invocation,
      },
    ];
  }
  const kind = stop.cause === 'foreign-kill' ? 'foreign-kill' : outcome === 'clean' ? 'stop' : 'crash';
  return [
    started,
    { at: stop.at, kind, text: `Stopped: ${stop.description}; exit status ${stop.exitStatus}`, invocation },
  ];
}

/**
 * The last starts and stops, newest last: by the gateway's own records, where they can be read, with what only the
 * service manager could see (a failed start, a watchdog, no memory); else by the journal alone.
 */
export function history({
  runs,
  journal,
  gateway,
}: Pick<DoctorFacts, 'runs' | 'journal' | 'gateway'>): readonly HistoryEvent[] {
  const inJournal = journal.known ? journal.value.events : [];
  const records = runs.known ? runs.value : [];
  // One that hangs, or doesn't tell this user, has not ended.
  const isThere = gateway.outcome !== 'absent';
  // Newest first, as they are kept.
  const own = records
    .slice(0, historyLength)
    .flatMap((run, index) => eventsOfRun(run, isThere && index === 0, records[index - 1]));
  const told = new Set(own.map(({ invocation }) => invocation));
  const oldest = Math.min(...own.map(({ at }) => at));
  const others = inJournal.filter(({ kind, invocation, at }) => {
    if (!shownKinds.includes(kind)) return false;
    if (own.length === 0) return true;
    if (kind === 'failed' || kind === 'start-failed') return at >= oldest;
    return at >= oldest && !told.has(invocation);
  });
  return [...own, ...others].sort((a, b) => a.at - b.at).slice(-2 * historyLength);
}
