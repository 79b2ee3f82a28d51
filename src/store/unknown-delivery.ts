import type { UnknownPolicy } from './store.js';

export interface UnknownDelivery {
  /** 1 for the first. */
  readonly attempt: number;
  /** Whether the receiver takes a reply that comes twice under the same key for one. */
  readonly idempotent: boolean;
  /** What swallowed the outcome, such as "the gateway went down". */
  readonly cause: string;
}

/** What becomes of a delivery that began and whose outcome nobody knows, and what its record says of that. */
export function settleUnknown(
  { attempt, idempotent, cause }: UnknownDelivery,
  policy: UnknownPolicy,
): { readonly resend: boolean; readonly record: string } {
  const what = `the outcome of attempt ${attempt} is unknown, as ${cause} after it had begun`;
  if (idempotent) return { resend: true, record: `${what}; sent again under the same webhook-id` };
  switch (policy) {
    case 'resend':
      return { resend: true, record: `${what}; sent again (delivery.unknown is "resend")` };
    case 'ask':
      return {
        resend: false,
        record: `${what}; set aside for a person to send it again or to discard it (delivery.unknown is "ask")`,
      };
    case 'drop':
      return { resend: false, record: `${what}; not sent again (delivery.unknown is "drop")` };
  }
}
