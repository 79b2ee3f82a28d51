import type { IncomingHttpHeaders } from 'node:http';
import type { Metadata } from '../store/messages.js';

/** A request of a platform, without a token of the gateway. */
export interface HookRequest {
  /** Names are in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** The bytes as they came: check them before they are parsed. Empty: there was no body. */
  readonly body: Buffer;
  /** The client's IP address; null: it came by a Unix socket. */
  readonly client: string | null;
}

/** A request that is not taken. `detail` is one or more sentences for whoever looks at the platform's own log. */
export interface HookRefusal {
  /** `unauthorized`: 401, it is not from the platform. `malformed`: 400. `unavailable`: 503, to be sent again later. */
  readonly outcome: 'unauthorized' | 'malformed' | 'unavailable';
  readonly detail: string;
}

/** `taken` is 200: all that has to be kept of the request is on disk. `body` is sent as JSON; default: `{}`. */
export type HookAnswer = { readonly outcome: 'taken'; readonly body?: Metadata } | HookRefusal;

/** The handling of requests to a channel's own address, `POST /hooks/NAME`. */
export interface Hook {
  /** Largest body, in bytes. A larger one is answered 413. */
  readonly limitBytes: number;
  /** Looks at the headers before the body is read. Null: read it. Default: null. */
  check?(headers: IncomingHttpHeaders, client: string | null): HookRefusal | null;
  /** A StoreError that it rejects with is answered 503, anything else 500: the platform sends the request again. */
  handle(request: HookRequest): Promise<HookAnswer>;
}

/** The way of a channel to requests. */
export interface HookPort {
  /** The address for the platform; null if `http.public_url` is not set, so that the gateway does not know its own. */
  url(): string | null;
  /** Takes requests from now on, in the place of an earlier hook, until the channel is closed. */
  serve(hook: Hook): void;
}

/** The address of a channel's hook, below that of the gateway. */
export function hookPath(channel: string): string {
  return `/hooks/${channel}`;
}

/** The hooks of the channels that run. */
export class Hooks {
  readonly #hooks = new Map<string, Hook>();

  /** Null: no running channel of that name takes requests. */
  of(channel: string): Hook | null {
    return this.#hooks.get(channel) ?? null;
  }

  /** @param signal takes the hook away */
  serve(channel: string, hook: Hook, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#hooks.set(channel, hook);
    const remove = () => {
      if (this.#hooks.get(channel) === hook) this.#hooks.delete(channel);
    };
    signal.addEventListener('abort', remove, { once: true });
  }
}
