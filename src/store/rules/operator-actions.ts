import type { MessageState } from '../messages.js';

/** Cancels, changes, retries and discards: a person asks for them. */

export interface HandledMessage {
  readonly state: MessageState;
  readonly error: string | null;
  readonly changedAt: number;
  readonly hasTarget: boolean;
  readonly isReplied: boolean;
  /** The delivery's state; null if there is none. */
  readonly delivery: 'pending' | 'delivered' | 'dead' | null;
  readonly deliveryError: string | null;
}

/** A message's place in a queue: under way, the head of its session, or neither. */
export type Place = 'held' | 'head' | 'none';

export type CancelDecision =
  | { readonly outcome: 'settled' }
  | {
      readonly outcome: 'cancelled';
      /** False: it was cancelled before. */
      readonly changes: boolean;
      /** Its turn is under way still, and keeps the session until it has ended. */
      readonly running: boolean;
      /** The session goes on with what is next; or has one less that waits. */
      readonly session: 'next' | 'one-less' | 'stay';
    };

/** @param turn its place in the queue of turns */
export function decideCancel({ state }: Pick<HandledMessage, 'state'>, turn: Place): CancelDecision {
  const running = turn === 'held';
  switch (state) {
    case 'queued':
      return {
        outcome: 'cancelled',
        changes: true,
        running,
        session: turn === 'head' ? 'next' : 'one-less',
      };
    case 'running':
    case 'cancelled':
      return { outcome: 'cancelled', changes: state === 'running', running, session: 'stay' };
    default:
      return { outcome: 'settled' };
  }
}

/** True if a channel may still change the text of a message, or, with null as the text, take it back. */
export function mayRevise(
  { state, hasBegun }: { readonly state: MessageState; readonly hasBegun: boolean },
  text: string | null,
): boolean {
  // An agent may have acted on the text that it was given.
  return state === 'queued' && (text === null || !hasBegun);
}

export type RetryDecision =
  | { readonly outcome: 'not-dead' }
  | { readonly outcome: 'busy' }
  /** Its turn is run again, as the next one of its session. Its notice, if it has one, is withdrawn. */
  | { readonly outcome: 'done'; readonly again: 'turn' }
  /** Its reply is sent again under the same key: by its delivery, by a new one, or there is nowhere to send it. */
  | { readonly outcome: 'done'; readonly again: 'reply'; readonly delivery: 'again' | 'new' | 'none' };

/**
 * A dead message goes on where it ended.
 *
 * @param delivery the place of its delivery in the queue of deliveries
 */
export function decideRetry(message: HandledMessage, delivery: Place): RetryDecision {
  if (message.state !== 'dead') return { outcome: 'not-dead' };
  if (message.isReplied) {
    // A store that was recovered may have a reply without its delivery; in the queue it would hold up all behind it.
    const by = message.delivery !== null ? 'again' : message.hasTarget ? 'new' : 'none';
    return { outcome: 'done', again: 'reply', delivery: by };
  }
  // It gets another chance, so its sender is not told that it is dead, unless that was done or is being done.
  return delivery === 'held' ? { outcome: 'busy' } : { outcome: 'done', again: 'turn' };
}

export type DiscardDecision =
  | { readonly outcome: 'not-dead' }
  | { readonly outcome: 'busy' }
  | {
      readonly outcome: 'done';
      /** The change of the message; null if it was discarded or cancelled before. */
      readonly message: { readonly error: string | null; readonly changedAt: number | null } | null;
      /** A reply that waits to be posted is given up; a notice that waits has one more attempt at most, and that at once. */
      readonly delivery: 'give-up' | 'hurry' | 'stay';
    };

/**
 * A message that is dead, or whose reply waits to be posted, ends as cancelled. Twice is the same as once.
 *
 * @param delivery the place of its delivery in the queue of deliveries
 */
export function decideDiscard(message: HandledMessage, delivery: Place): DiscardDecision {
  const { state, error, changedAt } = message;
  if (state === 'cancelled') return { outcome: 'done', message: null, delivery: 'stay' };
  if (state === 'dead') {
    // It tells the reason and the time, and has one body over all its attempts: both stay while it may be posted.
    const isTold = message.delivery === 'pending';
    const record = isTold
      ? { error, changedAt }
      : { error: `Discarded when it was dead: ${error ?? 'no reason is known'}`, changedAt: null };
    return { outcome: 'done', message: record, delivery: 'hurry' };
  }
  if (state !== 'replied' || message.delivery !== 'pending') return { outcome: 'not-dead' };
  if (delivery === 'held') return { outcome: 'busy' };
  const { deliveryError } = message;
  const reason = `Discarded before its reply was delivered${deliveryError === null ? '.' : `: ${deliveryError}`}`;
  return { outcome: 'done', message: { error: reason, changedAt: null }, delivery: 'give-up' };
}
