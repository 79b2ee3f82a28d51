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
