import type { Delivery } from '../../../store/store.js';

/** The origin of the reply URL (RFC 6454): what is posted to one scheme, name and port shares its fate. */
export function destinationOf({ target }: Pick<Delivery, 'target'>): string {
  const { address } = target;
  return URL.canParse(address) ? new URL(address).origin : address;
}
