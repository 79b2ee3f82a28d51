import { isIP } from 'node:net';
import type { AddressRange } from './address-range.js';
import { judgeAddress, refusal } from './target-address.js';

/** Longest URL that replies may be posted to, in characters. */
export const longestReplyUrl = 2_048;

export type ReplyUrlCheck =
  | { readonly ok: true; readonly url: URL; readonly address: string | null }
  | { readonly ok: false; readonly reason: string };

/**
 * Judges where a reply is to go by what the URL alone says: its form, and its host if that is an address or
 * `localhost` (RFC 6761). Names are judged by what they resolve to, at each attempt.
 *
 * The parser has turned every other way of writing an address (`0x7f.1`, `2130706433`) into the plain one by then.
 */
export function validateReplyUrl(text: string, allow: readonly AddressRange[]): ReplyUrlCheck {
  if (text.length > longestReplyUrl) return refused(`it is longer than ${longestReplyUrl} characters`);
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) return refused('it is not an absolute URL, such as "https://example.com/replies"');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return refused(`its scheme is "${url.protocol.slice(0, -1)}"; it must be "https" or "http"`);
  }
  if (url.username !== '' || url.password !== '') {
    return refused('it carries a user name or a password; receivers know the gateway by its signature');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0) {
    const verdict = judgeAddress(host, allow);
    return verdict.allowed ? { ok: true, url, address: host } : refused(refusal(host, host, verdict));
  }
  if (/(^|\.)localhost\.?$/.test(host)) {
    const verdicts = ['127.0.0.1', '::1'].map((address) => ({ address, ...judgeAddress(address, allow) }));
    const [first] = verdicts;
    if (first !== undefined && !first.allowed && verdicts.every(({ allowed }) => !allowed)) {
      return refused(refusal(host, first.address, first));
    }
  }
  return { ok: true, url, address: null };
}

function refused(reason: string): ReplyUrlCheck {
  return { ok: false, reason };
}

/** The origin of a reply URL (RFC 6454): all that is posted to one scheme, name and port shares its fate. */
export function replyOrigin(address: string): string {
  return URL.canParse(address) ? new URL(address).origin : address;
}
