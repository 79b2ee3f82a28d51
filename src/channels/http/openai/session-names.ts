import { sessionOf } from '../../session-name.js';
import type { Caller } from '../route-scopes.js';

/** The channel of messages that come by this API. */
export const openAiChannel = 'openai';

/** The first part of the names of all sessions that a token may see. No token has such a name as the operator's. */
export function ownerOf(caller: Caller): string {
  return caller === 'operator' ? '@operator' : caller.name;
}

/** The session that a client calls so. Each token has its own. */
export function sessionNamed(owner: string, name: string): string {
  return sessionOf(openAiChannel, `${owner}:${name}`);
}

export function owns(owner: string, session: string): boolean {
  return session.startsWith(`${openAiChannel}:${owner}:`);
}
