import { expect } from 'vitest';
import { openApiDocument } from '../../../../src/channels/http/openapi/document.js';
import type { HttpMethod } from '../../../../src/channels/http/openapi/operation.js';
import { AnswerCheck } from '../../../support/openapi/answer-check.js';
import { type Served, token } from '../http-fixture.js';

export interface Call {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Null: without a token. Default: the operator's. */
  readonly token?: string | null;
  /** Text of a stream of events, at which it is left. */
  readonly until?: string;
}

/** Calls routes, and has a validator check their answers against the description. */
export class CheckedCalls {
  readonly check = new AnswerCheck(openApiDocument('1.0.0'));
  readonly #served: () => Served;

  constructor(served: () => Served) {
    this.#served = served;
  }

  /** The answer as it comes, unchecked. */
  async request(method: string, path: string, call: Call = {}, at = this.#served()) {
    const { body, headers = {}, token: given = token, until } = call;
    const isJson = body !== undefined && typeof body !== 'string' && !(body instanceof FormData);
    const left = new AbortController();
    const response = await fetch(at.base + path, {
      method,
      headers: {
        ...(given !== null && { authorization: `Bearer ${given}` }),
        ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: isJson ? JSON.stringify(body) : ((body ?? null) as string | FormData | null),
      signal: left.signal,
    });
    let text = '';
    if (until === undefined) text = await response.text();
    else {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        if (text.includes(until) && text.endsWith('\n\n')) break;
      }
      left.abort();
    }
    return { status: response.status, headers: response.headers, body: text };
  }

  /** Calls, and checks the answer; gives its body. A GET is asked with HEAD as well. */
  async call(status: number, method: HttpMethod, path: string, options: Call = {}, at = this.#served()) {
    const answer = await this.request(method, path, options, at);
    const named = `${method} ${path}`;
    expect({ named, status: answer.status, body: answer.body }).toMatchObject({ named, status });
    expect({ named, mistakes: this.check.mistakes(method, path, answer) }).toEqual({ named, mistakes: [] });
    if (method === 'GET' && options.until === undefined && !/\/events\b|\bwait=/.test(path)) {
      const head = await this.request('HEAD', path, options, at);
      expect([named, head.status, head.body]).toEqual([named, status, '']);
      expect(head.headers.get('content-type')).toBe(answer.headers.get('content-type'));
    }
    return answer.body === '' ||
      !/^application\/(?:problem\+)?json/.test(answer.headers.get('content-type') ?? '')
      ? answer.body
      : JSON.parse(answer.body);
  }
}
