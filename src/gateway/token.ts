import { randomBytes } from 'node:crypto';
import { bearerToken } from '../channels/http/bearer.js';

/** No client could send any other. */
export const tokenForm = {
  pattern: new RegExp(`^${bearerToken.source}$`),
  text: 'must be of the characters A-Z a-z 0-9 . _ ~ + / - and "=" at its end only, in one line',
} as const;

/** A new bearer token: 256 random bits in these characters. */
export function createToken(): string {
  return randomBytes(32).toString('base64url');
}
