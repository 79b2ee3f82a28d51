import { formatTimeSpan } from '../text/time-span.js';
import type { StopRequest } from './stop-cause.js';
import { describeStop } from './stop-cause.js';

/** The gateway's work, as the status line counts it. */
export interface WorkFacts {
  readonly sessions: number;
  readonly running: number;
  readonly waiting: number;
  readonly delivered: number;
  readonly failed: number;
  /** Replies that still have to be posted. */
  readonly undelivered: number;
}

/** The facts of the status line; times in milliseconds. */
export type StatusFacts =
  /** `step`: the step of the start, such as "opening the store". */
  | { readonly state: 'starting'; readonly step: string }
  | {
      readonly state: 'ready';
      readonly readyFor: number;
      readonly work: WorkFacts;
      /** Parts that make no progress: the watchdog isn't fed while there is one. */
      readonly stalled: readonly string[];
      /** Why new messages are refused, such as a full disk. */
      readonly trouble: string | null;
      /** The bound of connections if it is reached; null while there is room. */
      readonly connectionsAtBound: number | null;
      readonly reloadRefused: string | null;
    }
  | { readonly state: 'reloading' }
  | {
      readonly state: 'draining';
      readonly stop: StopRequest;
      readonly running: number;
      readonly sending: number;
      readonly elapsed: number;
      readonly limit: number;
    }
  | { readonly state: 'closing'; readonly stop: StopRequest }
  | {
      readonly state: 'stopped';
      readonly stop: StopRequest;
      readonly elapsed: number;
      readonly putBack: number;
      readonly dead: number;
    }
  | { readonly state: 'failed'; readonly reason: string };

function count(number: number, singular: string): string {
  return `${number} ${number === 1 ? singular : `${singular}s`}`;
}

/**
 * The time since the gateway was ready, in steps that grow: none in the first minute, then minutes, hours, days. So the
 * passing of time alone seldom changes the line.
 */
function readyFor(milliseconds: number): string {
  if (milliseconds < 60_000) return 'Ready';
  if (milliseconds < 3_600_000) return `Ready for ${Math.floor(milliseconds / 60_000)}min`;
  if (milliseconds < 86_400_000) return `Ready for ${Math.floor(milliseconds / 3_600_000)}h`;
  return `Ready for ${Math.floor(milliseconds / 86_400_000)}d`;
}

function workLine(work: WorkFacts): string {
  const parts = [
    count(work.sessions, 'session'),
    `${work.running} running`,
    `${work.waiting} waiting`,
    `${work.delivered} answered`,
    `${work.failed} failed`,
  ];
  if (work.undelivered > 0) parts.push(`${work.undelivered} to deliver`);
  return parts.join(', ');
}

/** The line for `STATUS=` (sd_notify(3)): what an operator asks first. */
export function statusLine(facts: StatusFacts): string {
  switch (facts.state) {
    case 'starting':
      return `Starting: ${facts.step}`;
    case 'ready': {
      const notes = [
        ...(facts.stalled.length > 0 ? [`no progress in: ${facts.stalled.join(', ')}`] : []),
        ...(facts.trouble === null ? [] : [facts.trouble]),
        ...(facts.connectionsAtBound === null
          ? []
          : [`connections are at their bound of ${facts.connectionsAtBound}`]),
        ...(facts.reloadRefused === null ? [] : [`reload refused: ${facts.reloadRefused}`]),
      ];
      return [`${readyFor(facts.readyFor)}: ${workLine(facts.work)}`, ...notes].join('; ');
    }
    case 'reloading':
      return 'Reloading the configuration';
    case 'draining': {
      const waitsFor = [
        ...(facts.running > 0 ? [count(facts.running, 'running turn')] : []),
        ...(facts.sending > 0 ? [count(facts.sending, 'delivery').replace('deliverys', 'deliveries')] : []),
      ];
      const waiting =
        waitsFor.length === 0 ? 'nothing left to wait for' : `waiting for ${waitsFor.join(' and ')}`;
      return `Stopping (${describeStop(facts.stop)}): ${waiting}, ${formatTimeSpan(facts.elapsed)} of ${formatTimeSpan(facts.limit)}`;
    }
    case 'closing':
      return `Stopping (${describeStop(facts.stop)}): closing the store`;
    case 'stopped': {
      const left = [
        ...(facts.putBack === 0 ? [] : [`${count(facts.putBack, 'turn')} put back`]),
        ...(facts.dead === 0 ? [] : [`${count(facts.dead, 'message')} dead`]),
      ];
      const leftOver = left.length === 0 ? 'nothing was left over' : left.join(', ');
      return `Stopped (${describeStop(facts.stop)}) in ${formatTimeSpan(facts.elapsed)}; ${leftOver}`;
    }
    case 'failed':
      return `Failed: ${facts.reason}`;
  }
}

/** The least time between two updates of `STATUS=`, in milliseconds. */
export const statusIntervalMs = 1_000;

export interface SentStatus {
  readonly text: string;
  readonly at: number;
}

/**
 * Decides when a status text is sent: at most one a second, and none if nothing has changed.
 * @returns milliseconds to wait, 0 for now, null for never
 */
export function statusDueIn(last: SentStatus | null, text: string, now: number): number | null {
  if (last === null) return 0;
  if (last.text === text) return null;
  return Math.max(0, last.at + statusIntervalMs - now);
}
