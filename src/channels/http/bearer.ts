import { timingSafeEqual } from 'node:crypto';
import { secretTokenDigest } from '../../text/secret-token.js';
import { Problem } from './problem.js';
import type { Caller } from './route-scopes.js';
import type { NamedTokens } from './tokens.js';

/** b64token of RFC 6750, section 2.1: what the header can carry. */
export const bearerToken = /[A-Za-z0-9._~+/-]+=*/;

/** The scheme's name in any case (RFC 9110, section 11.1). */
const credentials = new RegExp(`^bearer +(${bearerToken.source}) *$`, 'i');

/** Tells who sends a request. */
export class BearerCheck {
  readonly #operator: Buffer;
  readonly #named: Pick<NamedTokens, 'find'>;

  /** @param operatorToken may do all */
  constructor(operatorToken: string, named: Pick<NamedTokens, 'find'>) {
    this.#operator = secretTokenDigest(operatorToken);
    this.#named = named;
  }

  /**
   * Tells who has sent the `Authorization` header: at once if it is the operator. The digests are compared, in constant
   * time, so that neither a token's bytes nor its length can be measured. Throws, or rejects with, the 401 that RFC 6750,
   * section 3 asks for.
   */
  callerOf(authorization: string | undefined): 'operator' | Promise<Caller> {
    const secret = bearerOf(authorization);
    return timingSafeEqual(secretTokenDigest(secret), this.#operator)
      ? 'operator'
      : this.#namedCaller(secret);
  }

  async #namedCaller(secret: string): Promise<Caller> {
    const token = await this.#named.find(secret);
    if (token === null) throw invalid('The token is not one of this gateway.');
    return token;
  }
}

/** The token in an `Authorization` header. Throws a 401. */
export function bearerOf(authorization: string | undefined): string {
  if (authorization === undefined) {
    throw unauthorized('Send the token as "Authorization: Bearer TOKEN".', 'Bearer realm="sd-gateway"');
  }
  const given = credentials.exec(authorization)?.[1];
  if (given === undefined) throw invalid('The Authorization header is not of the form "Bearer TOKEN".');
  return given;
}

function invalid(detail: string): Problem {
  return unauthorized(detail, 'Bearer realm="sd-gateway", error="invalid_token"');
}

function unauthorized(detail: string, challenge: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } });
}
