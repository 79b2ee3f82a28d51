import type { Socket } from 'node:net';
import { type buildConnector, type Dispatcher, errors } from 'undici';
import { pacedConnector } from '../../../channels/paced-connector.js';

/** A receiver's answer. Only its status matters, and a `Retry-After`. */
export interface ReceiverAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface PostRequest {
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly signal: AbortSignal;
  /** The first byte goes out now: what ends before has surely not arrived. */
  readonly onStart: () => void;
}

/** More than this is not read of an answer's body. */
const longestBodyBytes = 64 * 1024;
/** Nor is it waited for longer than this once the status is known. */
const bodyTimeoutMs = 1_000;
/** Answers before the answer, such as 103 (Early Hints, RFC 8297). */
const mostInterimAnswers = 32;

/** Posts, and gives the answer once its body is read or no longer waited for. Rejects at once when it is aborted. */
export function post(dispatcher: Dispatcher, request: PostRequest): Promise<ReceiverAnswer> {
  const { url, headers, body } = request;
  return new Promise((resolve, reject) => {
    dispatcher.dispatch(
      { origin: url.origin, path: url.pathname + url.search, method: 'POST', headers, body },
      new Exchange(request, resolve, reject),
    );
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: PostRequest;
  readonly #resolve: (answer: ReceiverAnswer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort = () => {
    // undici passes an abort on to a connection only. One that is not there yet is not waited for.
    this.#reject(this.#request.signal.reason);
    this.#controller?.abort(this.#request.signal.reason);
  };
  #controller: Dispatcher.DispatchController | null = null;
  #answer: ReceiverAnswer | null = null;
  #interimAnswers = 0;
  #bodyBytes = 0;
  #bodyTimer: NodeJS.Timeout | undefined;

  constructor(
    request: PostRequest,
    resolve: (answer: ReceiverAnswer) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Called once there is a connection, just before the request is written to it. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { signal, onStart } = this.#request;
    if (signal.aborted) {
      controller.abort(signal.reason);
      return;
    }
    this.#controller = controller;
    onStart();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: ReceiverAnswer['headers'],
  ): void {
    if (statusCode < 200) {
      this.#interimAnswers += 1;
      if (this.#interimAnswers > mostInterimAnswers) {
        controller.abort(new Error('it sends answers before its answer (1xx) without end'));
      }
      return;
    }
    this.#answer = { statusCode, headers };
    // Read to its end, so that the connection can be used again.
    this.#bodyTimer = setTimeout(() => controller.abort(new Error('the body is late')), bodyTimeoutMs);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > longestBodyBytes) controller.abort(new Error('the body is too long'));
  }

  onResponseEnd(): void {
    this.#end(null);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(error);
  }

  /** A fault of the body doesn't change the status. */
  #end(error: Error | null): void {
    clearTimeout(this.#bodyTimer);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    const answer = this.#answer ?? (error === null ? null : unreadableAnswer(error));
    if (answer === null) this.#reject(error);
    else this.#resolve(answer);
  }
}

/** The status line of the answer whose other headers could not be read; by the error that came of it. */
const statusOfUnreadable = new WeakMap<Error, number>();

function unreadableAnswer(error: Error): ReceiverAnswer | null {
  const isOfHeaders =
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError;
  const statusCode = isOfHeaders ? statusOfUnreadable.get(error) : undefined;
  return statusCode === undefined ? null : { statusCode, headers: {} };
}

/** Bytes of an answer that are parsed in one turn of the event loop. Most answers have fewer. */
const bytesOfTurn = 1_024;

/** Connects to receivers: no answer holds up the event loop, and the status of one that can't be read is known. */
export function receiverConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = pacedConnector(options, bytesOfTurn);
  return (target, callback) =>
    connect(target, (...outcome) => {
      const [, socket] = outcome;
      if (socket) noteStatus(socket);
      callback(...outcome);
    });
}

const statusLine = /^HTTP\/1\.[01] (\d{3})/;

/**
 * Remembers the status of the answer under way for the error of a header that undici's parser takes for none. undici also
 * ends a connection at a 100 that it has not asked for, which RFC 9110, section 15.2 forbids: it gets it as a 102.
 */
function noteStatus(socket: Socket): void {
  const read = socket.read.bind(socket);
  const write = socket.write.bind(socket) as (...parameters: unknown[]) => boolean;
  const destroy = socket.destroy.bind(socket);
  let status: number | null = null;
  socket.read = (size?: number) => {
    const chunk: Buffer | null = read(size);
    if (chunk === null || status !== null) return chunk;
    const found = Number(statusLine.exec(chunk.toString('latin1', 0, 12))?.[1]);
    if (found === 100) return Buffer.concat([Buffer.from('HTTP/1.1 102'), chunk.subarray(12)]);
    if (found >= 200) status = found;
    return chunk;
  };
  // The next request on the connection: undici sends one at a time.
  socket.write = (...parameters: unknown[]) => {
    status = null;
    return write(...parameters);
  };
  socket.destroy = (error?: Error) => {
    if (error !== undefined && status !== null) statusOfUnreadable.set(error, status);
    return destroy(error);
  };
}
