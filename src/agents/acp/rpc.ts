import type { Writable } from 'node:stream';
import { parseJson } from '../../text/bounded-json.js';

/**
 * JSON-RPC 2.0 (https://www.jsonrpc.org/specification), both sides of it, one object a line. The types of messages are those of
 * ACP's SDK. Its connection is not used: it reads faster than its reader takes, answers garbage, and holds without a bound
 * what the agent does not read.
 */

/** An answer of the other side, or ours to it, that is an error. */
export class RpcError extends Error {
  constructor(
    /** Null: the agent gave none. */
    readonly code: number | null,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
    this.name = 'RpcError';
  }
}

export const methodNotFound = -32601;
export const invalidRequest = -32600;
export const invalidParams = -32602;
/** ACP, "Errors". */
export const resourceNotFound = -32002;
const internalError = -32603;
/** ACP, "Cancellation": the answer to a request that was taken back. */
const requestCancelled = -32800;

export interface RpcHandlers {
  /** Gives the result, or rejects with an `RpcError`. `signal` is aborted if the request is taken back. */
  request(method: string, params: unknown, signal: AbortSignal): Promise<unknown>;
  notification(method: string, params: unknown): void;
  /** A line that is no message. */
  garbage(line: string): void;
  /** The other side takes no more: nothing will come of this connection. */
  stuck(reason: string): void;
}

interface Pending {
  /** Called before the next line is taken. */
  answered(): void;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Requests of the other side that may be unanswered at a time, and the characters that they may have together. */
const mostRequests = 100;
const mostRequestCharacters = 16 * 1_024 ** 2;
/** Longest id of a request in characters. */
const longestId = 1_000;

/** Bytes that may wait for the other side to read them, beside the largest message. */
const mostUnreadBytes = 4 * 1024 ** 2;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export class RpcConnection {
  readonly #pending = new Map<number, Pending>();
  readonly #requests = new Map<unknown, AbortController>();
  /** Several may have one id. */
  #unanswered = 0;
  #unansweredCharacters = 0;
  #nextId = 0;
  #largestBytes = 0;
  #closed: Error | null = null;

  constructor(
    private readonly output: Writable,
    private readonly handlers: RpcHandlers,
  ) {}

  /**
   * Rejects with the answer's `RpcError`, or with the reason of the connection's end. `answered` is called as the answer
   * comes, before the next line is taken.
   */
  request(method: string, params: unknown, answered: () => void = () => undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) {
        reject(this.#closed);
        return;
      }
      const id = this.#nextId;
      this.#nextId += 1;
      this.#pending.set(id, { answered, resolve, reject });
      this.#send({ jsonrpc: '2.0', id, method, params });
    });
  }

  notify(method: string, params: unknown): void {
    this.#send({ jsonrpc: '2.0', method, params });
  }

  /** Takes one line of the other side. */
  receive(line: string): void {
    if (line.trim() === '' || this.#closed !== null) return;
    let message: unknown;
    try {
      message = parseJson(line);
    } catch {
      this.handlers.garbage(line);
      return;
    }
    if (!isObject(message)) this.handlers.garbage(line);
    else if (typeof message['method'] === 'string') {
      this.#called(message['method'], message, line.length);
    } else if (!this.#answered(message)) this.handlers.garbage(line);
  }

  /** Rejects what is unanswered; nothing is sent or taken from now on. */
  close(reason: Error): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    for (const controller of this.#requests.values()) controller.abort(reason);
    this.#requests.clear();
  }

  #called(method: string, message: Readonly<Record<string, unknown>>, length: number): void {
    const params = message['params'];
    if ('id' in message) {
      const { id } = message;
      if (typeof id === 'number' || id === null || (typeof id === 'string' && id.length <= longestId)) {
        void this.#answer(id, method, params, length);
      } else this.#fail(null, new RpcError(invalidRequest, 'the id is no number and no short text'));
    } else if (method === '$/cancel_request') {
      const id = isObject(params) ? params['requestId'] : undefined;
      this.#requests.get(id)?.abort(new RpcError(requestCancelled, 'the request was taken back'));
    } else {
      this.handlers.notification(method, params);
    }
  }

  async #answer(id: unknown, method: string, params: unknown, length: number): Promise<void> {
    if (this.#unanswered >= mostRequests) {
      this.#fail(id, new RpcError(invalidRequest, `more than ${mostRequests} requests are unanswered`));
      return;
    }
    if (this.#unansweredCharacters + length > mostRequestCharacters) {
      this.#fail(id, new RpcError(invalidRequest, 'the unanswered requests are too large together'));
      return;
    }
    this.#unanswered += 1;
    this.#unansweredCharacters += length;
    const controller = new AbortController();
    this.#requests.set(id, controller);
    try {
      const result = await this.handlers.request(method, params, controller.signal);
      this.#send({ jsonrpc: '2.0', id, result });
    } catch (error) {
      this.#fail(id, error);
    } finally {
      this.#unanswered -= 1;
      this.#unansweredCharacters -= length;
      if (this.#requests.get(id) === controller) this.#requests.delete(id);
    }
  }

  #fail(id: unknown, error: unknown): void {
    const { code, message } =
      error instanceof RpcError ? error : { code: internalError, message: 'internal error' };
    this.#send({ jsonrpc: '2.0', id, error: { code, message } });
  }

  /** False if it answers nothing that was asked: it came late or twice, or is no answer at all. */
  #answered(message: Readonly<Record<string, unknown>>): boolean {
    const id = message['id'];
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
    if (pending === undefined || typeof id !== 'number') return false;
    const error = message['error'];
    if (isObject(error)) {
      const { code, message: text, data } = error;
      this.#pending.delete(id);
      pending.answered();
      const reason = typeof text === 'string' ? text : 'an error without a message';
      pending.reject(new RpcError(typeof code === 'number' ? code : null, reason, data));
      return true;
    }
    if (!('result' in message)) return false;
    this.#pending.delete(id);
    pending.answered();
    pending.resolve(message['result']);
    return true;
  }

  #send(message: object): void {
    if (this.#closed !== null || !this.output.writable) return;
    const line = `${JSON.stringify(message)}\n`;
    this.#largestBytes = Math.max(this.#largestBytes, Buffer.byteLength(line));
    this.output.write(line);
    if (this.output.writableLength > this.#largestBytes + mostUnreadBytes) {
      this.handlers.stuck('it does not read what it is sent');
    }
  }
}
