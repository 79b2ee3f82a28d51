import { randomBytes } from 'node:crypto';

/** What an `Authorization` header can carry: b64token of RFC 6750, section 2.1. No client could send any other. */
export const tokenForm = {
  pattern: /^[A-Za-z0-9._~+/-]+=*$/,
  text: 'must be of the characters A-Z a-z 0-9 . _ ~ + / - and "=" at its end only, in one line',
} as const;

/** A new bearer token: 256 random bits in these characters. */
export function createToken(): string {
  return randomBytes(32).toString('base64url');
}
