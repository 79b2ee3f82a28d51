import type { MessageState } from '../messages.js';

/** A message as far as it may be forgotten. */
export interface OldMessage {
  readonly state: MessageState;
  readonly acceptedAt: number;
  readonly changedAt: number;
  /** True if it is part of another message's turn, with which it is forgotten. */
  readonly isPart: boolean;
  /** True if its turn has not ended yet, as of one that was just cancelled. */
  readonly isUnderWay: boolean;
  readonly isToBeDelivered: boolean;
}

export interface ForgettingRound {
  /** Forgets messages that ended before this time, in milliseconds since the Unix epoch. */
  readonly before: number;
  readonly now: number;
  /** True if the round goes on behind messages that are too young. */
  readonly all: boolean;
}

/**
 * Forgets messages that are older than they have to be kept, oldest first. What waits, runs or has still to be delivered
 * stays whatever its age. What is part of another's turn goes with that one, so that no turn is ever run again without
 * some of its texts.
 *
 * Behind a message that is too young the others are younger, so that the round ends there; but for those that were
 * accepted while a clock was ahead. Those in the future are passed over, and to look behind all others is what `all` is
 * for.
 */
export function decideForgetting(message: OldMessage, round: ForgettingRound): 'end' | 'pass' | 'forget' {
  const { before, now, all } = round;
  const { state, acceptedAt } = message;
  if (!all && acceptedAt >= before && acceptedAt <= now) return 'end';
  if (message.isPart || state === 'queued' || state === 'running') return 'pass';
  if (message.isToBeDelivered || message.changedAt >= before || message.isUnderWay) return 'pass';
  return 'forget';
}
