import { hash, timingSafeEqual } from 'node:crypto';
import { Problem } from './problem.js';

/** b64token of RFC 6750, section 2.1: what the header can carry. */
export const bearerToken = /[A-Za-z0-9._~+/-]+=*/;

/** The scheme's name in any case (RFC 9110, section 11.1). */
const credentials = new RegExp(`^bearer +(${bearerToken.source}) *$`, 'i');

/**
 * A check of the `Authorization` header against one token. The digests are compared, in constant time, so that
 * neither the token's bytes nor its length can be measured. It throws the 401 that RFC 6750, section 3 asks for.
 */
export function bearerCheck(token: string): (authorization: string | undefined) => void {
  const expected = digest(token);
  return (authorization) => {
    if (authorization === undefined) {
      throw unauthorized('Send the token as "Authorization: Bearer TOKEN".', 'Bearer realm="sd-gateway"');
    }
    const given = credentials.exec(authorization)?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    throw unauthorized(
      given === undefined
        ? 'The Authorization header is not of the form "Bearer TOKEN".'
        : 'The token is not the one of this gateway.',
      'Bearer realm="sd-gateway", error="invalid_token"',
    );
  };
}

function unauthorized(detail: string, challenge: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } });
}

function digest(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
