import type { LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { AddressRange } from './address-range.js';
import type { NameResolver } from './name-resolver.js';
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
export function judgedLookup(names: NameResolver, allow: readonly AddressRange[]): LookupFunction {
  return (hostname, options: LookupOptions, callback) => {
    names.resolve(hostname, options).then(
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
