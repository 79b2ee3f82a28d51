import { hash, randomBytes } from 'node:crypto';

/** A new bearer token: 256 random bits in characters that a header can carry (RFC 6750, section 2.1). */
export function newSecretToken(): string {
  return randomBytes(32).toString('base64url');
}

/** The SHA-256 of a token, for what is kept of it, and for a comparison in constant time (timingSafeEqual). */
export function secretTokenDigest(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
