import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import { paceReads } from '../lifecycle/effects/paced-socket.js';
import { connectionErrorMessage } from '../text/failure-text.js';
import { gatheredFrom } from '../text/gathered-bytes.js';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Resolves the URL's name. Default: that of the system. */
  readonly lookup?: LookupFunction;
}

/** There is no answer, or not all of it. The message is the reason, such as "connect ECONNREFUSED 127.0.0.1:9". */
export class ExchangeError extends Error {
  constructor(
    /** False: there was no connection, so that the server knows nothing of the request. */
    readonly isConnected: boolean,
    cause: unknown,
  ) {
    super(connectionErrorMessage(cause), { cause });
    this.name = 'ExchangeError';
  }
}

/** Bytes of an answer's headers that are taken. */
const maxHeaderSize = 16 * 1_024;
/** Bytes of an answer that are parsed in one turn of the event loop: they may be chunks of a single byte. */
const bytesOfTurn = 4_096;

/**
 * Sends a request on a connection of its own, which ends with the signal or when the answer is destroyed. Gives the
 * answer once its headers are there.
 *
 * @throws ExchangeError, and the signal's reason
 */
export async function send({
  method,
  url,
  headers,
  body,
  signal,
  lookup,
}: HttpRequest): Promise<IncomingMessage> {
  signal.throwIfAborted();
  const options: RequestOptions = {
    method,
    headers: {
      ...headers,
      'accept-encoding': 'identity',
      'user-agent': 'sd-gateway',
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
      }),
    },
    agent: false,
    maxHeaderSize,
    signal,
    ...(lookup !== undefined && { lookup }),
  };
  const isSecure = url.protocol === 'https:';
  // Said, as NODE_TLS_REJECT_UNAUTHORIZED in the environment would else turn it off.
  const request = isSecure
    ? (await import('node:https')).request(url, { ...options, rejectUnauthorized: true })
    : httpRequest(url, options);
  let isConnected = false;
  request.once('socket', (socket: Socket) => {
    paceReads(socket, bytesOfTurn);
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      isConnected = true;
    });
  });
  request.end(body);
  try {
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    // Whoever reads it gets its errors; nobody may.
    answer.on('error', () => undefined);
    return answer;
  } catch (error) {
    // Errors that come later have nobody to be told to.
    request.on('error', () => undefined);
    request.destroy();
    signal.throwIfAborted();
    throw new ExchangeError(isConnected, error);
  }
}

/** Reads the answer's body, and closes the connection. @throws ExchangeError if it ends early, and the signal's reason */
export async function* bodyOf(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of answer) yield chunk as Buffer;
  } catch (error) {
    signal.throwIfAborted();
    throw new ExchangeError(true, error);
  } finally {
    answer.destroy();
  }
}

/** Reads a body of so many bytes at most. Null: it is longer. Throws as `bodyOf` does. */
export async function textOf(
  answer: IncomingMessage,
  limitBytes: number,
  signal: AbortSignal,
): Promise<string | null> {
  return (await gatheredFrom(bodyOf(answer, signal), limitBytes))?.toString() ?? null;
}

const errorLimitBytes = 16 * 1_024;
const errorTimeoutMs = 2_000;

/** The text of an error's answer: what has come of it within the limits. Rejects with the signal's reason only. */
export async function errorTextOf(answer: IncomingMessage, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let leftBytes = errorLimitBytes;
  const timer = setTimeout(() => answer.destroy(), errorTimeoutMs);
  try {
    for await (const chunk of answer) {
      chunks.push((chunk as Buffer).subarray(0, leftBytes));
      leftBytes -= (chunk as Buffer).length;
      if (leftBytes <= 0) break;
    }
  } catch {
    // The status is known, and what has come of the words will do.
    signal.throwIfAborted();
  } finally {
    clearTimeout(timer);
    answer.destroy();
  }
  return Buffer.concat(chunks).toString();
}

/** The type and subtype of the answer, in lower case; empty if it has none. */
export function mediaTypeOf({ headers }: IncomingMessage): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
