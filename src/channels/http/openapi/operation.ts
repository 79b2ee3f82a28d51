import type { z } from 'zod';
import type { ProblemKind } from '../problem.js';

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

/** Groups of operations, in the order in which a reader meets them. */
export const tags = {
  Messages: 'Post messages, read them and their replies, and follow them.',
  Sessions: 'Look at sessions, set how they behave, begin them anew, or delete them.',
  Questions: 'Answer what agents ask before they use a tool.',
  'Dead letters': 'See to messages that failed.',
  People: 'Decide who may write by the channels.',
  Tokens: 'Make and revoke tokens with scopes.',
  Health: 'Ask if the gateway lives and takes messages.',
  Agents: 'Send the reply of a turn later.',
  Platforms: 'Take requests of chat platforms and forges.',
  Description: 'Read this description.',
} as const;
export type OperationTag = keyof typeof tags;

/** The events of a stream, by name, with the schemas of their data. */
export interface EventStream {
  readonly events: Readonly<Record<string, z.ZodType>>;
  readonly description: string;
  readonly example: string;
}

/** A body that is a form with files. */
export interface FilesForm {
  /** The JSON of its first part. */
  readonly message: z.ZodType;
}

/** Bytes of any type. */
export interface AnyBytes {
  readonly bytes: string;
}

export type MediaContent = z.ZodType | EventStream | FilesForm | AnyBytes;

export interface HeaderDescription {
  readonly description: string;
  readonly schema: z.ZodType;
  /** True if each such answer has it. Default: false. */
  readonly always?: boolean;
}

export interface AnswerDescription {
  readonly description: string;
  readonly headers?: Readonly<Record<string, HeaderDescription>>;
  /** By media type. */
  readonly content?: Readonly<Record<string, MediaContent>>;
  readonly example?: unknown;
}

export interface RequestBodyDescription {
  /** False if the request may come without a body. */
  readonly required: boolean;
  readonly content: Readonly<Record<string, MediaContent>>;
  readonly examples?: Readonly<Record<string, unknown>>;
}

/** One call of the interface, as a client sees it. */
export interface Operation {
  readonly method: HttpMethod;
  /** As Fastify has it, such as "/v1/messages/:id". */
  readonly url: string;
  /** Names it in generated clients, in the words of its summary. */
  readonly id: string;
  readonly tag: OperationTag;
  readonly summary: string;
  readonly description?: string;
  /** Parameters of the address, each with a description. */
  readonly path?: Readonly<Record<string, z.ZodType>>;
  readonly query?: z.ZodObject;
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  readonly body?: RequestBodyDescription;
  /** By status. Errors that each such call has are added: see `problemsOf`. */
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  /** Errors of this call, beside those that each such call has. */
  readonly problems?: readonly ProblemKind[];
  /**
   * `token`, the default: the operator's token, or one with the scope that route-scopes.ts asks for. `reply-token`: the
   * token of an attempt of a turn. `open`: none.
   */
  readonly access?: 'token' | 'reply-token' | 'open';
}

/** The error of each such call, and its own. */
export function problemsOf(operation: Operation, isPersonal: boolean): ReadonlySet<ProblemKind> {
  const { method, access = 'token', body, query, headers, path, problems = [] } = operation;
  const kinds = new Set<ProblemKind>();
  if (access === 'token') kinds.add('forbidden');
  if (access !== 'open') {
    kinds.add('unauthorized').add('too-many-connections').add('store-unavailable');
    if (method !== 'GET' && method !== 'HEAD') kinds.add('store-full');
  }
  if (isPersonal) kinds.add('within-turn');
  const isChecked = query !== undefined || headers !== undefined || path?.['session'] !== undefined;
  if (access === 'token' && isChecked) kinds.add('invalid-parameter');
  if (access !== 'open' && body !== undefined) {
    kinds.add('malformed-request').add('body-too-large').add('unsupported-media-type').add('invalid-message');
  }
  return new Set([...kinds, ...problems]);
}
