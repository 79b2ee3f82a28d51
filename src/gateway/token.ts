import { randomBytes } from 'node:crypto';

/** A new bearer token: 256 random bits in the characters of RFC 6750. */
export function createToken(): string {
  return randomBytes(32).toString('base64url');
}
