import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { RecentNames } from '../../recent-names.js';
import { Lane } from './semaphore.js';

/** Names whose servers were silent and that are asked for at the same time: half of what getaddrinfo(3) may be. */
const silentAtOnce = 4;
/** Of so many names it is known; they come from outside. */
const mostSilentNames = 10_000;

/**
 * Asks for each name once at a time. getaddrinfo(3) holds one of the few threads that libuv gives to it (src/cli/run.ts)
 * until the name's servers answer or the resolver gives up: connections to one host must not take all of them, and
 * neither must the hosts whose servers were silent the last time.
 */
export class NameResolver {
  readonly #asked = new Map<string, Promise<LookupAddress[]>>();
  readonly #silent = new RecentNames(mostSilentNames);
  readonly #silentLane = new Lane(silentAtOnce);

  /** All addresses of the name; rejects with what getaddrinfo(3) says. */
  resolve(hostname: string, options: Pick<LookupOptions, 'family' | 'hints'>): Promise<LookupAddress[]> {
    const question = JSON.stringify([hostname, options.family, options.hints]);
    const known = this.#asked.get(question);
    if (known !== undefined) return known;
    const ask = () => this.#ask(hostname, options);
    const answer = (this.#silent.has(hostname) ? this.#silentLane.run(ask) : ask()).finally(() =>
      this.#asked.delete(question),
    );
    this.#asked.set(question, answer);
    return answer;
  }

  #ask(hostname: string, options: Pick<LookupOptions, 'family' | 'hints'>): Promise<LookupAddress[]> {
    return new Promise((resolve, reject) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        this.#note(hostname, error);
        if (error === null) resolve(addresses);
        else reject(error);
      });
    });
  }

  #note(hostname: string, error: NodeJS.ErrnoException | null): void {
    if (error?.code === 'EAI_AGAIN') this.#silent.add(hostname);
    else this.#silent.delete(hostname);
  }
}
