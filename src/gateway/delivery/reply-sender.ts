import type { Delivery } from '../../store/store.js';
import type { RetrySchedule } from './schedule.js';

/** The state of a destination after an attempt: it answers, it fails, or it was never asked. */
export type PeerState = 'well' | 'failing' | 'unasked';

/** The end of one attempt. */
export type SendOutcome =
  | { readonly kind: 'delivered' }
  | {
      /** Another attempt may end otherwise. */
      readonly kind: 'retry';
      readonly reason: string;
      /** The time that the receiver asks for, in milliseconds; null if it doesn't ask. */
      readonly retryAfterMilliseconds: number | null;
      /** True if that time holds for everything that goes to the destination: it is overloaded, or takes no more now. */
      readonly pausesHost: boolean;
      /**
       * True if this reply is refused, and only a passing trouble can be why: a proxy that answers for its receiver, or a
       * name server that is restarted. It is tried again for `refusalLimitMs`.
       */
      readonly isRefusal: boolean;
      readonly peer: PeerState;
      /** True if the reply may have arrived: bytes went out, and no answer came. */
      readonly inDoubt: boolean;
    }
  /** No further attempt can end otherwise. */
  | { readonly kind: 'dead'; readonly reason: string; readonly peer: PeerState }
  /** The signal was aborted before the receiver answered; `inDoubt` is true if it may have the reply. */
  | { readonly kind: 'aborted'; readonly inDoubt: boolean };

/**
 * The way of replies to one kind of address. Claims, order, retries, circuits and limits stay outside of it: it makes
 * one attempt when it is told to, and says how that ended.
 */
export interface ReplySender {
  /** The waits between attempts that fit this kind of address; `delivery.retry_delay` has its own in their place. */
  readonly schedule: RetrySchedule;
  /**
   * Names what shares a circuit, a hold and a limit of attempts with this delivery, such as a host or a chat. Operators
   * see the name, so it holds nothing secret.
   */
  destinationOf(delivery: Delivery): string;
  /** Makes one attempt. It never rejects. */
  send(delivery: Delivery, signal: AbortSignal): Promise<SendOutcome>;
  /** Ends all connections. */
  close(): Promise<void>;
}
