import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { type AddressRange, judgeAddress, refusal } from './target-address.js';

/** A name resolves to an address to which replies must not go. */
export class BlockedAddress extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BlockedAddress';
  }
}

/**
 * Resolves a name for one connection and judges every address it has. The connection is made to the judged addresses
 * themselves, so a name that says something else when asked again (DNS rebinding) gains nothing.
 */
export function guardedLookup(names: NameResolver, allow: readonly AddressRange[]): LookupFunction {
  return (hostname, options: LookupOptions, callback) => {
    names.resolve(hostname, options).then(
      (addresses) => {
        for (const { address } of addresses) {
          const verdict = judgeAddress(address, allow);
          if (!verdict.allowed) {
            callback(new BlockedAddress(refusal(hostname, address, verdict)), '');
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

/** Runs so many of its tasks at a time; the others wait in line. */
class Semaphore {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(permits: number) {
    this.#free = permits;
  }

  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      // Whoever is next gets the permit itself: nobody who comes now is faster.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Look-ups at a time: as many as libuv runs of getaddrinfo(3), half of its threads (src/cli/run.ts). */
const lookupLimit = 8;

/** For one look-up, its wait for others included. The resolver itself gives up later (resolv.conf(5), 10 s by default). */
export const lookupDeadlineMs = 5_000;

/**
 * Asks for each name once at a time. getaddrinfo(3) holds a thread until the name's servers answer or the resolver gives
 * up. Names whose servers are silent must hold up nobody for longer than the deadline: a look-up that has waited for so
 * long for its turn is dropped.
 */
export class NameResolver {
  readonly #asked = new Map<string, Promise<LookupAddress[]>>();
  readonly #semaphore = new Semaphore(lookupLimit);

  /** All addresses of the name; rejects with the error of getaddrinfo(3), or after the deadline. */
  resolve(hostname: string, options: Pick<LookupOptions, 'family' | 'hints'>): Promise<LookupAddress[]> {
    const question = JSON.stringify([hostname, options.family, options.hints]);
    const known = this.#asked.get(question);
    if (known !== undefined) return withinDeadline(hostname, known);
    const tooLateAt = performance.now() + lookupDeadlineMs;
    const answer = this.#semaphore
      .run(() => {
        if (performance.now() >= tooLateAt) throw unanswered(hostname);
        return ask(hostname, options);
      })
      .finally(() => this.#asked.delete(question));
    this.#asked.set(question, answer);
    return withinDeadline(hostname, answer);
  }
}

function ask(hostname: string, options: Pick<LookupOptions, 'family' | 'hints'>): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });
}

function withinDeadline(hostname: string, answer: Promise<LookupAddress[]>): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(unanswered(hostname)), lookupDeadlineMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function unanswered(hostname: string): Error {
  return new Error(`no name server has answered for ${hostname} within ${lookupDeadlineMs / 1_000} s`);
}
