import { type DeliveryFailure, settleUnknown } from '../deliveries.js';
import type { MessageState, UnknownPolicy } from '../messages.js';
import type { SessionMove } from './ready-queue.js';

/** A delivery under way, as the store has it. */
export interface EndingDelivery {
  readonly attempts: number;
  /** The target's. */
  readonly channel: string;
  /** True if it tells that the message is dead. */
  readonly isNotice: boolean;
  /** Its message's state. */
  readonly state: MessageState;
  /** False: its receiver would take a second one for another reply. */
  readonly idempotent: boolean;
  readonly unknownPolicy: UnknownPolicy | null;
  /** True if its first byte was sent, or may have been. */
  readonly hasBegun: boolean;
}

export type DeliveryEnd =
  | { readonly by: 'receipt' }
  | { readonly by: 'failure'; readonly failure: DeliveryFailure }
  /** A planned stop cut it off. `unknownOutcome`: for the record, where the reply may have arrived. */
  | { readonly by: 'stop'; readonly unknownOutcome: string | null }
  /** Its owner is gone. */
  | { readonly by: 'crash' };

export interface DeliveryChange {
  readonly delivery: {
    readonly state: 'pending' | 'delivered' | 'dead';
    /** The error; null for none. With null a pending delivery keeps the error before. */
    readonly error: string | null;
    /** The attempt does not count. */
    readonly uncounted: boolean;
    /** Nobody knows whether it arrived. */
    readonly unknown: boolean;
  };
  /** The change of the message; null if it stays as it is. */
  readonly message: { readonly state: 'delivered' | 'dead'; readonly error: string | null } | null;
  readonly session: SessionMove;
}

/** Decides what a delivery's end changes. `general` is `delivery.unknown`: it holds if the reply's target says nothing. */
export function decideDeliveryEnd(
  delivery: EndingDelivery,
  end: DeliveryEnd,
  general: UnknownPolicy,
): DeliveryChange {
  switch (end.by) {
    case 'receipt':
      return {
        delivery: { state: 'delivered', error: null, uncounted: false, unknown: false },
        // The message that a notice tells of is dead already, and for its own reason.
        message: delivery.isNotice ? null : { state: 'delivered', error: null },
        session: { to: 'next' },
      };
    case 'failure':
      return fails(delivery, end.failure);
    case 'stop':
      return {
        delivery: {
          state: 'pending',
          error: end.unknownOutcome,
          uncounted: true,
          unknown: end.unknownOutcome !== null,
        },
        message: null,
        session: { to: 'front' },
      };
    case 'crash':
      return crashes(delivery, general);
  }
}

function fails(delivery: EndingDelivery, failure: DeliveryFailure): DeliveryChange {
  const { error, retryInMs, attempted, unknown } = failure;
  const outcome = { uncounted: !attempted, unknown };
  // The notice of a message that somebody has discarded is not tried again.
  if (retryInMs === null || delivery.state === 'cancelled') {
    return dies(delivery, error ?? 'it was given up', outcome);
  }
  return {
    delivery: { state: 'pending', error, ...outcome },
    message: null,
    session: { to: 'wait', delayMs: retryInMs },
  };
}

/** An attempt that had begun counts, as it may have reached the receiver; one that was only claimed does not. */
function crashes(delivery: EndingDelivery, general: UnknownPolicy): DeliveryChange {
  const { attempts, channel, idempotent, unknownPolicy, hasBegun } = delivery;
  const again = (error: string | null): DeliveryChange => ({
    delivery: { state: 'pending', error, uncounted: error === null, unknown: error !== null },
    message: null,
    session: { to: 'front' },
  });
  if (!hasBegun && !idempotent) return again(null);
  const cause = 'the gateway went down';
  const inDoubt = { channel, attempt: attempts, idempotent, unknownPolicy, cause };
  const { resend, record } = settleUnknown(inDoubt, general);
  return resend ? again(record) : dies(delivery, record, { uncounted: false, unknown: true });
}

function dies(
  delivery: EndingDelivery,
  error: string,
  outcome: { readonly uncounted: boolean; readonly unknown: boolean },
): DeliveryChange {
  return {
    delivery: { state: 'dead', error, ...outcome },
    message: delivery.isNotice
      ? null
      : { state: 'dead', error: `The reply could not be delivered: ${error}` },
    session: { to: 'next' },
  };
}
