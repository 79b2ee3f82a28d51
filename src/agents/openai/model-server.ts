import type { IncomingMessage } from 'node:http';
import { AgentError } from '../agent.js';
import { bodyOf, ExchangeError, errorTextOf, send, textOf } from '../http-client.js';
import { BrokenAnswer, ServerAway, statusError } from './verdict.js';

/** A request to a model's server. */
export interface ServerRequest {
  readonly url: URL;
  /** Null: the server wants none. */
  readonly key: string | null;
  /** JSON that is posted; undefined: a GET. */
  readonly body?: string;
  /** The trace that it is part of; by default none. */
  readonly traceparent?: string | null;
  readonly signal: AbortSignal;
}

/**
 * Asks the server, and gives its answer if that is a success.
 *
 * @throws PassingFailure, AgentError, and the signal's reason
 */
export async function ask({
  url,
  key,
  body,
  traceparent = null,
  signal,
}: ServerRequest): Promise<IncomingMessage> {
  let answer: IncomingMessage;
  try {
    answer = await send({
      method: body === undefined ? 'GET' : 'POST',
      url,
      headers: {
        accept: body === undefined ? 'application/json' : 'text/event-stream, application/json',
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(traceparent !== null && { traceparent }),
      },
      ...(body !== undefined && { body }),
      signal,
    });
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    const [Failure, what] = error.isConnected
      ? [BrokenAnswer, 'gave no answer']
      : [ServerAway, 'can’t be reached'];
    const message = `the model’s server at ${url.origin} ${what}: ${error.message}`;
    throw new Failure(message, null, { cause: error });
  }
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status <= 299) return answer;
  throw statusError(status, answer.headers, await errorTextOf(answer, signal), Date.now());
}

/** Reads the answer's body. @throws BrokenAnswer if it ends early, and the signal's reason */
export async function* streamOf(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* bodyOf(answer, signal);
  } catch (error) {
    throw broken(error);
  }
}

/** Reads a body of so many bytes at most. Throws as `streamOf` does, and an AgentError if it is longer. */
export async function wholeOf(
  answer: IncomingMessage,
  limitBytes: number,
  signal: AbortSignal,
): Promise<string> {
  let text: string | null;
  try {
    text = await textOf(answer, limitBytes, signal);
  } catch (error) {
    throw broken(error);
  }
  if (text !== null) return text;
  const message = `the answer of the model’s server is larger than ${limitBytes} bytes`;
  throw new AgentError('bad-reply', message, true);
}

function broken(error: unknown): unknown {
  if (!(error instanceof ExchangeError)) return error;
  const message = `the connection to the model’s server broke within the answer: ${error.message}`;
  return new BrokenAnswer(message, null, { cause: error });
}

/** The error if the answer isn't of the types that are expected. */
export function unexpectedType(answer: IncomingMessage): AgentError {
  const type = JSON.stringify((answer.headers['content-type'] ?? '').slice(0, 100));
  return new AgentError(
    'unavailable',
    `the model’s server answered with the content type ${type}, not JSON or a stream of events; check agent.base_url, which usually ends in "/v1"`,
    false,
  );
}
