/** Ids that follow from a message's: the same wherever it is kept. */

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** True for a UUID (RFC 9562) in its text form. */
export function isMessageId(id: string): boolean {
  return uuid.test(id);
}

/** One message makes one turn, so the turn's id, the same over all attempts, follows from the message's. */
export function turnIdOf(messageId: string): string {
  return `turn_${messageId.replaceAll('-', '')}`;
}

/** The `webhook-id` of a message's reply, in the form that Standard Webhooks suggests. */
export function webhookIdOf(messageId: string): string {
  return `msg_${messageId.replaceAll('-', '')}`;
}

/**
 * The `webhook-id` of the notice that a message is dead. It differs from the reply's, which may still follow when
 * somebody has the message tried again. A second notice after that has another id than the first.
 */
export function noticeIdOf(messageId: string, retriedAt: number | null): string {
  return `${webhookIdOf(messageId)}_failed${retriedAt === null ? '' : `_${retriedAt}`}`;
}
