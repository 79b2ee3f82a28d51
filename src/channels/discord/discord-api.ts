import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { pause } from '../../lifecycle/effects/waits.js';
import type { ChannelContext } from '../channel.js';
import {
  type CallOptions,
  type DownloadError,
  type HttpCall,
  type HttpEnd,
  jsonOf,
  PlatformHttp,
} from '../platform-http.js';
import { type LimitedRoute, RouteLimits } from './route-limits.js';

/** The end of one call of Discord's API. No text of it holds the token. */
export type DiscordEnd =
  | { readonly kind: 'ok'; readonly result: unknown }
  /** Discord says no. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      /** Discord's own number (discord.com/developers/docs/topics/opcodes-and-status-codes, "JSON"); null: it gives none. */
      readonly code: number | null;
      readonly description: string;
      readonly retryAfterMs: number | null;
    }
  /** It was not called: the limits leave no room for longer than is waited. */
  | { readonly kind: 'held'; readonly delayMs: number }
  | Exclude<HttpEnd, { readonly kind: 'answer' }>;

/** One request below the root of the API. */
export interface DiscordCall extends LimitedRoute {
  readonly method: HttpCall['method'];
  readonly path: string;
  /** Default: none. */
  readonly body?: object;
  /** Goes with the body. */
  readonly file?: DiscordUpload;
}

export interface DiscordUpload {
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

export interface DiscordCallOptions extends CallOptions {
  /** Longest wait for room in the limits, in milliseconds. Default: 5 s. */
  readonly longestWaitMs?: number;
}

/** A hundred messages with all that belongs to them. */
const longestAnswerBytes = 16 * 1024 ** 2;
const longestWaitMs = 5_000;
const longestRetryAfterMs = 86_400_000;

const refusal = z.object({
  message: z.string().default('no reason'),
  code: z.int().nullable().default(null).catch(null),
  retry_after: z.number().min(0).optional().catch(undefined),
  global: z.boolean().default(false).catch(false),
});

/** Calls the API (version 10) as one bot, within its limits. The token is in a header of each call, and in nothing that is told. */
export class DiscordApi {
  readonly #root: string;
  readonly #token: string;
  readonly #clock: ChannelContext['clock'];
  readonly #http: PlatformHttp;
  readonly #limits = new RouteLimits();

  constructor(root: string, token: string, clock: ChannelContext['clock']) {
    this.#root = root.replace(/\/+$/, '');
    this.#token = token;
    this.#clock = clock;
    this.#http = new PlatformHttp({ clock, longestAnswerBytes, redact: (text) => this.redact(text) });
  }

  /** False: what need not be sent is better left out now. */
  hasRoom(route: LimitedRoute): boolean {
    return this.#limits.readyAt(route, this.#clock.now()) <= this.#clock.now();
  }

  async call(call: DiscordCall, options: DiscordCallOptions): Promise<DiscordEnd> {
    const { signal, longestWaitMs: mostMs = longestWaitMs } = options;
    const now = this.#clock.now();
    const held = this.#limits.heldUntil(call, now);
    if (held !== null && held - now > mostMs) return { kind: 'held', delayMs: held - now };
    await this.#waitUntil(this.#limits.reserve(call, now), signal);
    await this.#waitUntil(this.#limits.reserveAmongAll(this.#clock.now()), signal);
    if (signal.aborted) return { kind: 'aborted', inDoubt: false };
    const end = await this.#http.exchange(this.#request(call), options);
    if (end.kind !== 'answer') return end;
    this.#limits.learn(call, end.headers, this.#clock.now());
    return this.#judge(call, end);
  }

  /** Gives the bytes of a file of a message, whose URL holds no secret and needs none. */
  download(
    url: string,
    options: CallOptions,
    judge?: (status: number, headers: IncomingHttpHeaders) => DownloadError | null,
  ): AsyncGenerator<Uint8Array> {
    return this.#http.download({ url, headers: {} }, options, judge);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /** Takes the token out of a text of somebody else, who may repeat it. */
  redact(text: string): string {
    return text.replaceAll(this.#token, 'TOKEN');
  }

  async #waitUntil(at: number, signal: AbortSignal): Promise<void> {
    const delayMs = at - this.#clock.now();
    if (delayMs > 0) await pause({ clock: this.#clock, signal }, delayMs);
  }

  #request({ method, path, body, file }: DiscordCall): HttpCall {
    const url = `${this.#root}/v10${path}`;
    const headers = {
      authorization: `Bot ${this.#token}`,
      // The form that Discord asks for (discord.com/developers/docs/reference, "User Agent").
      'user-agent': 'DiscordBot (https://www.npmjs.com/package/sd-gateway, 1)',
    };
    if (file !== undefined) {
      const boundary = randomUUID();
      const { head, tail } = multipart(boundary, body ?? {}, file);
      return {
        method,
        url,
        headers: {
          ...headers,
          'content-type': `multipart/form-data; boundary=${boundary}`,
          'content-length': String(head.length + file.sizeBytes + tail.length),
        },
        content: [head, file.content, tail],
      };
    }
    // A POST without a body has a length, too.
    if (body === undefined)
      return { method, url, headers: method === 'GET' ? headers : { ...headers, 'content-length': '0' } };
    const json = Buffer.from(JSON.stringify(body));
    return {
      method,
      url,
      headers: { ...headers, 'content-type': 'application/json', 'content-length': String(json.length) },
      content: [json],
    };
  }

  /** A 4xx without an answer of Discord's is of a proxy before it, which has passed nothing on. */
  #judge(
    call: DiscordCall,
    { status, headers, text }: Extract<HttpEnd, { readonly kind: 'answer' }>,
  ): DiscordEnd {
    const json = jsonOf(text);
    if (status >= 200 && status < 300 && (json !== undefined || text === '')) {
      return { kind: 'ok', result: json ?? null };
    }
    const parsed = refusal.safeParse(json);
    if (!parsed.success && status !== 429) {
      const reason = `the answer is none of Discord's API (HTTP ${status})`;
      return { kind: 'failed', reason, inDoubt: status < 400 || status >= 500 };
    }
    const { message, code, retry_after: seconds, global } = parsed.data ?? refusal.parse({});
    const isGlobal = global || headers['x-ratelimit-global'] !== undefined || !parsed.success;
    const retryAfterMs = status === 429 ? retryAfterOf(seconds, headers) : null;
    if (retryAfterMs !== null) this.#limits.hold(call, retryAfterMs, isGlobal, this.#clock.now());
    return {
      kind: 'refused',
      status,
      code,
      description: this.redact(message).slice(0, 300).replace(/\.$/, ''),
      retryAfterMs,
    };
  }
}

function retryAfterOf(seconds: number | undefined, { 'retry-after': header }: IncomingHttpHeaders): number {
  const given = seconds ?? (/^\d{1,9}(?:\.\d+)?$/.test(header ?? '') ? Number(header) : 5);
  return Math.ceil(Math.min(given * 1_000, longestRetryAfterMs));
}

/** The bytes before and behind a file (RFC 7578; discord.com/developers/docs/reference, "Uploading Files"). */
function multipart(
  boundary: string,
  body: object,
  { name, mediaType }: DiscordUpload,
): { readonly head: Buffer; readonly tail: Buffer } {
  const escaped = name.replace(/[\r\n"\\]/g, (character) => encodeURIComponent(character));
  const head = [
    `--${boundary}\r\nContent-Disposition: form-data; name="payload_json"\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(body)}\r\n`,
    `--${boundary}\r\nContent-Disposition: form-data; name="files[0]"; filename="${escaped}"\r\nContent-Type: ${mediaType}\r\n\r\n`,
  ];
  return { head: Buffer.from(head.join('')), tail: Buffer.from(`\r\n--${boundary}--\r\n`) };
}
