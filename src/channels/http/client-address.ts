import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** A request as far as it tells who sent it. */
export interface ForwardedRequest {
  readonly headers: IncomingHttpHeaders;
  /** `remoteAddress`: undefined for a Unix socket. */
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** The client that has sent a request, perhaps through proxies. */
export interface RequestClient {
  /** IP address; null: a Unix socket. */
  readonly address: string | null;
  /** False if a proxy tells that the request came to it without TLS; null: nobody tells. */
  readonly isSecure: boolean | null;
}

/** Made once for each configuration. */
const lists = new WeakMap<readonly string[], BlockList>();

/** @param ranges `http.trusted_proxies`, in CIDR notation */
function listOf(ranges: readonly string[]): BlockList {
  const known = lists.get(ranges);
  if (known !== undefined) return known;
  const list = new BlockList();
  lists.set(ranges, list);
  for (const range of ranges) {
    const [address = '', prefix = ''] = range.split('/');
    list.addSubnet(address, Number(prefix), isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** An IPv4 address that is mapped into IPv6 is that IPv4 address. */
function plain(address: string): string {
  return address.trim().replace(/^::ffff:(?=\d+\.)/i, '');
}

function holds(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Joins what came as several headers, in their order. */
function valuesOf(header: string | string[] | undefined): readonly string[] {
  return [header ?? []]
    .flat()
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

/**
 * Finds the client of a request. Each proxy adds the address that it was called from to X-Forwarded-For: the last one that
 * is no trusted proxy's is the client's, and what stands before it anybody can have written. Without a trusted proxy at
 * the other end the headers count for nothing.
 */
export function clientOf({ headers, socket }: ForwardedRequest, ranges: readonly string[]): RequestClient {
  const peer = socket.remoteAddress === undefined ? null : plain(socket.remoteAddress);
  const trusted = listOf(ranges);
  if (ranges.length === 0 || (peer !== null && !holds(trusted, peer)))
    return { address: peer, isSecure: null };
  const [protocol] = valuesOf(headers['x-forwarded-proto']).slice(-1);
  const isSecure = protocol === undefined ? null : /^(?:https|wss)$/i.test(protocol);
  let address = peer;
  for (const value of valuesOf(headers['x-forwarded-for']).map(plain).reverse()) {
    // A name, or nonsense: nobody knows what is before it.
    if (isIP(value) === 0) break;
    address = value;
    if (!holds(trusted, value)) break;
  }
  return { address, isSecure };
}
