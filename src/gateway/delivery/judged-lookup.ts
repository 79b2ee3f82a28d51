import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { AddressRange } from './address-range.js';
import { judgeAddress, refusal } from './target-address.js';

/** A name that resolves to an address to which replies must not go. */
export class RefusedTarget extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RefusedTarget';
  }
}

/**
 * Resolves a name for one connection and judges every address it has. The connection is made to the very addresses
 * that were judged, so a name that says something else when asked again (DNS rebinding) gains nothing.
 */
export function judgedLookup(allow: readonly AddressRange[]): LookupFunction {
  const resolve = resolverOfNames();
  return (hostname, options: LookupOptions, callback) => {
    resolve(hostname, options).then(
      (addresses) => {
        for (const { address } of addresses) {
          const verdict = judgeAddress(address, allow);
          if (!verdict.allowed) {
            callback(new RefusedTarget(refusal(hostname, address, verdict)), '');
            return;
          }
        }
        const [first] = addresses;
        if (options.all === true || first === undefined) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

/**
 * Asks for each name once at a time. getaddrinfo(3) holds one of the few threads that libuv gives to it until the
 * name's servers answer or the resolver gives up: connections to one host must not take all of them.
 */
function resolverOfNames() {
  const asked = new Map<string, Promise<LookupAddress[]>>();
  return (hostname: string, options: LookupOptions): Promise<LookupAddress[]> => {
    const question = JSON.stringify([hostname, options.family, options.hints]);
    const known = asked.get(question);
    if (known !== undefined) return known;
    const answer = new Promise<LookupAddress[]>((resolve, reject) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error === null) resolve(addresses);
        else reject(error);
      });
    }).finally(() => asked.delete(question));
    asked.set(question, answer);
    return answer;
  };
}
