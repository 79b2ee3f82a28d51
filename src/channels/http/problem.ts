import type { ServerResponse } from 'node:http';
import type { JsonValue, Metadata } from '../../store/messages.js';
import type { ProblemBody } from './openapi/problems.js';

/** Kinds of errors that the HTTP interface answers with (docs/http.md), by the last part of their `type`. */
export const problemKinds = {
  'malformed-request': { status: 400, title: 'The request is not well-formed' },
  'invalid-parameter': { status: 400, title: 'A parameter or header is not valid' },
  unauthorized: { status: 401, title: 'A valid token is required' },
  'wrong-signature': { status: 401, title: 'A valid signature is required' },
  forbidden: { status: 403, title: 'The token may not do this' },
  'within-turn': { status: 403, title: 'A running turn may not do this' },
  'not-found': { status: 404, title: 'There is nothing under this address' },
  'unknown-attachment': { status: 404, title: 'There is no such file' },
  'unknown-code': { status: 404, title: 'Nobody waits with this code' },
  'unknown-message': { status: 404, title: 'There is no such message' },
  'unknown-person': { status: 404, title: 'There is no such person' },
  'unknown-question': { status: 404, title: 'There is no such question' },
  'unknown-session': { status: 404, title: 'There is no such session' },
  'unknown-token': { status: 404, title: 'There is no such token' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'idempotency-conflict': { status: 409, title: 'The idempotency key was used for another message' },
  'not-cancellable': { status: 409, title: 'The message has come to its end' },
  'not-dead': { status: 409, title: 'The message is not dead' },
  'question-closed': { status: 409, title: 'The question takes no answer any more' },
  busy: { status: 409, title: 'The message is in use just now' },
  'turn-ended': { status: 409, title: 'The attempt of the turn has ended' },
  'ambiguous-person': { status: 409, title: 'Several channels know such a person' },
  'token-exists': { status: 409, title: 'There is such a token' },
  'body-too-large': { status: 413, title: 'The request body is too large' },
  'address-too-long': { status: 414, title: 'The request address is too long' },
  'unsupported-media-type': { status: 415, title: 'The request body is not JSON' },
  'expectation-failed': { status: 417, title: 'The expectation of the request cannot be met' },
  'invalid-message': { status: 422, title: 'The message is not valid' },
  'queue-full': { status: 429, title: 'Too many messages are waiting' },
  'headers-too-large': { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'The gateway failed' },
  'not-ready': { status: 503, title: 'The gateway is not ready' },
  'too-many-connections': { status: 503, title: 'Too many connections are busy' },
  'too-many-uploads': { status: 503, title: 'Too many uploads are under way' },
  'store-unavailable': { status: 503, title: 'The store cannot take the message now' },
  'store-full': { status: 507, title: 'The store has no room' },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly title: string }>>;

export type ProblemKind = keyof typeof problemKinds;

/** One mistake in the request: where, as a JSON pointer into the body (RFC 6901) or by name, and what. */
export type Mistake =
  | { readonly pointer: string; readonly detail: string }
  | { readonly parameter: string; readonly detail: string }
  | { readonly header: string; readonly detail: string };

export interface ProblemOptions {
  readonly errors?: readonly Mistake[];
  /** Further members, beside those of the RFC. */
  readonly facts?: Readonly<Record<string, JsonValue>>;
  /** Seconds, for `Retry-After` (RFC 9110, 10.2.3). */
  readonly retryAfter?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer other than success: problem details as in RFC 9457. */
export class Problem extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #extensions: { readonly errors?: readonly Mistake[]; readonly facts?: Metadata };

  constructor(
    readonly kind: ProblemKind,
    readonly detail: string,
    options: ProblemOptions = {},
  ) {
    super(detail);
    this.name = 'Problem';
    this.status = problemKinds[kind].status;
    const { errors, facts } = options;
    this.#extensions = { ...(errors && { errors }), ...(facts && { facts }) };
    const retry = options.retryAfter === undefined ? {} : { 'Retry-After': String(options.retryAfter) };
    this.headers = { ...options.headers, ...retry };
  }

  get errors(): readonly Mistake[] {
    return this.#extensions.errors ?? [];
  }

  /** The body, as `application/problem+json`. */
  body(): string {
    const { title, status } = problemKinds[this.kind];
    const type = `urn:sd-gateway:problem:${this.kind}`;
    const body: ProblemBody = { type, title, status, detail: this.detail, ...this.#extensions };
    return JSON.stringify(body);
  }
}

export const problemContentType = 'application/problem+json';

/** For requests that get no further than this; the connection is closed after it. */
export function writeProblem(response: ServerResponse, problem: Problem): void {
  response.writeHead(problem.status, {
    ...problem.headers,
    'Content-Type': problemContentType,
    Connection: 'close',
  });
  response.end(problem.body());
}
