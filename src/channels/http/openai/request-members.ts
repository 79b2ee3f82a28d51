import { z } from 'zod';
import { type JsonValue, jsonMistake, type Metadata } from '../../../store/messages.js';
import { bounds } from '../request-schema.js';
import { invalid } from './errors.js';

/** Members that requests of both kinds have. */
export const commonMembers = {
  model: z
    .string()
    .min(1)
    .max(bounds.agentLength * 8),
  stream: z.boolean().nullish(),
  user: z.string().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  tool_choice: z.unknown().optional(),
  tools: z.array(z.unknown()).nullish(),
  conversation: z.union([z.string().min(1), z.looseObject({ id: z.string().min(1) })]).nullish(),
  previous_response_id: z.string().min(1).nullish(),
} as const;

/** The client's own tools, which nobody here could call. */
export function refuseTools(choice: unknown): void {
  if (choice === undefined || choice === null || choice === 'none' || choice === 'auto') return;
  throw invalid(
    'tool_choice',
    'Tools of the client are not called here: the agent has its own. "tool_choice" must be "none" or "auto", or be left out.',
    'unsupported_value',
  );
}

/** Bytes of what is kept of a request beside its texts. */
const mostBytes = 64 * 1_024;

/** Members of no meaning here, for the message's metadata. */
export function furtherMembers(body: Readonly<Record<string, unknown>>, known: readonly string[]): Metadata {
  const rest = Object.fromEntries(
    Object.entries(body).filter(
      ([name, value]) => !known.includes(name) && value !== null && value !== undefined,
    ),
  ) as { readonly [key: string]: JsonValue };
  for (const [name, value] of Object.entries(rest)) {
    const mistake = jsonMistake(value, bounds.metadataDepth - 2);
    if (mistake !== null) throw invalid(name, `"${name}" ${mistake}`);
  }
  if (Buffer.byteLength(JSON.stringify(rest)) <= mostBytes) return storable(rest) as Metadata;
  throw invalid(
    Object.keys(rest)[0] ?? 'body',
    `Members beside the messages must not take more than ${mostBytes} bytes as JSON.`,
  );
}

/** Without U+0000 and unpaired surrogates, which not every database keeps. */
function storable(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.replace(/[\0\p{Surrogate}]/gu, '\ufffd');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(storable);
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [storable(name) as string, storable(each)]),
  );
}
