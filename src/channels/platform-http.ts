import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { parseJson } from '../text/bounded-json.js';
import { connectionErrorMessage } from '../text/failure-text.js';
import { gatheredFrom } from '../text/gathered-bytes.js';
import { formatExactTimeSpan } from '../text/time-span.js';
import type { ChannelContext } from './channel.js';
import { pacedConnector } from './paced-connector.js';

/** The end of a request. No text of it holds a secret. */
export type HttpEnd =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly text: string;
    }
  /** There is no answer. `inDoubt`: the request may have had its effect. */
  | { readonly kind: 'failed'; readonly reason: string; readonly inDoubt: boolean }
  /** The signal was aborted first. */
  | { readonly kind: 'aborted'; readonly inDoubt: boolean };

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In their order; what is not in memory is read as it is sent. Their length stands in the headers. Default: none. */
  readonly content?: readonly (Buffer | AsyncIterable<Uint8Array>)[];
}

export interface CallOptions {
  /** For all of it. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /**
   * True for a call that must not be made twice. It has a connection of its own: one that is used again may be closed by
   * the other side just then, and nobody would know if the call has arrived.
   */
  readonly isOnce?: boolean;
}

/** The file can't be downloaded. The message is the reason, without a secret. */
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

export interface PlatformHttpOptions {
  readonly clock: Pick<ChannelContext['clock'], 'after'>;
  readonly longestAnswerBytes: number;
  /** Takes the secret out of a text of somebody else, who may repeat it. */
  readonly redact: (text: string) => string;
}

const connectTimeoutMs = 10_000;
/** For one address of a name that has others, in milliseconds. */
const addressTimeoutMs = 2_000;
/** An idle connection is kept no longer, in milliseconds. */
const longestIdleMs = 4_000;

/** Requests of a channel to its platform. Each ends in its time, and redirects are not followed. */
export class PlatformHttp {
  readonly #options: PlatformHttpOptions;
  readonly #kept: Agent;
  readonly #single: Agent;

  constructor(options: PlatformHttpOptions) {
    this.#options = options;
    const connections = {
      connect: pacedConnector({
        timeout: connectTimeoutMs,
        // Said, as NODE_TLS_REJECT_UNAUTHORIZED in the environment would else turn it off.
        rejectUnauthorized: true,
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: addressTimeoutMs,
      }),
      // Each call as a whole has its time; these would only cut a long poll short.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: longestIdleMs,
      keepAliveMaxTimeout: longestIdleMs,
    };
    this.#kept = new Agent(connections);
    this.#single = new Agent({ ...connections, pipelining: 0 });
  }

  async exchange(
    { method, url, headers, content = [] }: HttpCall,
    { timeoutMs, signal, isOnce = false }: CallOptions,
  ): Promise<HttpEnd> {
    if (signal.aborted) return { kind: 'aborted', inDoubt: false };
    const end = this.#deadline(timeoutMs, signal);
    let isSent = content.length === 0;
    async function* body(): AsyncGenerator<Uint8Array> {
      for (const [index, piece] of content.entries()) {
        // A call whose last byte was not sent is none: its length is known.
        if (index === content.length - 1) isSent = true;
        if (Buffer.isBuffer(piece)) yield piece;
        else yield* piece;
      }
    }
    try {
      const response = await untilAborted(
        request(url, {
          dispatcher: isOnce ? this.#single : this.#kept,
          method,
          headers: { 'user-agent': 'sd-gateway', ...headers },
          // Nothing of it is read before there is a connection.
          ...(content.length === 0 ? {} : { body: Readable.from(body()) }),
          signal: end.signal,
        }),
        end.signal,
      );
      const text = await untilAborted(textOf(response.body, this.#options.longestAnswerBytes), end.signal);
      return { kind: 'answer', status: response.statusCode, headers: response.headers, text };
    } catch (error) {
      if (signal.aborted) return { kind: 'aborted', inDoubt: isSent };
      return { kind: 'failed', reason: this.#reasonOf(error, end.isLate(), timeoutMs), inDoubt: isSent };
    } finally {
      end.cancel();
    }
  }

  /**
   * Gives the bytes of a file. The deadline holds for all of it.
   *
   * @param judge says why an answer is no file, and if that may pass. Null: it is one. Default: all but 200 are none.
   * @throws DownloadError, also while it is read
   */
  async *download(
    { url, headers }: Pick<HttpCall, 'url' | 'headers'>,
    { timeoutMs, signal }: CallOptions,
    judge: (status: number, headers: IncomingHttpHeaders) => DownloadError | null = noFile,
  ): AsyncGenerator<Uint8Array> {
    const end = this.#deadline(timeoutMs, signal);
    try {
      const {
        statusCode,
        headers: given,
        body,
      } = await untilAborted(
        request(url, { dispatcher: this.#kept, headers, signal: end.signal }),
        end.signal,
      );
      const reason = judge(statusCode, given);
      if (reason !== null) {
        // It tells of its own end as of an error.
        body.on('error', () => undefined).destroy();
        throw reason;
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

  #reasonOf(error: unknown, isLate: boolean, timeoutMs: number): string {
    if (isLate) return `no answer within ${formatExactTimeSpan(timeoutMs)}`;
    return this.#options.redact(connectionErrorMessage(error));
  }

  #deadline(timeoutMs: number, signal: AbortSignal) {
    const end = new AbortController();
    let isLate = false;
    const abort = () => end.abort();
    const cancelTimer = this.#options.clock.after(timeoutMs, () => {
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

function noFile(status: number): DownloadError | null {
  if (status === 200) return null;
  return new DownloadError(`the file server answered HTTP ${status}`, status >= 500);
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

async function textOf(body: AsyncIterable<Buffer>, mostBytes: number): Promise<string> {
  const bytes = await gatheredFrom(body, mostBytes);
  if (bytes === null) throw new Error(`the answer has more than ${mostBytes} bytes`);
  return bytes.toString();
}

/** Undefined: it is no JSON, or too costly to be read. */
export function jsonOf(text: string, mostOutsideStrings?: number): unknown {
  try {
    return parseJson(text, mostOutsideStrings);
  } catch {
    return undefined;
  }
}
