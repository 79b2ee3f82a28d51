import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
  request,
} from 'node:http';
import { request as requestSecurely } from 'node:https';
import { pipeline, Readable } from 'node:stream';
import { errorMessage } from '../../text/failure-text.js';
import { gatheredFrom } from '../../text/gathered-bytes.js';
import { linesOf } from '../../text/lines.js';
import type { StreamedBody } from './message-form.js';
import { connectProven, UnprovenError } from './proven-connection.js';

/** One line. OpenSSL's own words for a server without TLS tell nobody what to do. */
function reasonOf(cause: unknown, address: string): string {
  const reason = errorMessage(cause).replace(/\s+/g, ' ').trim();
  // A server that refuses this version of TLS has other words: the token is not to be sent to it in clear.
  return reason.includes('wrong version number')
    ? `it speaks no TLS; try ${address.replace(/^https:/, 'http:')}`
    : reason;
}

/** No gateway answers at the address. */
export class UnreachableError extends Error {
  /** `wasSent`: the gateway may have read the request, and done what it asks for. */
  constructor(
    readonly address: string,
    options: ErrorOptions,
    readonly wasSent = false,
  ) {
    const reason = reasonOf(options.cause, address);
    super(`no gateway answers at ${address}: ${reason}`, options);
    this.name = 'UnreachableError';
  }
}

/** The gateway went away behind a post, and did not come back. */
export class UnansweredPostError extends UnreachableError {
  constructor(
    { address, cause }: UnreachableError,
    readonly session: string,
  ) {
    super(address, { cause }, true);
    this.message = `the gateway at ${address} gave no answer (${reasonOf(cause, address)}): it may have accepted the message`;
    this.name = 'UnansweredPostError';
  }
}

export interface GatewayAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The parsed JSON; null if there is no body, or it is something else. */
  readonly body: Readonly<Record<string, unknown>> | null;
}

/** An event of a stream. */
export interface GatewayEvent {
  readonly event: string;
  /** The parsed JSON; null if there is none. */
  readonly data: Readonly<Record<string, unknown>> | null;
}

/** The gateway has answered something else than a stream. */
export class StreamRefusedError extends Error {
  constructor(readonly answer: GatewayAnswer) {
    super(`the gateway answered ${answer.status}`);
    this.name = 'StreamRefusedError';
  }
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

  /** Sends the body piece by piece, and no more of it once the answer is there. */
  postForm(
    path: string,
    body: StreamedBody,
    headers: Readonly<Record<string, string>>,
    silenceMs = defaultSilenceMs,
  ): Promise<GatewayAnswer> {
    return this.#ask('POST', path, body, headers, silenceMs);
  }

  put(path: string, body: unknown): Promise<GatewayAnswer> {
    return this.#ask('PUT', path, JSON.stringify(body), {}, defaultSilenceMs);
  }

  delete(path: string): Promise<GatewayAnswer> {
    return this.#ask('DELETE', path, null, {}, defaultSilenceMs);
  }

  /** `signal` ends the request, which then rejects with an UnreachableError. */
  get(path: string, silenceMs = defaultSilenceMs, signal?: AbortSignal): Promise<GatewayAnswer> {
    return this.#ask('GET', path, null, {}, silenceMs, signal);
  }

  /**
   * The events of a stream (text/event-stream, HTML Standard, 9.2). Throws a StreamRefusedError if there is none, and an
   * UnreachableError if it breaks.
   */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<GatewayEvent> {
    yield* this.#stream(path, readEvents, signal);
  }

  /** The bytes of an answer, such as a file. Throws as `events` does. */
  async *content(path: string): AsyncGenerator<Uint8Array> {
    yield* this.#stream(path, (incoming) => incoming as AsyncIterable<Buffer>);
  }

  async *#stream<Item>(
    path: string,
    read: (incoming: IncomingMessage) => AsyncIterable<Item>,
    signal?: AbortSignal,
  ): AsyncGenerator<Item> {
    const incoming = await this.#request('GET', path, null, {}, defaultSilenceMs, signal);
    const status = incoming.statusCode ?? 0;
    try {
      if (status !== 200) {
        throw new StreamRefusedError({ status, headers: incoming.headers, body: await readJson(incoming) });
      }
      yield* read(incoming);
    } catch (cause) {
      if (cause instanceof StreamRefusedError) throw cause;
      throw new UnreachableError(this.#address, { cause });
    } finally {
      incoming.destroy();
    }
  }

  async #ask(
    method: string,
    path: string,
    body: string | StreamedBody | null,
    headers: Readonly<Record<string, string>>,
    silenceMs: number,
    signal?: AbortSignal,
  ): Promise<GatewayAnswer> {
    const incoming = await this.#request(method, path, body, headers, silenceMs, signal);
    // Node.js takes it from an answer that has ended.
    const { socket } = incoming;
    try {
      const answer = await readJson(incoming);
      return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: answer };
    } catch (cause) {
      throw new UnreachableError(this.#address, { cause }, true);
    } finally {
      // The rest of a body that was answered is not sent.
      if (body !== null && typeof body !== 'string') socket.destroy();
    }
  }

  #request(
    method: string,
    path: string,
    body: string | StreamedBody | null,
    headers: Readonly<Record<string, string>>,
    silenceMs: number,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const unix = this.#address.startsWith('unix:') ? this.#address.slice('unix:'.length) : null;
    const base = new URL(unix === null ? this.#address : 'http://localhost');
    const url = new URL(path, base);
    const options: RequestOptions = {
      method,
      timeout: Math.min(silenceMs, maxTimerMs),
      headers: {
        Authorization: `Bearer ${this.#token}`,
        ...bodyHeaders(body),
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
      const outgoing = send(url, options, resolve);
      let isConnected = false;
      outgoing.once('socket', (socket) => {
        isConnected = !socket.connecting;
        // A connection that is kept serves many requests.
        if (isConnected) return;
        // Nothing of a request goes through before the TLS handshake has ended.
        socket.once(base.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
          isConnected = true;
        });
      });
      outgoing.on('error', (cause) => {
        reject(
          cause instanceof UnprovenError
            ? cause
            : new UnreachableError(this.#address, { cause }, isConnected),
        );
      });
      // Node.js sets no time on a socket of `createConnection` by itself.
      outgoing.setTimeout(Math.min(silenceMs, maxTimerMs), () => {
        outgoing.destroy(new Error(`nothing came within ${Math.ceil(silenceMs / 1_000)} s; it may hang`));
      });
      if (body === null || typeof body === 'string') outgoing.end(body ?? undefined);
      else sendInPieces(body, outgoing);
    });
  }
}

function bodyHeaders(body: string | StreamedBody | null): OutgoingHttpHeaders {
  if (body === null) return {};
  if (typeof body !== 'string') {
    // Else the gateway closes the connection behind an early answer, which is lost while more of the body is sent.
    const connection = { Connection: 'keep-alive' };
    return { ...connection, 'Content-Type': body.contentType, 'Content-Length': body.sizeBytes };
  }
  return { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
}

/** A failure ends the request, which tells it. */
function sendInPieces({ chunks }: StreamedBody, outgoing: ClientRequest): void {
  pipeline(Readable.from(chunks(), { objectMode: false }), outgoing, () => undefined);
}

async function readJson(incoming: IncomingMessage): Promise<Readonly<Record<string, unknown>> | null> {
  const bytes = await gatheredFrom(incoming, maxAnswerBytes);
  if (bytes === null) throw new Error(`the answer is longer than ${maxAnswerBytes} bytes`);
  return parsedObject(bytes.toString('utf8'));
}

function parsedObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Each event of the gateway has its data in one line. */
async function* readEvents(incoming: IncomingMessage): AsyncGenerator<GatewayEvent> {
  let event = 'message';
  let data: string | null = null;
  for await (const line of linesOf(incoming)) {
    if (line === '') {
      if (data !== null) yield { event, data: parsedObject(data) };
      event = 'message';
      data = null;
    } else if (line.startsWith('event: ')) event = line.slice('event: '.length);
    else if (line.startsWith('data: ')) data = line.slice('data: '.length);
  }
}
