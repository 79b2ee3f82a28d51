const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The 16 bytes of a UUID (RFC 9562) in its text form. Throws a TypeError when it is none. */
export function idToBytes(id: string): Buffer {
  if (!uuid.test(id)) throw new TypeError(`The message id "${id}" is not a UUID.`);
  return hexToBytes(id);
}

/** Null when it is none, so that no such message can exist. */
export function idToBytesOrNull(id: string): Buffer | null {
  return uuid.test(id) ? hexToBytes(id) : null;
}

function hexToBytes(id: string): Buffer {
  const hex = id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24);
  return Buffer.from(hex, 'hex');
}

/** The text form of a UUID, in lower case. */
export function idToText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** One message makes one turn, so the turn's id, the same over all attempts, follows from the message's. */
export function turnIdOf(messageId: string): string {
  return `turn_${messageId.replaceAll('-', '')}`;
}

/** The `webhook-id` of a message's reply, in the form that Standard Webhooks suggests. */
export function webhookIdOf(messageId: Buffer): string {
  return `msg_${messageId.toString('hex')}`;
}

/**
 * Of the notice that it is dead: another one, as a reply may still follow when somebody has it tried again. If it is
 * dead once more after that, its receiver must not take the second notice for the first.
 */
export function noticeIdOf(messageId: Buffer, retriedAt: number | null): string {
  return `${webhookIdOf(messageId)}_failed${retriedAt === null ? '' : `_${retriedAt}`}`;
}
