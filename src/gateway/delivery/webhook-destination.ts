import type { Delivery } from '../../store/store.js';

/** The origin of the reply URL (RFC 6454): what is posted to one scheme, name and port shares its fate. */
export function destinationOf({ url }: Pick<Delivery, 'url'>): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}
