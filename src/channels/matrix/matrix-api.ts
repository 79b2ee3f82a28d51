import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { ChannelContext } from '../channel.js';
import {
  type CallOptions,
  type DownloadError,
  type HttpCall,
  type HttpEnd,
  jsonOf,
  PlatformHttp,
} from '../platform-http.js';

/** The end of one call of the client-server API (spec.matrix.org). No text of it holds the token. */
export type MatrixEnd =
  | { readonly kind: 'ok'; readonly result: unknown }
  /** The homeserver says no. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      /** Such as "M_FORBIDDEN". */
      readonly code: string;
      readonly description: string;
      readonly retryAfterMs: number | null;
      /** The session is kept, and wants a new token. */
      readonly isSoftLogout: boolean;
    }
  /** There is no answer, or none of a homeserver. */
  | Exclude<HttpEnd, { readonly kind: 'answer' }>;

export type MatrixFailure = Exclude<MatrixEnd, { readonly kind: 'ok' }>;
export type MatrixRefusal = Extract<MatrixEnd, { readonly kind: 'refused' }>;

/** One request below "/_matrix". */
export interface MatrixCall {
  readonly method: HttpCall['method'];
  /** Its parts are escaped already. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: object;
}

export interface MatrixUpload {
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Many rooms with their newest messages, or the members of a very large one. */
const longestAnswerBytes = 32 * 1024 ** 2;
const longestRetryAfterMs = 86_400_000;

const refusal = z.object({
  errcode: z.string().max(255),
  error: z.string().default('no reason').catch('no reason'),
  retry_after_ms: z.number().min(0).optional().catch(undefined),
  soft_logout: z.boolean().default(false).catch(false),
});

/** A path of the client-server API, version 3. */
export function clientPath(...parts: readonly string[]): string {
  return `/client/v3/${parts.map(encodeURIComponent).join('/')}`;
}

/** Calls the homeserver as one account. The token is in a header of each call, and in nothing that is told. */
export class MatrixApi {
  readonly #root: string;
  readonly #origin: string;
  readonly #token: string;
  readonly #http: PlatformHttp;

  constructor(homeserver: string, token: string, clock: ChannelContext['clock']) {
    this.#root = `${homeserver.replace(/\/+$/, '')}/_matrix`;
    this.#origin = new URL(homeserver).origin;
    this.#token = token;
    this.#http = new PlatformHttp({ clock, longestAnswerBytes, redact: (text) => this.redact(text) });
  }

  async call({ method, path, query, body }: MatrixCall, options: CallOptions): Promise<MatrixEnd> {
    const json = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const headers =
      json === null
        ? this.#headers
        : {
            ...this.#headers,
            'content-type': 'application/json',
            'content-length': String(json.length),
          };
    const content = json === null ? {} : { content: [json] };
    const call = { method, url: this.#url(path, query), headers, ...content };
    return this.#ended(await this.#http.exchange(call, options));
  }

  /** The file by which a domain names its homeserver (spec.matrix.org, "Well-known URIs"). The token is not sent. */
  async wellKnown(options: CallOptions): Promise<MatrixEnd> {
    const url = `${this.#origin}/.well-known/matrix/client`;
    return this.#ended(await this.#http.exchange({ method: 'GET', url, headers: {} }, options));
  }

  /** Gives a file to the media repository. It is read as it is sent. */
  async upload(
    { name, mediaType, sizeBytes, content }: MatrixUpload,
    options: CallOptions,
  ): Promise<MatrixEnd> {
    const headers = {
      ...this.#headers,
      'content-type': mediaType,
      'content-length': String(sizeBytes),
    };
    const url = this.#url('/media/v3/upload', { filename: name });
    // An empty file has no piece whose end could be waited for.
    const pieces = sizeBytes === 0 ? [Buffer.alloc(0)] : [content];
    return this.#ended(await this.#http.exchange({ method: 'POST', url, headers, content: pieces }, options));
  }

  /**
   * Gives the bytes of a file of the media repository.
   *
   * @throws DownloadError, also while it is read
   */
  download(
    path: string,
    options: CallOptions,
    judge: (status: number, headers: IncomingHttpHeaders) => DownloadError | null,
  ): AsyncGenerator<Uint8Array> {
    return this.#http.download({ url: this.#url(path), headers: this.#headers }, options, judge);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /** Takes the token out of a text of somebody else, who may repeat it. */
  redact(text: string): string {
    return text.replaceAll(this.#token, 'TOKEN');
  }

  get #headers(): Readonly<Record<string, string>> {
    return { authorization: `Bearer ${this.#token}` };
  }

  #url(path: string, query: MatrixCall['query'] = {}): string {
    const parameters = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    return `${this.#root}${path}${parameters === '' ? '' : `?${parameters}`}`;
  }

  #ended(end: HttpEnd): MatrixEnd {
    return end.kind === 'answer' ? this.#judge(end) : end;
  }

  /** A 4xx without an answer of a homeserver is of a proxy before it, which has passed nothing on. */
  #judge({ status, headers, text }: Extract<HttpEnd, { readonly kind: 'answer' }>): MatrixEnd {
    const json = jsonOf(text);
    if (status >= 200 && status < 300 && json !== undefined) return { kind: 'ok', result: json };
    const parsed = refusal.safeParse(json);
    if (!parsed.success && status !== 429) {
      const reason = `the answer is none of a homeserver (HTTP ${status})`;
      return { kind: 'failed', reason, inDoubt: status < 400 || status >= 500 };
    }
    const {
      errcode: code = 'M_LIMIT_EXCEEDED',
      error = 'too many requests',
      retry_after_ms: askedMs,
      soft_logout: isSoftLogout = false,
    } = parsed.data ?? {};
    return {
      kind: 'refused',
      status,
      code,
      description: this.redact(error).slice(0, 300).replace(/\.$/, ''),
      retryAfterMs: status === 429 ? retryAfterOf(headers, askedMs) : null,
      isSoftLogout,
    };
  }
}

/** The header is the newer way; both may be there (spec.matrix.org, "Rate limiting"). */
function retryAfterOf({ 'retry-after': header }: IncomingHttpHeaders, askedMs: number | undefined): number {
  const seconds = /^\d{1,9}$/.test(header ?? '') ? Number(header) : null;
  const givenMs = askedMs ?? (seconds === null ? 5_000 : seconds * 1_000);
  return Math.ceil(Math.min(givenMs, longestRetryAfterMs));
}
