import type { z } from 'zod';
import { type Mistake, Problem } from './problem.js';

type Issue = z.core.$ZodIssue;

/** With the input, what is missing can be told from what has a wrong type. */
const reporting = { reportInput: true } as const;

/** Mistakes that an answer names, so that it is not many times as long as its request. */
const mostMistakes = 20;

/** Checks a request's body; throws the 422 that names each mistake and where it is. */
export function validateBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body, reporting);
  if (result.success) return result.data;
  const errors = result.error.issues.flatMap(bodyMistakes);
  throw problemOfMistakes('invalid-message', errors);
}

/** The 422 for one member of the body. */
export function memberProblem(path: readonly PropertyKey[], detail: string): Problem {
  return problemOfMistakes('invalid-message', [{ pointer: pointer(path), detail }]);
}

/** Checks the query's parameters; throws the 400 that names each mistake. */
export function validateQuery<Schema extends z.ZodType>(schema: Schema, query: unknown): z.output<Schema> {
  const result = schema.safeParse(query, reporting);
  if (result.success) return result.data;
  const errors = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ parameter: shorten(key), detail: 'is not a known parameter' }))
      : [{ parameter: shorten(issue.path.join('.')), detail: describe(issue) }],
  );
  throw problemOfMistakes('invalid-parameter', errors);
}

/** Checks one parameter of the path, or one header. */
export function validateOne<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  location: { readonly parameter: string } | { readonly header: string },
): z.output<Schema> {
  const result = schema.safeParse(value, reporting);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({ ...location, detail: describe(issue) }));
  throw problemOfMistakes('invalid-parameter', errors);
}

function problemOfMistakes(
  kind: 'invalid-message' | 'invalid-parameter',
  errors: readonly Mistake[],
): Problem {
  return new Problem(kind, sentence(errors), { errors: errors.slice(0, mostMistakes) });
}

function bodyMistakes(issue: Issue): Mistake[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: pointer([...issue.path, key]),
      detail: 'is not a known member',
    }));
  }
  return [{ pointer: pointer(issue.path), detail: describe(issue) }];
}

/** As the URI fragment of RFC 6901, section 6, like RFC 9457 shows it. */
function pointer(path: readonly PropertyKey[]): string {
  const tokens = path.map((part) => {
    const token = shorten(String(part)).replaceAll('~', '~0').replaceAll('/', '~1');
    // An unpaired surrogate has no percent-encoding.
    return `/${encodeURIComponent(token.replace(/\p{Surrogate}/gu, '\ufffd'))}`;
  });
  return `#${tokens.join('')}`;
}

function describe(issue: Issue): string {
  if (issue.code === 'invalid_type') {
    return issue.input === undefined && issue.path.length > 0
      ? 'is missing'
      : `must be ${article(issue.expected)}`;
  }
  // A message of the schema's own says more.
  if ((issue.code === 'too_small' || issue.code === 'too_big') && !issue.message.startsWith('Too')) {
    return issue.message;
  }
  if (issue.code === 'too_small') {
    if (issue.origin === 'string' && issue.minimum === 1) return 'must not be empty';
    return `must be at least ${issue.minimum}${unit(issue.origin)}`;
  }
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${unit(issue.origin)}`;
  return issue.message;
}

function unit(origin: string): string {
  return origin === 'string' ? ' characters long' : '';
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

/** Bounds the length of names that came from the client and go back to it. */
function shorten(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 64)}…`;
}

function sentence(errors: readonly Mistake[]): string {
  const first = errors[0];
  if (first === undefined) return 'The request is not valid.';
  const location =
    'pointer' in first
      ? first.pointer === '#'
        ? 'The body'
        : `"${first.pointer.slice(2)}"`
      : 'header' in first
        ? `The header ${first.header}`
        : `The parameter "${first.parameter}"`;
  const others = errors.length - 1;
  const more = others === 0 ? '.' : `, and ${others} more.`;
  return `${location} ${first.detail}${more}`;
}
