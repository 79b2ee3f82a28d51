import type { UnknownPolicy } from './messages.js';

export interface UnknownDelivery {
  /** 1 for the first. */
  readonly attempt: number;
  /** True if the receiver takes a reply that comes twice under the same key for one. */
  readonly idempotent: boolean;
  /** The target's own policy (`reply_to.unknown`); null leaves it to the gateway. */
  readonly unknownPolicy: UnknownPolicy | null;
  /** The event that hid the outcome, such as "the gateway went down". */
  readonly cause: string;
}

/**
 * Decides about a delivery in doubt: it began, and nobody knows its outcome. Gives the text for its record, too.
 *
 * @param general `delivery.unknown`, which holds where the target says nothing
 */
export function settleUnknown(
  { attempt, idempotent, unknownPolicy, cause }: UnknownDelivery,
  general: UnknownPolicy,
): { readonly resend: boolean; readonly record: string } {
  const what = `the outcome of attempt ${attempt} is unknown, as ${cause} after it had begun`;
  if (idempotent) return { resend: true, record: `${what}; sent again under the same webhook-id` };
  const policy = unknownPolicy ?? general;
  const decided = `(${unknownSetting(unknownPolicy)} is "${policy}")`;
  switch (policy) {
    case 'resend':
      return { resend: true, record: `${what}; sent again ${decided}` };
    case 'ask':
      return {
        resend: false,
        record: `${what}; set aside for a person to send it again or to discard it ${decided}`,
      };
    case 'drop':
      return { resend: false, record: `${what}; not sent again ${decided}` };
  }
}

/** Where it is said what becomes of such a delivery. */
export function unknownSetting(unknownPolicy: UnknownPolicy | null): string {
  return unknownPolicy === null ? 'delivery.unknown' : 'reply_to.unknown';
}
