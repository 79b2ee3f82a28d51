import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { errorMessage } from '../../text/failure-text.js';
import { connectProven, UnprovenError } from './peer.js';

/** No gateway answers at the address. */
export class UnreachableError extends Error {
  constructor(address: string, options: ErrorOptions) {
    const reason = errorMessage(options.cause);
    super(`no gateway answers at ${address}: ${reason}`, options);
    this.name = 'UnreachableError';
  }
}

export interface GatewayAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The parsed JSON; null if there is no body, or it is something else. */
  readonly body: Readonly<Record<string, unknown>> | null;
}

/** Longest answer that is read, in bytes. */
const maxAnswerBytes = 128 * 1024 * 1024;
/** Longest silence of a gateway that was not asked to wait, in milliseconds: one that hangs accepts connections, too. */
const defaultSilenceMs = 60_000;
/** The longest that a timer of Node.js takes, in milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

/** Asks one gateway over TCP or a Unix socket (`unix:/PATH`). */
export class GatewayClient {
  readonly #address: string;
  readonly #token: string;
  readonly #trusted: ReadonlySet<number> | null;

  /** Sends nothing unless one of the `trusted` users answers; null: it trusts whoever answers. */
  constructor(address: string, token: string, trusted: ReadonlySet<number> | null = null) {
    this.#address = address;
    this.#token = token;
    this.#trusted = trusted;
  }

  /** `silenceMs`: how long it may say nothing, in milliseconds. */
  post(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
    silenceMs = defaultSilenceMs,
  ): Promise<GatewayAnswer> {
    return this.#ask('POST', path, JSON.stringify(body), headers, silenceMs);
  }

  /** `signal` ends the request, which then rejects with an UnreachableError. */
  get(path: string, silenceMs = defaultSilenceMs, signal?: AbortSignal): Promise<GatewayAnswer> {
    return this.#ask('GET', path, null, {}, silenceMs, signal);
  }

  #ask(
    method: string,
    path: string,
    body: string | null,
    headers: Readonly<Record<string, string>>,
    silenceMs: number,
    signal?: AbortSignal,
  ): Promise<GatewayAnswer> {
    const unix = this.#address.startsWith('unix:') ? this.#address.slice('unix:'.length) : null;
    const base = new URL(unix === null ? this.#address : 'http://localhost');
    const url = new URL(path, base);
    const options: RequestOptions = {
      method,
      timeout: Math.min(silenceMs, maxTimerMs),
      headers: {
        Authorization: `Bearer ${this.#token}`,
        ...(body === null
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
        ...headers,
      },
      ...(unix === null ? {} : { socketPath: unix }),
      ...(signal === undefined ? {} : { signal }),
    };
    const trusted = this.#trusted;
    if (trusted !== null) {
      options.createConnection = ({ host, port }, done) => {
        connectProven(this.#address, { host, port, unix }, trusted, Math.min(silenceMs, maxTimerMs), done);
        return undefined;
      };
    }
    return new Promise((resolve, reject) => {
      const send = base.protocol === 'https:' ? requestSecurely : request;
      const outgoing = send(url, options, (incoming) => {
        readJson(incoming).then(
          (answer) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: answer }),
          (cause) => reject(new UnreachableError(this.#address, { cause })),
        );
      });
      outgoing.on('error', (cause) => {
        reject(cause instanceof UnprovenError ? cause : new UnreachableError(this.#address, { cause }));
      });
      outgoing.on('timeout', () => {
        outgoing.destroy(new Error(`nothing came within ${Math.ceil(silenceMs / 1_000)} s; it may hang`));
      });
      outgoing.end(body ?? undefined);
    });
  }
}

async function readJson(incoming: IncomingMessage): Promise<Readonly<Record<string, unknown>> | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new Error(`the answer is longer than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
