import { attemptsAfterRefusal } from './invariants/attempts.js';
import { type ChannelSummary, summedUp } from './invariants/channels.js';
import { isSetAside } from './invariants/ends.js';
import { violationsOf } from './invariants.js';
import { kindOf } from './kinds.js';
import type { Record as CrashRecord } from './record.js';

export interface CrashReport {
  readonly seed: number;
  readonly seconds: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Messages that were accepted. */
  readonly messages: number;
  readonly delivered: number;
  /** By clients, one by one or a whole session. */
  readonly cancelled: number;
  /** Messages that became part of the turn of another. */
  readonly collected: number;
  /** Messages that were cancelled as another came, and those of them whose turn had begun. */
  readonly interrupted: number;
  readonly interruptedTurns: number;
  /** Messages whose receiver does not go by the key, and of whose reply nobody knows whether it arrived. */
  readonly setAside: number;
  /** Replies that were posted again to such a receiver as it had refused them. */
  readonly postedAfterRefusal: number;
  /** Posts that clients repeated under the same key, and that had been accepted before. */
  readonly repeatedPosts: number;
  /** Why what clients asked for was not answered at first. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Turns that were begun again. */
  readonly resumedTurns: number;
  /** Replies that came again under their key. */
  readonly duplicates: number;
  /** From the end of the gateway to its next READY=1, in milliseconds. */
  readonly recovery: {
    readonly count: number;
    readonly median: number;
    readonly p99: number;
    readonly most: number;
  };
  /** Answers of agents behind HTTP that were no good ones. */
  readonly misbehaved: number;
  /** Most memory of a gateway above what a start takes, in MiB. */
  readonly memory: number;
  /** Messages by channels. */
  readonly channels: ReadonlyMap<string, ChannelSummary>;
  readonly violations: readonly string[];
}

/** Observations of the tester itself. */
export interface Course {
  readonly seed: number;
  readonly seconds: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly recoveries: readonly number[];
  readonly memory: number;
  readonly misbehaved: number;
}

/** Observations of the clients, besides what goes into the record. */
export interface LoadReport extends Pick<CrashRecord, 'accepted' | 'cancels'> {
  readonly repeated: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly mistakes: readonly string[];
}

/** Reports a run that came to its end. */
export function reportOf(course: Course, posted: LoadReport, record: CrashRecord): CrashReport {
  const { stored, turns, received } = record;
  const begun = turns.filter(({ kind }) => kind === 'begin').map(({ message }) => message);
  const begunOnce = new Set(begun);
  const inState = (wanted: string) => stored.filter(({ state }) => state === wanted);
  const cancelled = inState('cancelled');
  const interrupted = cancelled.filter(({ session }) => kindOf(session) === 'interrupt');
  return {
    ...withoutRecord(course, [...posted.mistakes, ...violationsOf(record)]),
    messages: Object.values(posted.accepted).reduce((sum, count) => sum + count, 0),
    delivered: inState('delivered').length,
    cancelled: cancelled.length - interrupted.length,
    collected: inState('collected').length,
    interrupted: interrupted.length,
    interruptedTurns: interrupted.filter(({ id }) => begunOnce.has(id)).length,
    setAside: stored.filter(isSetAside).length,
    postedAfterRefusal: attemptsAfterRefusal(record),
    repeatedPosts: posted.repeated,
    refusals: posted.refusals,
    resumedTurns: begun.length - begunOnce.size,
    channels: summedUp(record),
    duplicates: received.length - new Set(received.map(({ key }) => key)).size,
  };
}

/** Reports a run that could not go on. */
export function withoutRecord(course: Course, violations: readonly string[]): CrashReport {
  const { seed, seconds, faults, memory, misbehaved } = course;
  const recoveries = course.recoveries.toSorted((a, b) => a - b);
  const at = (part: number) => recoveries[Math.floor((recoveries.length - 1) * part)] ?? 0;
  return {
    seed,
    seconds,
    faults,
    messages: 0,
    delivered: 0,
    cancelled: 0,
    collected: 0,
    interrupted: 0,
    interruptedTurns: 0,
    setAside: 0,
    postedAfterRefusal: 0,
    repeatedPosts: 0,
    refusals: {},
    resumedTurns: 0,
    duplicates: 0,
    recovery: { count: recoveries.length, median: at(0.5), p99: at(0.99), most: at(1) },
    memory,
    misbehaved,
    channels: new Map(),
    violations,
  };
}

/** The report as a table. */
export function describeReport(report: CrashReport): string {
  const total = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  const { median, p99, most, count } = report.recovery;
  const rows: readonly (readonly [string, string | number])[] = [
    ['seed', report.seed],
    ['faults', `${total} in ${report.seconds.toFixed(0)} s`],
    ...Object.entries(report.faults).map(([name, times]) => [`  ${name}`, times] as const),
    ['messages accepted', report.messages],
    ['  delivered', report.delivered],
    ['  cancelled by clients', report.cancelled],
    ['  interrupted; in the middle of their turn', `${report.interrupted}; ${report.interruptedTurns}`],
    ['  collected into the turn of another', report.collected],
    ['  set aside or dropped, delivery unknown', report.setAside],
    ['posts repeated by clients, accepted before', report.repeatedPosts],
    ['refused or cut off at first', JSON.stringify(report.refusals)],
    ...[...report.channels].map(
      ([name, { messages, inDoubt, doubled, setAside }]) =>
        [
          `by the channel ${name}`,
          `${messages}; sends in doubt ${inDoubt}, replies doubled ${doubled}, set aside or dropped ${setAside}`,
        ] as const,
    ),
    ['turns run again', report.resumedTurns],
    ['answers of agents behind HTTP, no good ones', report.misbehaved],
    ['replies received again under their key', report.duplicates],
    ['  posted again as they had been refused', report.postedAfterRefusal],
    [
      'end of the gateway to READY=1',
      `median ${median.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, most ${most.toFixed(0)} ms (${count})`,
    ],
    ['most memory above that of a start', `${report.memory.toFixed(0)} MiB`],
    ['violations', report.violations.length === 0 ? 'none' : report.violations.slice(0, 20).join('\n  ')],
  ];
  return rows.map(([name, value]) => `${name.padEnd(44)} ${value}`).join('\n');
}
