import type { ReplySender } from '../../channels/reply-sender.js';
import type { Delivery } from '../../store/deliveries.js';

/** The waits for a channel that does not run, in milliseconds. */
const absentSchedule = [1_000, 5_000, 15_000, 60_000];

/**
 * The sender of a delivery by its target's channel; null for a webhook. `senderOf` gives null for a channel that does not
 * run now: its replies wait.
 */
export function senderByChannel(
  { target: { channel } }: Pick<Delivery, 'target'>,
  senderOf: (channel: string) => ReplySender | null,
): ReplySender | null {
  return channel === 'webhook' ? null : (senderOf(channel) ?? absentSender(channel));
}

function absentSender(channel: string): ReplySender {
  return {
    schedule: absentSchedule,
    destinationOf: () => 'absent',
    partsOf: (delivery) => [{ delivery, number: 1, text: '' }],
    send: async () => ({
      kind: 'retry',
      reason: `the channel ${channel} does not run, or is not configured`,
      retryAfterMilliseconds: null,
      pausesHost: false,
      isRefusal: false,
      peer: 'unasked',
      inDoubt: false,
    }),
    close: async () => undefined,
  };
}
