import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from './problem.js';

interface Address {
  readonly parts: readonly string[];
  readonly methods: string[];
}

/**
 * The methods that each address takes, as the routes are added: what has an address but no such method is answered with
 * 405 and `Allow` (RFC 9110, 15.5.6). A route for each method that is refused would do that as well, but there are
 * seventy of them, and each start would have to make them.
 */
export class AllowedMethods {
  readonly #addresses = new Map<string, Address>();

  /** To be called before the first route is added. */
  follow(application: FastifyInstance): void {
    application.addHook('onRoute', ({ url, method }) => {
      const address = this.#addresses.get(url) ?? { parts: url.split('/'), methods: [] };
      this.#addresses.set(url, address);
      for (const each of [method].flat()) if (!address.methods.includes(each)) address.methods.push(each);
    });
  }

  /** The methods of each address, as Fastify has it. */
  get addresses(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#addresses].map(([url, { methods }]) => [url, methods]));
  }

  /** For a request that no route takes: the methods that its address does; null when there is no such address. */
  of(request: FastifyRequest): readonly string[] | null {
    const [path = ''] = request.url.split('?', 1);
    const parts = path.split('/');
    for (const { parts: pattern, methods } of this.#addresses.values()) {
      const matches = (part: string, index: number) => part.startsWith(':') || part === parts[index];
      if (pattern.length === parts.length && pattern.every(matches)) return methods.toSorted();
    }
    return null;
  }
}

export function methodNotAllowed(allowed: readonly string[]): Problem {
  const allow = allowed.join(', ');
  return new Problem('method-not-allowed', `This address takes ${allow}.`, { headers: { Allow: allow } });
}
