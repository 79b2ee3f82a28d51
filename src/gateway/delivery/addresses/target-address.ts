import { type AddressBytes, type AddressRange, contains, parseAddress, parseRange } from './address-range.js';

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
  return `${which}; replies go there only if delivery.allow names a range that contains it`;
}
