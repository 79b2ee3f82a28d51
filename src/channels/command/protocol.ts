import { z } from 'zod';
import { type JsonValue, jsonMistake, type Metadata } from '../../store/messages.js';
import { parseJson } from '../../text/bounded-json.js';
import { boundedList } from '../bounded-list.js';
import { textUnits } from '../reply-text/text-unit.js';
import { textForms } from './command-parts.js';
import type { HandedFile } from './handed-files.js';

/** The lines between the gateway and the program of a channel (docs/channels/protocol.md): pure functions. */

export const protocolVersion = 1;

/** Longest line of either side, in bytes, without its line feed. */
export const longestLineBytes = 1024 ** 2;

export const capabilities = ['reconcile', 'idempotent', 'files'] as const;

/**
 * The program can tell what became of a send ("reconcile"); its platform takes a send that comes twice under one id for
 * one ("idempotent"); it sends files ("files").
 */
export type Capability = (typeof capabilities)[number];

/** Further things that this gateway takes: files of messages. A program that is not told so leaves them out. */
export const gatewayCapabilities = ['attachments'] as const;

export interface StartOrder {
  readonly channel: string;
  readonly secret: string | null;
  /** The cursor of the last message that is on disk; null: there was none. */
  readonly cursor: JsonValue;
}

/** One part of a reply that the program is to send. */
export interface SendOrder {
  /** The same for each attempt, and no other part's. */
  readonly id: string;
  readonly to: string;
  readonly text: string;
  /** 1 for the first. */
  readonly part: number;
  /** The number of parts. */
  readonly parts: number;
  readonly attempt: number;
  /** Names of files that belong to the reply. */
  readonly files: readonly string[];
  /** The files themselves, for a program that sends files. */
  readonly attachments?: readonly HandedFile[];
}

export type GatewayLine =
  | ({
      readonly type: 'start';
      readonly protocol: number;
      readonly capabilities: readonly string[];
    } & StartOrder)
  | { readonly type: 'stored'; readonly id: string }
  | { readonly type: 'refused'; readonly id: string; readonly reason: string }
  | ({ readonly type: 'send' } & SendOrder)
  | { readonly type: 'reconcile'; readonly id: string; readonly to: string }
  | { readonly type: 'health'; readonly id: string }
  | { readonly type: 'stop' };

/** Writes one line. `files` and `parts` stand there only if they say something. */
export function encodeLine(line: GatewayLine): string {
  if (line.type !== 'send') return `${JSON.stringify(line)}\n`;
  const { files, parts, ...rest } = line;
  const further = { ...(parts > 1 && { parts }), ...(files.length > 0 && { files }) };
  return `${JSON.stringify({ ...rest, ...further })}\n`;
}

/** NUL and unpaired surrogates: text that not every database keeps as it is. */
const unstorable = /[\0\p{Surrogate}]/u;

const isStorable = (text: string) => !unstorable.test(text);
const unstorableMessage = 'must not hold U+0000 or unpaired surrogates';

const name = (longest: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(longest, `must have at most ${longest} characters`)
    .refine(isStorable, unstorableMessage);

const id = name(255);

/** A text of this size fits a line, whatever escapes JSON needs. */
const mostTextBytes = 170_000;
const leastTextLimit = 40;

const reason = z.string().transform((text) => text.slice(0, longestReason));

/** Longest reason that is kept, in characters. */
const longestReason = 1_000;

const mostMetadataBytes = 16_384;
const mostCursorBytes = 65_536;

/** The escapes that JSON.stringify writes for NUL and for unpaired surrogates, and for nothing else. */
const escapedUnstorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

const deepestJson = 16;

const jsonOf = (mostBytes: number) =>
  z.custom<JsonValue>().superRefine((value, context) => {
    const mistake = jsonMistake(value, deepestJson) ?? sizeMistake(JSON.stringify(value), mostBytes);
    if (mistake !== null) context.addIssue({ code: 'custom', message: mistake });
  });

function sizeMistake(json: string, mostBytes: number): string | null {
  if (Buffer.byteLength(json) > mostBytes) return `must not take more than ${mostBytes} bytes as JSON`;
  return escapedUnstorable.test(json) ? unstorableMessage : null;
}

const metadata = jsonOf(mostMetadataBytes)
  .refine(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be an object',
  )
  .transform((value) => value as Metadata);

/** A file of a message, which the program has put below its own directory. */
const inboundFile = z.object({
  /** Relative to that directory, or absolute. */
  path: name(1_024),
  /** As its sender calls it: never a path. */
  name: z.string().max(255).nullish(),
  media_type: z.string().max(255).nullish(),
});

export type InboundFile = z.output<typeof inboundFile>;

const mostInboundFiles = 100;

const inboundLine = z.object({
  type: z.literal('inbound'),
  id,
  chat: name(1_024),
  person: name(128),
  /** Empty only with files. */
  text: z.string().refine(isStorable, unstorableMessage),
  attachments: boundedList(inboundFile, mostInboundFiles).optional(),
  to: name(2_048).optional(),
  metadata: metadata.optional(),
  /** The name that the person has chosen. */
  name: z.string().max(1_024).nullish(),
  /** True if others read along. Absent: the program can't tell. */
  group: z.boolean().optional(),
  /** True if a message of a group mentions the gateway or answers it. */
  addressed: z.boolean().optional(),
  origin: z.enum(['written', 'forwarded', 'quoted', 'edited']).optional(),
  cursor: jsonOf(mostCursorBytes).optional(),
});

const whole = ({ text, attachments = [] }: z.output<typeof inboundLine>) =>
  text !== '' || attachments.length > 0;

/** A message was deleted on the platform. */
const deletedLine = z.object({
  type: z.literal('deleted'),
  id,
  chat: name(1_024),
  cursor: jsonOf(mostCursorBytes).optional(),
});

const programLines = [
  z.object({
    type: z.literal('ready'),
    protocol: z.int(),
    capabilities: boundedList(z.string()).default([]),
    /** The longest text of one send; the rest of a longer reply follows as further parts. */
    text_limit: z.int().min(leastTextLimit).max(mostTextBytes).default(mostTextBytes),
    text_unit: z.enum(textUnits).default('bytes'),
    text_form: z.enum(textForms).default('markdown'),
  }),
  inboundLine.refine(whole, { path: ['text'], message: 'must not be empty' }),
  deletedLine,
  z.object({ type: z.literal('sent'), id, receipt: jsonOf(mostMetadataBytes).nullable().default(null) }),
  z.object({
    type: z.literal('not_sent'),
    id,
    reason,
    /** Seconds. */
    retry_after: z.number().min(0).max(86_400).nullable().default(null),
    final: z.boolean().default(false),
  }),
  z.object({ type: z.literal('unknown'), id, reason: reason.default('the program does not know') }),
  z.object({ type: z.literal('healthy'), id: id.optional() }),
  z.object({ type: z.literal('unhealthy'), id: id.optional(), reason }),
] as const;

const programLine = z.discriminatedUnion('type', programLines);

export type ProgramLine = z.output<typeof programLine>;
export type InboundLine = z.output<typeof inboundLine>;
export type DeletedLine = z.output<typeof deletedLine>;
/** The end of a send or of a reconciliation. */
export type SendAnswer = Extract<ProgramLine, { readonly type: 'sent' | 'not_sent' | 'unknown' }>;

const types: readonly string[] = programLines.map(({ shape }) => shape.type.value);

export type ParsedLine =
  | { readonly ok: true; readonly line: ProgramLine }
  | {
      readonly ok: false;
      /** Names the line's mistake, without its content. */
      readonly problem: string;
      /** The id of a message that can't be taken; null if the line is none, or has no id. */
      readonly refuses: string | null;
    };

/** Reads a line of the program. Members that it does not know are left out. */
export function parseLine(text: string): ParsedLine {
  const wrong = (problem: string, refuses: string | null = null) =>
    ({ ok: false, problem, refuses }) as const;
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return wrong('it is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return wrong('it is no JSON object');
  const { type, id: given } = value as Readonly<Record<string, unknown>>;
  if (typeof type !== 'string') return wrong('its "type" is no text');
  if (!types.includes(type))
    return wrong(`this gateway knows no "type" ${JSON.stringify(type.slice(0, 40))}`);
  const parsed = programLine.safeParse(value);
  if (parsed.success) return { ok: true, line: parsed.data };
  const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
  const hasAnswer = type === 'inbound' || type === 'deleted';
  const refuses = hasAnswer && id.safeParse(given).success ? (given as string) : null;
  return wrong(`"${path.join('.')}" of "${type}": ${message}`, refuses);
}
