import type { MessageState } from '../messages.js';
import type { StorePolicy } from '../open-store.js';
import type { SessionMove } from './ready-queue.js';

/**
 * A turn that was under way at `dispatch.max_attempts` crashes may be what brings the gateway down, or may have been
 * beside it each time. It is run once more by itself: what happens then is its own doing. Attempts that failed are no
 * sign of that: while an agent is down all turns have them, and would run one by one.
 */
export function isPoisonSuspect(crashes: number, maxAttempts: number): boolean {
  return crashes >= maxAttempts;
}

/** Turns under way. */
export interface HeldTurns {
  /** Running turns, without those of cancelled messages. */
  readonly running: number;
  /** The most crashes that any of them was under way at before, those of cancelled messages included. */
  readonly mostCrashes: number;
}

/** True if a turn runs beside which no other may begin, also while it ends after it was cancelled. */
export function poisonSuspectRuns({ running, mostCrashes }: HeldTurns, maxAttempts: number): boolean {
  return running <= 1 && isPoisonSuspect(mostCrashes, maxAttempts);
}

/**
 * Counts the ready turns that may begin, from the first on. The first suspect ends the count: it waits until nothing else
 * runs, and then begins alone.
 *
 * @param crashes of each turn that is ready, in their order
 * @param anyHeld true if a turn is under way
 */
export function mayBegin(crashes: readonly number[], anyHeld: boolean, maxAttempts: number): number {
  const first = crashes.findIndex((count) => isPoisonSuspect(count, maxAttempts));
  if (first === -1) return crashes.length;
  return first === 0 && !anyHeld ? 1 : first;
}

/** A turn under way, as the store has it. */
export interface EndingTurn {
  /** "running", or "cancelled" while it ran. */
  readonly state: MessageState;
  readonly error: string | null;
  readonly attempts: number;
  /** Crashes that it was under way at before. */
  readonly crashes: number;
  /** True if its sender gave an address for the reply. */
  readonly hasTarget: boolean;
}

export type TurnEnd =
  | { readonly by: 'reply' }
  /** `retryInMs` null: it is not tried again. */
  | { readonly by: 'failure'; readonly error: string; readonly retryInMs: number | null }
  /**
   * A planned stop, or a turn whose agent could not be started. `cutOff`: while it ran. `retryInMs` null: it is first in
   * the queue at once.
   */
  | { readonly by: 'stop'; readonly cutOff: boolean; readonly retryInMs: number | null }
  /** The agent has ended it because the message was cancelled. */
  | { readonly by: 'release' }
  /**
   * Its owner is gone. `alone`: no other turn was under way. `isOwnFault`: the gateway ended by itself, so that the turn
   * may be what ended it; it was not killed from outside. `retryInMs` null, the default: it is first in the
   * queue at once.
   */
  | {
      readonly by: 'crash';
      readonly alone: boolean;
      readonly isOwnFault: boolean;
      readonly retryInMs?: number | null;
    };

export interface TurnChange {
  /** True if the end is what it was said to be; of a cancelled message only a release is. */
  readonly isTaken: boolean;
  /** The change of the message; null if it stays as it is. */
  readonly message: TurnMessageChange | null;
  readonly session: SessionMove;
  /** The delivery that it leaves. */
  readonly delivery: 'reply' | 'notice' | null;
}

export interface TurnMessageChange {
  readonly state: 'queued' | 'replied' | 'dead';
  readonly error: string | null;
  /** The attempt does not count. */
  readonly uncounted: boolean;
  readonly crashed: boolean;
  /** A stop cut it off. */
  readonly putBack: boolean;
}

/** Decides what a turn's end changes. */
export function decideTurnEnd(turn: EndingTurn, end: TurnEnd, policy: StorePolicy): TurnChange {
  if (turn.state === 'cancelled') {
    return { isTaken: end.by === 'release', message: null, session: { to: 'next' }, delivery: null };
  }
  const { error } = turn;
  switch (end.by) {
    case 'reply':
      return {
        ...goesOn('replied', null),
        delivery: turn.hasTarget ? 'reply' : null,
      };
    case 'failure':
      if (end.retryInMs === null) return dies(turn, end.error, false, policy);
      return {
        ...goesOn('queued', end.error),
        session: { to: 'wait', delayMs: end.retryInMs },
      };
    case 'stop':
      return {
        isTaken: true,
        message: { state: 'queued', error, uncounted: true, crashed: false, putBack: end.cutOff },
        session: frontOrWait(end.retryInMs),
        delivery: null,
      };
    case 'release':
      return { isTaken: false, message: null, session: { to: 'stay' }, delivery: null };
    case 'crash': {
      const { isOwnFault } = end;
      const why = whyNotAgain(turn.crashes + 1, end.alone && isOwnFault, policy);
      if (why !== null) {
        const reason = `Set aside after attempt ${turn.attempts}: the gateway that ran it went down, and ${why}.`;
        return dies(turn, reason, isOwnFault, policy);
      }
      return {
        isTaken: true,
        message: { state: 'queued', error, uncounted: !isOwnFault, crashed: isOwnFault, putBack: false },
        session: frontOrWait(end.retryInMs ?? null),
        delivery: null,
      };
    }
  }
}

function frontOrWait(delayMs: number | null): SessionMove {
  return delayMs === null ? { to: 'front' } : { to: 'wait', delayMs };
}

function goesOn(state: TurnMessageChange['state'], error: string | null): TurnChange {
  return {
    isTaken: true,
    message: { state, error, uncounted: false, crashed: false, putBack: false },
    session: { to: 'next' },
    delivery: null,
  };
}

function dies(turn: EndingTurn, error: string, crashed: boolean, { notices }: StorePolicy): TurnChange {
  return {
    isTaken: true,
    message: { state: 'dead', error, uncounted: false, crashed, putBack: false },
    session: { to: 'next' },
    delivery: turn.hasTarget && notices ? 'notice' : null,
  };
}

/**
 * One that must not be repeated is set aside, and so is one that had its last crash and ran alone, so that a message that
 * brings the gateway down can't do so for ever.
 *
 * @param crashes that it was under way at, this one among them
 */
function whyNotAgain(
  crashes: number,
  alone: boolean,
  { repeatable, maxAttempts }: StorePolicy,
): string | null {
  if (!repeatable) return 'agent.retry is "never"';
  if (!alone || !isPoisonSuspect(crashes, maxAttempts)) return null;
  return `nothing else ran beside it; that was crash ${crashes} with its turn under way, and dispatch.max_attempts is ${maxAttempts}`;
}
