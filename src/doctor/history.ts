import { type RunRecord, runOutcome } from '../store/open-store.js';
import type { DoctorFacts, HistoryEvent } from './facts.js';

const withoutWord = 'Ended without a word: killed, aborted, or the machine went down';

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
  if (outcome === 'unknown') {
    return [
      started,
      {
        at: next?.startedAt ?? started.at,
        kind: 'stop',
        text: `Its end is not on record: ${run.endUnknown}`,
        invocation,
      },
    ];
  }
  if (stop === null) {
    // It was over when the next one began; nobody knows better.
    const at = next?.startedAt ?? started.at;
    return [
      started,
      {
        at,
        kind: 'crash',
        text: withoutWord,
        invocation,
      },
    ];
  }
  const kind = kindOfStop(stop.cause, outcome);
  const reason = kind === 'start-failed' && stop.error !== null ? ` (${stop.error})` : '';
  const text = `Stopped: ${stop.description}${reason}; exit status ${stop.exitStatus}`;
  return [started, { at: stop.at, kind, text, invocation }];
}

function kindOfStop(cause: string, outcome: ReturnType<typeof runOutcome>): HistoryEvent['kind'] {
  if (cause === 'foreign-kill') return 'foreign-kill';
  if (cause === 'unavailable') return 'start-failed';
  return outcome === 'clean' ? 'stop' : 'crash';
}

/**
 * The last starts and stops, newest last: by the gateway's own records, where they can be read, with what only the
 * service manager could see (a failed start, a watchdog, no memory); else by the journal alone.
 */
export function history({
  runs,
  journal,
  gateway,
  unit,
}: Pick<DoctorFacts, 'runs' | 'journal' | 'gateway' | 'unit'>): readonly HistoryEvent[] {
  const inJournal = journal.known ? journal.value.events : [];
  const records = runs.known ? runs.value : [];
  const properties = unit.known ? unit.value?.properties : undefined;
  // One that hangs, or doesn't tell this user, has not ended; nor has that of a unit that is up, wherever its socket is.
  const isThere =
    gateway.outcome !== 'absent' ||
    (properties?.['ActiveState'] === 'active' && properties['InvocationID'] === records[0]?.invocationId);
  // Newest first, as they are kept.
  const own = records
    .slice(0, historyLength)
    .flatMap((run, index) => eventsOfRun(run, isThere && index === 0, records[index - 1]));
  const told = new Set(own.map(({ invocation }) => invocation));
  const failedStarts = own.filter(({ kind }) => kind === 'start-failed').map(({ invocation }) => invocation);
  const oldest = Math.min(...own.map(({ at }) => at));
  const others = inJournal.filter(({ kind, invocation, at }) => {
    if (!shownKinds.includes(kind)) return false;
    if (own.length === 0) return true;
    if (kind === 'failed' || kind === 'start-failed')
      return at >= oldest && !failedStarts.includes(invocation);
    return at >= oldest && !told.has(invocation);
  });
  return onceEach([...own, ...others])
    .sort((a, b) => a.at - b.at)
    .slice(-2 * historyLength);
}

/**
 * Keeps one event for each failure. The manager has up to two records of one, and the gateway one of its own; the
 * manager's result ("Failed with result …") is the best reason where the gateway left no word.
 */
function onceEach(events: readonly HistoryEvent[]): HistoryEvent[] {
  const of = (kind: HistoryEvent['kind'], { invocation }: HistoryEvent) =>
    invocation === null
      ? undefined
      : events.find((event) => event.kind === kind && event.invocation === invocation);
  return events.flatMap((event) => {
    switch (event.kind) {
      case 'failed':
        return (['crash', 'foreign-kill', 'start-failed'] as const).some(
          (kind) => of(kind, event) !== undefined,
        )
          ? []
          : [event];
      case 'start-failed': {
        if (of('crash', event) !== undefined) return [];
        const text = of('failed', event)?.text ?? event.text;
        return [{ ...event, text }];
      }
      case 'crash': {
        const result = of('failed', event);
        // The time of the next start was a guess.
        return event.text === withoutWord && result !== undefined
          ? [{ ...event, at: result.at, text: result.text }]
          : [event];
      }
      default:
        return [event];
    }
  });
}
