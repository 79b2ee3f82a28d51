import type { UnknownPolicy } from './messages.js';

export interface UnknownDelivery {
  /** 1 for the first. */
  readonly attempt: number;
  /** Whether the receiver takes a reply that comes twice under the same key for one. */
  readonly idempotent: boolean;
  /** What the reply's own target says (`reply_to.unknown`); null: it leaves it to the gateway. */
  readonly unknownPolicy: UnknownPolicy | null;
  /** What swallowed the outcome, such as "the gateway went down". */
  readonly cause: string;
}

/**
 * What becomes of a delivery that began and whose outcome nobody knows, and what its record says of that.
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
