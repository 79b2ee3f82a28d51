import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { connectionErrorMessage } from '../../text/failure-text.js';
import { formatExactTimeSpan } from '../../text/time-span.js';
import type { ChannelContext } from '../channel.js';

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
  /** There is no answer, or none of the Bot API. `inDoubt`: the call may have had its effect. */
  | { readonly kind: 'failed'; readonly reason: string; readonly inDoubt: boolean }
  /** The signal was aborted first. */
  | { readonly kind: 'aborted'; readonly inDoubt: boolean };

export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /**
   * True for a call that must not be made twice. It has a connection of its own: one that is used again may be closed by
   * the other side just then, and nobody would know if the call has arrived.
   */
  readonly isOnce?: boolean;
}

/** A file that is sent with a call. */
export interface Upload {
  /** The parameter that it is. */
  readonly field: string;
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** The file can't be downloaded. The message is the reason, without the token. */
export class DownloadError extends Error {
  constructor(
    message: string,
    /** True if another try may end otherwise. */
    readonly isPassing: boolean,
  ) {
    super(message);
    this.name = 'DownloadError';
  }
}

const connectTimeoutMs = 10_000;
/** For one address of a name that has others, in milliseconds. */
const addressTimeoutMs = 2_000;
/** An idle connection is kept no longer, in milliseconds. */
const longestIdleMs = 4_000;
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
  readonly #clock: ChannelContext['clock'];
  readonly #kept: Agent;
  readonly #single: Agent;

  constructor(root: string, token: string, clock: ChannelContext['clock']) {
    this.#root = root.replace(/\/+$/, '');
    this.#token = token;
    this.#clock = clock;
    const connections = {
      connect: {
        timeout: connectTimeoutMs,
        // Said, as NODE_TLS_REJECT_UNAUTHORIZED in the environment would else turn it off.
        rejectUnauthorized: true,
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: addressTimeoutMs,
      },
      // Each call as a whole has its time; these would only cut a long poll short.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: longestIdleMs,
      keepAliveMaxTimeout: longestIdleMs,
    };
    this.#kept = new Agent(connections);
    this.#single = new Agent({ ...connections, pipelining: 0 });
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
   * Gives the bytes of a file by the path that `getFile` has given. The deadline holds for all of it.
   *
   * @throws DownloadError, also while it is read
   */
  async *download(path: string, { timeoutMs, signal }: CallOptions): AsyncGenerator<Uint8Array> {
    const end = this.#deadline(timeoutMs, signal);
    try {
      const url = `${this.#root}/file/bot${this.#token}/${path.split('/').map(encodeURIComponent).join('/')}`;
      const { statusCode, body } = await untilAborted(
        request(url, { dispatcher: this.#kept, signal: end.signal }),
        end.signal,
      );
      if (statusCode !== 200) {
        body.destroy();
        throw new DownloadError(`the file server answered HTTP ${statusCode}`, statusCode >= 500);
      }
      yield* body;
    } catch (error) {
      if (error instanceof DownloadError) throw error;
      throw new DownloadError(this.#reasonOf(error, end.isLate(), timeoutMs), true);
    } finally {
      end.cancel();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#kept.destroy(), this.#single.destroy()]);
  }

  async #exchange(
    method: string,
    headers: Record<string, string>,
    content: readonly (Buffer | AsyncIterable<Uint8Array>)[],
    { timeoutMs, signal, isOnce = false }: CallOptions,
  ): Promise<ApiEnd> {
    if (signal.aborted) return { kind: 'aborted', inDoubt: false };
    const end = this.#deadline(timeoutMs, signal);
    let isSent = false;
    async function* body(): AsyncGenerator<Uint8Array> {
      for (const [index, piece] of content.entries()) {
        // A call whose last byte was not sent is none: its length is known.
        if (index === content.length - 1) isSent = true;
        if (Buffer.isBuffer(piece)) yield piece;
        else yield* piece;
      }
    }
    try {
      const url = `${this.#root}/bot${this.#token}/${method}`;
      const response = await untilAborted(
        request(url, {
          dispatcher: isOnce ? this.#single : this.#kept,
          method: 'POST',
          headers: { ...headers, 'user-agent': 'sd-gateway' },
          // Nothing of it is read before there is a connection.
          body: Readable.from(body()),
          signal: end.signal,
        }),
        end.signal,
      );
      const text = await untilAborted(textOf(response.body), end.signal);
      return this.#judge(response.statusCode, text);
    } catch (error) {
      if (signal.aborted) return { kind: 'aborted', inDoubt: isSent };
      return { kind: 'failed', reason: this.#reasonOf(error, end.isLate(), timeoutMs), inDoubt: isSent };
    } finally {
      end.cancel();
    }
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

  #reasonOf(error: unknown, isLate: boolean, timeoutMs: number): string {
    if (isLate) return `no answer within ${formatExactTimeSpan(timeoutMs)}`;
    return this.#redact(connectionErrorMessage(error));
  }

  /** Takes the secret part of the token out of a text of somebody else, who may repeat the URL. */
  #redact(text: string): string {
    const secret = this.#token.slice(this.#token.indexOf(':') + 1);
    return text.replaceAll(secret, 'TOKEN');
  }

  #deadline(timeoutMs: number, signal: AbortSignal) {
    const end = new AbortController();
    let isLate = false;
    const abort = () => end.abort();
    const cancelTimer = this.#clock.after(timeoutMs, () => {
      isLate = true;
      abort();
    });
    signal.addEventListener('abort', abort, { once: true });
    return {
      signal: end.signal,
      isLate: () => isLate,
      cancel: () => {
        cancelTimer();
        signal.removeEventListener('abort', abort);
      },
    };
  }
}

/** undici passes an abort on to a connection only. One that is not there yet is not waited for. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  let abort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
    work.catch(() => undefined);
    aborted.catch(() => undefined);
  }
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > longestAnswerBytes) {
      throw new Error(`the answer has more than ${longestAnswerBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Undefined: it is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
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
