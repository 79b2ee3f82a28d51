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

/** Names whose servers were silent and that are asked for at the same time: half of what getaddrinfo(3) may be. */
const silentAtOnce = 4;
/** Of so many names it is known; they come from outside. */
const mostSilentNames = 10_000;

/**
 * Asks for each name once at a time. getaddrinfo(3) holds one of the few threads that libuv gives to it (src/cli/run.ts)
 * until the name's servers answer or the resolver gives up: connections to one host must not take all of them, and
 * neither must the hosts whose servers were silent the last time.
 */
function resolverOfNames() {
  const asked = new Map<string, Promise<LookupAddress[]>>();
  const silent = new Set<string>();
  const waiting: (() => void)[] = [];
  let silentAsked = 0;
  const enter = async (): Promise<void> => {
    if (silentAsked < silentAtOnce) silentAsked += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) silentAsked -= 1;
    else next();
  };
  const note = (hostname: string, error: NodeJS.ErrnoException | null): void => {
    silent.delete(hostname);
    if (error?.code !== 'EAI_AGAIN') return;
    silent.add(hostname);
    for (const oldest of silent) {
      if (silent.size <= mostSilentNames) break;
      silent.delete(oldest);
    }
  };
  const askOnce = (hostname: string, options: LookupOptions): Promise<LookupAddress[]> =>
    new Promise((resolve, reject) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        note(hostname, error);
        if (error === null) resolve(addresses);
        else reject(error);
      });
    });
  const ask = async (hostname: string, options: LookupOptions): Promise<LookupAddress[]> => {
    if (!silent.has(hostname)) return askOnce(hostname, options);
    await enter();
    try {
      return await askOnce(hostname, options);
    } finally {
      leave();
    }
  };
  return (hostname: string, options: LookupOptions): Promise<LookupAddress[]> => {
    const question = JSON.stringify([hostname, options.family, options.hints]);
    const known = asked.get(question);
    if (known !== undefined) return known;
    const answer = ask(hostname, options).finally(() => asked.delete(question));
    asked.set(question, answer);
    return answer;
  };
}
