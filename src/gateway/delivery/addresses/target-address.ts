import { isIP } from 'node:net';

/** An IP address in network byte order: 4 bytes or 16. */
export type AddressBytes = readonly number[];

/** A range in CIDR notation (RFC 4632, RFC 4291). */
export interface AddressRange {
  /** As it was written. */
  readonly text: string;
  readonly bytes: AddressBytes;
  /** Leading bits that count. */
  readonly prefix: number;
}

/** Reads an IPv4 or IPv6 address, with a zone (RFC 4007) or without; null when it is none. */
export function parseAddress(text: string): AddressBytes | null {
  const family = isIP(text);
  if (family === 4) return text.split('.').map(Number);
  if (family !== 6) return null;
  const [left = '', right] = (text.split('%')[0] ?? '').split('::');
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

/** The bytes of a run of colon-separated groups, the last of which may be an IPv4 address. */
function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** Reads "127.0.0.0/8" or "::1/128". @throws RangeError when it is none */
export function parseRange(text: string): AddressRange {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const bytes = parseAddress(match?.[1] ?? '');
  const prefix = Number(match?.[2]);
  if (bytes === null || prefix > bytes.length * 8) {
    throw new RangeError(`"${text}" is not an address range in CIDR notation, such as "127.0.0.0/8"`);
  }
  return { text, bytes, prefix };
}

export function contains(range: AddressRange, address: AddressBytes): boolean {
  if (range.bytes.length !== address.length) return false;
  return address.every((byte, index) => {
    const bits = Math.min(Math.max(range.prefix - index * 8, 0), 8);
    const mask = (0xff << (8 - bits)) & 0xff;
    return (byte & mask) === ((range.bytes[index] ?? 0) & mask);
  });
}

/**
 * The sender of a message chooses where its reply goes. So replies go to public addresses only, unless
 * `delivery.allow` says otherwise: else a sender could have the gateway post into the networks behind it
 * (server-side request forgery).
 */
export type AddressVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly range: string; readonly reason: string };

interface SpecialRange {
  readonly range: AddressRange;
  readonly reason: string;
  /** The offset of the IPv4 address that it stands for; that one is judged instead. */
  readonly embedded?: number;
}

function special(range: string, reason: string, embedded?: number): SpecialRange {
  return { range: parseRange(range), reason, ...(embedded === undefined ? {} : { embedded }) };
}

/** The special-purpose registries of IANA (RFC 6890), the narrower range before the wider one. */
const readSpecialRanges = (): readonly SpecialRange[] => [
  special('0.0.0.0/8', '"this" network'),
  special('10.0.0.0/8', 'private'),
  special('100.64.0.0/10', 'shared address space of carriers'),
  special('127.0.0.0/8', 'loopback'),
  special('169.254.0.0/16', 'link-local'),
  special('172.16.0.0/12', 'private'),
  special('192.0.0.0/24', 'protocol assignments'),
  special('192.0.2.0/24', 'documentation'),
  special('192.88.99.0/24', 'former 6to4 relays'),
  special('192.168.0.0/16', 'private'),
  special('198.18.0.0/15', 'benchmarking'),
  special('198.51.100.0/24', 'documentation'),
  special('203.0.113.0/24', 'documentation'),
  special('224.0.0.0/4', 'multicast'),
  special('240.0.0.0/4', 'reserved'),
  special('::/128', 'unspecified'),
  special('::1/128', 'loopback'),
  special('::/96', 'IPv4-compatible', 12),
  special('::ffff:0:0/96', 'IPv4-mapped', 12),
  special('::ffff:0:0:0/96', 'IPv4-translated', 12),
  special('64:ff9b::/96', 'IPv4 behind NAT64', 12),
  special('64:ff9b:1::/48', 'local NAT64'),
  special('100::/64', 'discard-only'),
  special('2001::/23', 'protocol assignments, Teredo'),
  special('2001:db8::/32', 'documentation'),
  special('2002::/16', 'IPv4 behind 6to4', 2),
  special('3fff::/20', 'documentation'),
  special('fc00::/7', 'unique local'),
  special('fe80::/10', 'link-local'),
  special('fec0::/10', 'site-local'),
  special('ff00::/8', 'multicast'),
];

/** Read at the first address, as Node’s check of an IPv6 address takes milliseconds to be made ready. */
let registries:
  | { readonly special: readonly SpecialRange[]; readonly globalUnicast: AddressRange }
  | undefined;

/** Judges one address. A text that is no address is refused. */
export function judgeAddress(address: string, allow: readonly AddressRange[]): AddressVerdict {
  const bytes = parseAddress(address);
  if (bytes === null) return { allowed: false, range: address, reason: 'not an address' };
  return judge(bytes, allow);
}

function judge(bytes: AddressBytes, allow: readonly AddressRange[]): AddressVerdict {
  if (allow.some((range) => contains(range, bytes))) return { allowed: true };
  registries ??= { special: readSpecialRanges(), globalUnicast: parseRange('2000::/3') };
  const { special, globalUnicast } = registries;
  const found = special.find(({ range }) => contains(range, bytes));
  if (found?.embedded !== undefined) return judge(bytes.slice(found.embedded, found.embedded + 4), allow);
  if (found !== undefined) return { allowed: false, range: found.range.text, reason: found.reason };
  if (bytes.length === 16 && !contains(globalUnicast, bytes)) {
    return { allowed: false, range: 'outside 2000::/3', reason: 'not global unicast' };
  }
  return { allowed: true };
}

/**
 * The reason for a refusal, as the sender of the message and the operator get it. A name's address isn't told: it may be
 * one of a network that only the gateway sees.
 */
export function refusal(host: string, address: string, verdict: { range: string; reason: string }): string {
  const which =
    host === address
      ? `${address} is in ${verdict.range} (${verdict.reason})`
      : `${host} resolves to an address that is not public (${verdict.reason})`;
  return `${which}; the gateway connects there only if delivery.allow names a range that contains it`;
}

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
