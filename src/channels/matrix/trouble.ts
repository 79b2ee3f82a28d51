import { type ChannelTrouble, passing, type TroubleWords } from '../trouble.js';
import type { MatrixFailure, MatrixRefusal } from './matrix-api.js';

/** Says what keeps the channel from hearing its account, and what to do: pure functions. */

export type MatrixTrouble = ChannelTrouble<'token' | 'account' | 'homeserver'>;

const toLogIn = 'docs/channels/matrix.md says how to log in';

/** Judges a call that has failed. */
export function troubleOf(end: MatrixFailure, words: TroubleWords): MatrixTrouble {
  switch (end.kind) {
    case 'aborted':
      return passing('the call was cut off');
    case 'failed':
      return passing(`the homeserver was not reached: ${end.reason}`);
    case 'refused':
      return troubleOfRefusal(end, words);
  }
}

/** A domain is no homeserver, and names one. */
export function elsewhere(baseUrl: string, { name }: Pick<TroubleWords, 'name'>): MatrixTrouble {
  return {
    kind: 'homeserver',
    reason: `channels.${name}.homeserver is no homeserver. Its .well-known/matrix/client names ${baseUrl}: set that, and reload`,
    retryAfterMs: null,
  };
}

function troubleOfRefusal(end: MatrixRefusal, { name, tokenPlace }: TroubleWords): MatrixTrouble {
  const { status, code, description, retryAfterMs, isSoftLogout } = end;
  const told = `${code}: ${description}`;
  if (code === 'M_USER_LOCKED' || code === 'M_USER_DEACTIVATED' || code === 'M_USER_SUSPENDED') {
    return {
      kind: 'account',
      reason: `the homeserver has closed the account (${told}): ask its operator, or take another account`,
      retryAfterMs,
    };
  }
  if (code === 'M_UNKNOWN_TOKEN' && isSoftLogout) {
    return {
      kind: 'token',
      reason: `the homeserver wants a new login of the same device (${told}): log in again with its device_id, and put the new access token into ${tokenPlace}; it is read again at each try. ${toLogIn}`,
      retryAfterMs,
    };
  }
  if (code === 'M_UNKNOWN_TOKEN' || code === 'M_MISSING_TOKEN' || status === 401) {
    return {
      kind: 'token',
      reason: `the homeserver does not know the access token (${told}): the session was logged out, or channels.${name}.homeserver is another one. Log in again, and put the new token into ${tokenPlace}; it is read again at each try. ${toLogIn}`,
      retryAfterMs,
    };
  }
  if (code === 'M_UNRECOGNIZED' || (status === 404 && code === 'M_NOT_FOUND')) {
    return {
      kind: 'homeserver',
      reason: `channels.${name}.homeserver does not know what every homeserver knows (${told}): it must be the URL below which /_matrix/client is`,
      retryAfterMs,
    };
  }
  if (status === 429)
    return { kind: 'limit', reason: `the homeserver asks for time (${told})`, retryAfterMs };
  return passing(`the homeserver answered ${status}: ${told}`);
}
