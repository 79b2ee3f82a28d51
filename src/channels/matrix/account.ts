import type { CallOptions } from '../platform-http.js';
import { wellKnownSchema, whoamiSchema } from './event-schema.js';
import { clientPath, type MatrixApi, type MatrixFailure } from './matrix-api.js';

/** The account that a token is of, or the reason why nobody knows it. */
export type AccountEnd =
  | { readonly kind: 'ok'; readonly userId: string }
  /** It is no homeserver; its domain names one. */
  | { readonly kind: 'elsewhere'; readonly baseUrl: string }
  | { readonly kind: 'nobody' }
  | MatrixFailure;

/** Asks whose token it is. */
export async function askAccount(
  api: MatrixApi,
  homeserver: string,
  options: CallOptions,
): Promise<AccountEnd> {
  const end = await api.call({ method: 'GET', path: clientPath('account', 'whoami') }, options);
  const account = whoamiSchema.safeParse(end.kind === 'ok' ? end.result : undefined);
  if (account.success) return { kind: 'ok', userId: account.data.user_id };
  if (end.kind === 'refused' && end.status !== 404) return end;
  // The most common mistake is a domain in the place of its homeserver.
  const known = await api.wellKnown(options);
  const named = wellKnownSchema.safeParse(known.kind === 'ok' ? known.result : undefined).data;
  const baseUrl = named?.['m.homeserver'].base_url.replace(/\/+$/, '');
  if (baseUrl !== undefined && baseUrl !== homeserver.replace(/\/+$/, ''))
    return { kind: 'elsewhere', baseUrl };
  return end.kind === 'ok' ? { kind: 'nobody' } : end;
}
