import { hash } from 'node:crypto';
import type { JsonValue } from '../../store/store.js';
import type { MessageBody } from './request-schema.js';

/**
 * SHA-256 of what an idempotency key stands for: the session and the body's content, so that neither the order of
 * members nor white space makes another message of it. Metadata left out and empty are the same.
 */
export function fingerprint(session: string, body: MessageBody): Uint8Array {
  const content: JsonValue[] = [session, body.text, body.reply_to?.url ?? null, body.metadata ?? {}];
  // Only where it says other than when it is left out: the fingerprints that are stored stay as they are.
  const { idempotent, unknown } = body.reply_to ?? {};
  if (idempotent === false) content.push({ idempotent, ...(unknown !== undefined && { unknown }) });
  if (body.sender !== undefined) content.push({ sender: body.sender });
  return hash('sha256', JSON.stringify(sorted(content)), 'buffer');
}

function sorted(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
