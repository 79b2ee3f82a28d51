import { Agent } from 'undici';

interface Origin {
  open: number;
  busy: number;
}

/** Connections that stay open for further posts: at most so many for all receivers together. */
export class KeptConnections {
  readonly #agent: Agent;
  readonly #origins = new Map<string, Origin>();
  readonly #most: number;
  /** Open ones, and those that are being opened. */
  #count = 0;

  constructor(options: Agent.Options, most: number) {
    this.#most = most;
    // A connection is free again a moment after its answer. Without this bound a post in that moment would open another.
    this.#agent = new Agent({ ...options, connections: Number.isFinite(most) ? most : null });
    this.#agent.on('connect', ({ origin }) => this.#change(origin, { open: 1 }));
    this.#agent.on('disconnect', ({ origin }) => this.#change(origin, { open: -1 }));
  }

  /** Runs a post over a kept connection: one that is free, or a new one if there may be one more. Null if neither. */
  use<T>(origin: string, post: (agent: Agent) => Promise<T>): Promise<T> | null {
    const { open, busy } = this.#origins.get(origin) ?? { open: 0, busy: 0 };
    if (open <= busy && this.#count >= this.#most) return null;
    this.#change(origin, { busy: 1 });
    return post(this.#agent).finally(() => this.#change(origin, { busy: -1 }));
  }

  destroy(): Promise<void> {
    return this.#agent.destroy();
  }

  #change(name: string, { open = 0, busy = 0 }: Partial<Origin>): void {
    const origin = this.#origins.get(name) ?? { open: 0, busy: 0 };
    this.#count -= Math.max(origin.open, origin.busy);
    origin.open += open;
    origin.busy += busy;
    this.#count += Math.max(origin.open, origin.busy);
    if (origin.open === 0 && origin.busy === 0) this.#origins.delete(name);
    else this.#origins.set(name, origin);
  }
}
