import { z } from 'zod';
import type { ChannelContext } from '../channel.js';
import { type CallOptions, type HttpEnd, jsonOf, PlatformHttp } from '../platform-http.js';

/** The end of one call of the Bot API (core.telegram.org/bots/api). No text of it holds the token. */
export type ApiEnd =
  | { readonly kind: 'ok'; readonly result: unknown }
  /** The Bot API says no. */
  | {
      readonly kind: 'refused';
      /** As an HTTP status. */
      readonly code: number;
      readonly description: string;
      readonly retryAfterMs: number | null;
      /** The group has become a supergroup with this id. */
      readonly migrateToChatId: number | null;
    }
  /** There is no answer, or none of the Bot API. */
  | Exclude<HttpEnd, { readonly kind: 'answer' }>;

/** A file that is sent with a call. */
export interface Upload {
  /** The parameter that it is. */
  readonly field: string;
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Telegram gives updates of 4 MiB at most at a time, and the last one may pass that. */
const longestAnswerBytes = 16 * 1024 ** 2;
const longestRetryAfterSeconds = 86_400;

const answer = z.object({
  ok: z.boolean(),
  result: z.unknown().optional(),
  error_code: z.int().optional(),
  description: z.string().default('no reason'),
  parameters: z
    .object({
      retry_after: z.number().min(0).optional().catch(undefined),
      migrate_to_chat_id: z.int().optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});

/** Calls methods of one bot. The token is part of each URL, and in nothing that is told. */
export class BotApi {
  readonly #root: string;
  readonly #token: string;
  readonly #http: PlatformHttp;

  constructor(root: string, token: string, clock: ChannelContext['clock']) {
    this.#root = root.replace(/\/+$/, '');
    this.#token = token;
    this.#http = new PlatformHttp({ clock, longestAnswerBytes, redact: (text) => this.#redact(text) });
  }

  call(method: string, parameters: object, options: CallOptions): Promise<ApiEnd> {
    const body = Buffer.from(JSON.stringify(parameters));
    const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
    return this.#exchange(method, headers, [body], options);
  }

  /** Makes a call with a file, which is read as it is sent. */
  upload(
    method: string,
    parameters: Readonly<Record<string, unknown>>,
    file: Upload,
    options: CallOptions,
  ): Promise<ApiEnd> {
    const boundary = `sd-gateway-${crypto.randomUUID()}`;
    const { head, tail } = multipart(boundary, parameters, file);
    const headers = {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + file.sizeBytes + tail.length),
    };
    return this.#exchange(method, headers, [head, file.content, tail], options);
  }

  /**
   * Gives the bytes of a file by the path that `getFile` has given.
   *
   * @throws DownloadError, also while it is read
   */
  download(path: string, options: CallOptions): AsyncGenerator<Uint8Array> {
    const url = `${this.#root}/file/bot${this.#token}/${path.split('/').map(encodeURIComponent).join('/')}`;
    return this.#http.download({ url, headers: {} }, options);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #exchange(
    method: string,
    headers: Record<string, string>,
    content: readonly (Buffer | AsyncIterable<Uint8Array>)[],
    options: CallOptions,
  ): Promise<ApiEnd> {
    const url = `${this.#root}/bot${this.#token}/${method}`;
    const end = await this.#http.exchange({ method: 'POST', url, headers, content }, options);
    return end.kind === 'answer' ? this.#judge(end.status, end.text) : end;
  }

  /** A 4xx without an answer of the Bot API is of a proxy, which has passed nothing on. */
  #judge(status: number, text: string): ApiEnd {
    const parsed = answer.safeParse(jsonOf(text));
    if (!parsed.success) {
      const reason = `the answer is none of the Bot API (HTTP ${status})`;
      return { kind: 'failed', reason, inDoubt: status < 400 || status >= 500 };
    }
    const { ok, result, error_code: code = status, description, parameters } = parsed.data;
    if (ok) return { kind: 'ok', result };
    const seconds = parameters?.retry_after;
    return {
      kind: 'refused',
      code,
      description: this.#redact(description).slice(0, 300),
      retryAfterMs:
        seconds === undefined ? null : Math.ceil(Math.min(seconds, longestRetryAfterSeconds) * 1_000),
      migrateToChatId: parameters?.migrate_to_chat_id ?? null,
    };
  }

  /** Takes the secret part of the token out of a text of somebody else, who may repeat the URL. */
  #redact(text: string): string {
    const secret = this.#token.slice(this.#token.indexOf(':') + 1);
    return text.replaceAll(secret, 'TOKEN');
  }
}

/** The bytes before and behind a file (RFC 7578). */
function multipart(
  boundary: string,
  parameters: Readonly<Record<string, unknown>>,
  { field, name, mediaType }: Upload,
): { readonly head: Buffer; readonly tail: Buffer } {
  const parts = Object.entries(parameters).map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `--${boundary}\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${text}\r\n`;
  });
  const escaped = name.replace(/[\r\n"\\]/g, (character) => encodeURIComponent(character));
  parts.push(
    `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${escaped}"\r\nContent-Type: ${mediaType}\r\n\r\n`,
  );
  return { head: Buffer.from(parts.join('')), tail: Buffer.from(`\r\n--${boundary}--\r\n`) };
}
