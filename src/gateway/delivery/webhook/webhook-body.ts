import type { ReplyPart } from '../../../channels/reply-sender.js';
import type { Delivery } from '../../../store/deliveries.js';

/** A webhook is one post, whatever its length. */
export function webhookParts(delivery: Delivery): readonly ReplyPart[] {
  return [{ delivery, number: 1, text: webhookBody(delivery) }];
}

/** The body that is posted; the same at each attempt. */
export function webhookBody(delivery: Delivery): string {
  const { messageId: id, session, seq, metadata, collected, notice } = delivery;
  const others = collected.map((message) => ({ id: message.messageId, seq: message.seq }));
  const message = { id, session, seq, metadata, ...(others.length > 0 && { collected: others }) };
  const [type, data] =
    notice === null
      ? [
          'message.replied',
          { ...message, reply: { text: delivery.replyText, metadata: delivery.replyMetadata } },
        ]
      : ['message.failed', { ...message, error: notice }];
  return JSON.stringify({ type, timestamp: new Date(delivery.repliedAt).toISOString(), data });
}
