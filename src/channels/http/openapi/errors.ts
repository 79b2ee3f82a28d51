import { z } from 'zod';
import { type ProblemKind, problemContentType, problemKinds } from '../problem.js';
import { answerOf } from './contents.js';
import type { HeaderDescription } from './operation.js';
import { retryAfter } from './parameters.js';
import { problem } from './problems.js';
import type { JsonSchema, Schemas } from './schemas.js';

const challenge: HeaderDescription = {
  description: 'Says what is missing (RFC 6750).',
  schema: z.string(),
};

/** Kinds of errors that say when to ask again. */
const temporary: ReadonlySet<ProblemKind> = new Set([
  'busy',
  'queue-full',
  'too-many-connections',
  'too-many-uploads',
  'store-unavailable',
  'store-full',
]);

/** Names of answers for several kinds of errors that many operations have. An answer for one kind has its name. */
const names: Readonly<Record<string, string>> = {
  'malformed-request,invalid-parameter': 'BadRequest',
  'forbidden,within-turn': 'ForPeople',
  'too-many-connections,store-unavailable': 'Unavailable',
};

/** The answers that are errors. Operations refer to them, since most have the same ones. */
export class ErrorAnswers {
  readonly #schemas: Schemas;
  readonly #named = new Map<string, JsonSchema>();

  constructor(schemas: Schemas) {
    this.#schemas = schemas;
  }

  /** All that were referred to, in the order of their names. */
  get named(): JsonSchema {
    const answers = [...this.#named].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return { ...Object.fromEntries(answers), AnyError: anyError(this.#schemas) };
  }

  /** The errors of an operation, by status, and the one for all others. */
  of(kinds: ReadonlySet<ProblemKind>): JsonSchema {
    const answers = [...byStatus(kinds)].map(([status, list]) => {
      const answer = errorAnswer(status, list, this.#schemas);
      const name = list.length === 1 ? pascalCase(list.join()) : names[list.join()];
      if (name === undefined) return [String(status), answer];
      this.#named.set(name, answer);
      return [String(status), { $ref: `#/components/responses/${name}` }];
    });
    return { ...Object.fromEntries(answers), default: { $ref: '#/components/responses/AnyError' } };
  }

  /** The errors of a HEAD, which have no body. */
  withoutBody(kinds: ReadonlySet<ProblemKind>): JsonSchema {
    const answers = [...byStatus(kinds)].map(([status, list]) => {
      const { content: _, ...answer } = errorAnswer(status, list, this.#schemas);
      return [String(status), answer];
    });
    return { ...Object.fromEntries(answers), default: { description: 'Any other error.' } };
  }
}

function byStatus(kinds: ReadonlySet<ProblemKind>): ReadonlyMap<number, readonly ProblemKind[]> {
  const lists = new Map<number, ProblemKind[]>();
  for (const kind of Object.keys(problemKinds) as ProblemKind[]) {
    if (!kinds.has(kind)) continue;
    const { status } = problemKinds[kind];
    lists.set(status, [...(lists.get(status) ?? []), kind]);
  }
  return lists;
}

/** "unknown-message" as "UnknownMessage". */
function pascalCase(kind: string): string {
  return kind.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function errorAnswer(status: number, kinds: readonly ProblemKind[], schemas: Schemas): JsonSchema {
  const headers: Record<string, HeaderDescription> = {};
  if (status === 401) headers['WWW-Authenticate'] = { ...challenge, always: true };
  if (status === 403) headers['WWW-Authenticate'] = challenge;
  if (kinds.some((kind) => temporary.has(kind))) {
    headers['Retry-After'] = { ...retryAfter, always: kinds.every((kind) => temporary.has(kind)) };
  }
  const described = kinds.map((kind) => `\`${kind}\`: ${problemKinds[kind].title}.`);
  return {
    ...answerOf(
      {
        description: described.join(' '),
        ...(Object.keys(headers).length > 0 && { headers }),
        content: { [problemContentType]: problem },
      },
      schemas,
    ),
    'x-problems': kinds,
  };
}

/** The answer for each error that an operation doesn't name. */
function anyError(schemas: Schemas): JsonSchema {
  return answerOf(
    {
      description:
        'Any other error. The address does not take the method (405). The request came too slowly (408), or is too large (413, 414, 431). The gateway failed (500), or its store (503, 507).',
      headers: {
        'Retry-After': retryAfter,
        Allow: { description: 'The methods that the address takes (405).', schema: z.string() },
      },
      content: { [problemContentType]: problem },
    },
    schemas,
  );
}
