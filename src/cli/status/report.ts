import type { GatewayFacts } from '../../channels/control/facts.js';
import type { StopJob } from '../../lifecycle/stop-cause.js';
import { isBetweenStarts, type Scope } from '../../manager/service-manager.js';
import type { RunRecord } from '../../store/open-store.js';
import type { StoreLog } from '../../store/store-kind.js';
import { formatTimeSpan } from '../../text/time-span.js';
import { commandStatus } from '../command.js';
import type { JournalLine } from '../operate/journal.js';
import type { UnitState } from '../operate/unit.js';

/** The gateway's state in a word. */
export type StatusVerdict =
  /** It serves as a unit. */
  | 'running'
  /** It serves, and no unit runs it. */
  | 'foreground'
  | 'starting'
  | 'stopping'
  | 'stopped'
  | 'failed'
  | 'not-installed'
  /** Nobody could be asked. */
  | 'unknown';

/** The end of the run before, from the best source there is. */
export interface LastStop {
  /** The gateway's own records, told by it or read from its store; else what the journal has. */
  readonly source: 'gateway' | 'store' | 'journal';
  /** When it ended; null: nobody knows. */
  readonly at: number | null;
  /** Set if the gateway recorded its end; null if it did not (killed, aborted, out of memory, power cut). */
  readonly cause: string | null;
  /** One line: cause, signal and sender. */
  readonly description: string;
  readonly exitStatus: number | null;
  readonly job: StopJob | null;
  readonly drainMicroseconds: number | null;
  readonly finishedTurns: number | null;
  readonly putBackTurns: number | null;
  readonly deadMessages: number | null;
  readonly invocationId: string | null;
}

/** Compares the installed unit with what this version would write. */
export interface DriftFacts {
  /** "none", "drifted", "edited", "foreign", "packaged", "undecided", "not-installed". */
  readonly state: string;
  /** One line for a person. */
  readonly text: string;
  /** A unified difference, from what is there to what would be written; empty when alike, or not for us to write. */
  readonly difference: string;
}

/** All that `status` knows; `status --json` prints it as it is. Times: ms since the Unix epoch; sizes: bytes. */
export interface StatusReport {
  readonly verdict: StatusVerdict;
  readonly scope: Scope;
  readonly instance: string | null;
  /** When all this was asked. */
  readonly at: number;
  /** The unit; null if this scope has none. */
  readonly unit: UnitState | null;
  /** Facts from the gateway itself; null if it doesn't run, or could not be asked. */
  readonly gateway: GatewayFacts | null;
  /** The reason why the gateway could not be asked; null if it was, or it doesn't run. */
  readonly gatewayTrouble: string | null;
  readonly lastStop: LastStop | null;
  /** The log of the store of a unit that runs; null if there is none, or this user may not look. */
  readonly storeLog: StoreLog | null;
  /** The comparison; null if it could not be made. */
  readonly drift: DriftFacts | null;
  /** The newest errors of this invocation in the journal, oldest first. */
  readonly errors: readonly JournalLine[];
  /** Further notes: sources that did not answer, units elsewhere, next steps. */
  readonly notes: readonly string[];
}

/** Judges the unit's state. `hasGateway` is true if somebody answers at the control socket. */
export function verdictOf(
  unit: UnitState | null,
  hasGateway: boolean,
  managerAnswered: boolean,
): StatusVerdict {
  if (unit === null) return hasGateway ? 'foreground' : managerAnswered ? 'not-installed' : 'unknown';
  switch (unit.activeState) {
    case 'active':
    case 'reloading':
      return 'running';
    case 'activating':
      // Between a failure and the restart nothing runs, whatever systemd hopes for.
      return isBetweenStarts(unit.subState) ? 'failed' : 'starting';
    case 'deactivating':
      return 'stopping';
    case 'failed':
      return hasGateway ? 'foreground' : 'failed';
    default:
      return hasGateway ? 'foreground' : 'stopped';
  }
}

/** The exit status for it, as the LSB has it for "status"; 1 is for what has failed. */
export function statusOf(verdict: StatusVerdict): number {
  switch (verdict) {
    case 'running':
    case 'foreground':
      return commandStatus.success;
    case 'failed':
      return commandStatus.failure;
    case 'starting':
    case 'stopping':
    case 'stopped':
      return commandStatus.notRunning;
    case 'not-installed':
    case 'unknown':
      return commandStatus.noUnit;
  }
}

export const silentEnd = 'it ended without a word: killed, aborted, out of memory, or the machine went down';

/** A run that ended without a word. */
export function withoutWord(source: LastStop['source'], invocationId: string | null): LastStop {
  return {
    source,
    at: null,
    cause: null,
    description: silentEnd,
    exitStatus: null,
    job: null,
    drainMicroseconds: null,
    finishedTurns: null,
    putBackTurns: null,
    deadMessages: null,
    invocationId,
  };
}

/** Reads the end of a run from its record; null if it hasn't ended. */
export function lastStopOf(run: RunRecord | undefined, source: 'gateway' | 'store'): LastStop | null {
  if (run === undefined) return null;
  const { stop, invocationId, endUnknown } = run;
  if (stop === null) {
    const ended = withoutWord(source, invocationId);
    return endUnknown === undefined ? ended : { ...ended, description: `not on record: ${endUnknown}` };
  }
  const { at, cause, description, exitStatus, job, drainMicroseconds, finishedTurns } = stop;
  const { putBackTurns, deadMessages = null } = stop;
  return {
    source,
    at,
    cause,
    description,
    exitStatus,
    job,
    drainMicroseconds,
    finishedTurns,
    putBackTurns,
    deadMessages,
    invocationId,
  };
}

/** "Mon 2026-11-23 16:51:24 UTC", as systemd writes a time. `timeZone`: the machine's own by default. */
export function formatTime(milliseconds: number, timeZone?: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
    ...(timeZone === undefined ? {} : { timeZone }),
  }).formatToParts(milliseconds);
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('weekday')} ${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')}:${part('second')} ${part('timeZoneName')}`;
}

/** "7min 3s ago". */
export function formatAgo(milliseconds: number, now: number): string {
  const elapsed = now - milliseconds;
  return elapsed < 1_000 ? 'just now' : `${formatTimeSpan(elapsed)} ago`;
}

/** "67.1M", to the base 1024, as systemd writes a size. */
export function formatSize(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value}B` : `${value.toFixed(1)}${units[unit]}`;
}

/** Breaks the text at blanks into lines of at most so many columns; a longer word has a line of its own. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line === '') line = word;
      else if (line.length + 1 + word.length <= columns) line = `${line} ${word}`;
      else {
        lines.push(line);
        line = word;
      }
    }
    lines.push(line);
  }
  return lines;
}
