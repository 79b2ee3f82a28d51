import { hash } from 'node:crypto';

/** Longest name of a session, in characters. */
const longestName = 128;
/** Begins the digest of a name that was cut. No escape has it, so that no whole name can end like one that was cut. */
const cutMark = '~~';

/**
 * The session of a conversation: the channel's name, ":", and the conversation's name with each byte that a session's
 * name may not hold, and each "~", as "~XX". A longer name is cut, and ends with "~~" and 16 hex digits of its SHA-256.
 */
export function sessionOf(channel: string, conversation: string): string {
  const escaped = conversation.replace(/[^A-Za-z0-9._:@+-]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `~${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
  const name = `${channel}:${escaped}`;
  if (name.length <= longestName) return name;
  const end = `${cutMark}${hash('sha256', name).slice(0, 16)}`;
  return `${name.slice(0, longestName - end.length)}${end}`;
}
