import { metadataMistake } from '../store/messages.js';

/** Levels of a reply's metadata, as of a message's (docs/http.md). */
const metadataDepth = 16;
const metadataLimitBytes = 16 * 1_024;

/** Says why an agent's value, of JSON.parse, can't be the metadata of its reply; null: it can. Ends at the first mistake. */
export function replyMetadataMistake(value: unknown): string | null {
  const mistake = metadataMistake(value, metadataDepth);
  if (mistake !== null) return mistake;
  const sizeBytes = Buffer.byteLength(JSON.stringify(value));
  return sizeBytes > metadataLimitBytes ? `must not be larger than ${metadataLimitBytes} bytes` : null;
}
