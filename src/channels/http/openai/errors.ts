import { internalProblem, problemOf } from '../failures.js';
import type { Mistake, Problem, ProblemKind } from '../problem.js';

/** Facts of an error, as OpenAI's API has them. */
export interface ErrorFacts {
  readonly message: string;
  readonly type: string;
  /** The member of the request that is wrong, such as "messages[0].content"; null: none. */
  readonly param: string | null;
  readonly code: string | null;
}

/** An answer other than success, in the shape of OpenAI's API. */
export class OpenAiError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly facts: ErrorFacts;

  constructor(
    status: number,
    message: string,
    facts: { readonly type?: string; readonly param?: string | null; readonly code?: string | null } = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = 'OpenAiError';
    this.status = status;
    this.headers = headers;
    const { type = 'invalid_request_error', param = null, code = null } = facts;
    this.facts = { message, type, param, code };
  }

  body(): string {
    return JSON.stringify({ error: this.facts });
  }
}

/** The 400 for one member of the request. */
export function invalid(param: string, message: string, code: string | null = 'invalid_value'): OpenAiError {
  return new OpenAiError(400, message, { param, code });
}

/** Clients of OpenAI's own make send a request again after a 409 and a 5xx, unless this tells them not to. */
export const noRetry = { 'x-should-retry': 'false' } as const;

const codes: Partial<Readonly<Record<ProblemKind, string>>> = {
  unauthorized: 'invalid_api_key',
  forbidden: 'insufficient_permissions',
  'not-found': 'unknown_url',
  'method-not-allowed': 'method_not_supported',
  'body-too-large': 'request_too_large',
  'queue-full': 'rate_limit_exceeded',
};

/** The answer to whatever a request's handling threw. */
export function openAiErrorOf(error: unknown): OpenAiError {
  return error instanceof OpenAiError ? error : ofProblem(problemOf(error) ?? internalProblem);
}

/** The kind under which the metrics count it; null: it has none. */
export function problemKindOf(error: unknown): ProblemKind | null {
  if (!(error instanceof OpenAiError)) return (problemOf(error) ?? internalProblem).kind;
  return error.status === 400 ? 'invalid-message' : error.status === 404 ? 'not-found' : null;
}

function ofProblem(problem: Problem): OpenAiError {
  const { kind, status, detail, headers, errors } = problem;
  const facts = {
    type: typeOf(kind, status),
    param: errors[0] === undefined ? null : paramOf(errors[0]),
    code: codes[kind] ?? kind.replaceAll('-', '_'),
  };
  const message = detail.replaceAll('http.body_limit', 'openai.body_limit');
  // Its body is well-formed, and is not what it should be: OpenAI's API has one status for both.
  const given = kind === 'invalid-message' ? 400 : status;
  return new OpenAiError(given, message, facts, status === 409 ? { ...headers, ...noRetry } : headers);
}

function typeOf(kind: ProblemKind, status: number): string {
  if (kind === 'queue-full') return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

/** `#/messages/0/role` is `messages[0].role`. */
function paramOf(mistake: Mistake): string {
  if ('parameter' in mistake) return mistake.parameter;
  if ('header' in mistake) return mistake.header;
  return mistake.pointer
    .slice(2)
    .split('/')
    .map(decodeURIComponent)
    .reduce(
      (path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`),
      '',
    );
}
