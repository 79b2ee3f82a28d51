import { hash } from 'node:crypto';
import { z } from 'zod';
import {
  type Attachment,
  type JsonValue,
  metadataMistake,
  sessionPolicies,
  unknownPolicies,
} from '../../store/messages.js';
import { boundedList } from '../bounded-list.js';
import { roles } from '../conversation/roles.js';
import { eventIdForm, parseEventId } from './streams/event-id.js';
import { scopes } from './tokens.js';

/** Bounds of what a request may hold, as documented in docs/http.md. */
export const bounds = {
  sessionLength: 128,
  idempotencyKeyLength: 255,
  senderLength: 128,
  agentLength: 32,
  channelLength: 32,
  urlLength: 2_048,
  fileNameLength: 255,
  metadataBytes: 16_384,
  metadataDepth: 16,
  pageLimit: 1_000,
  pageLimitDefault: 100,
  cursorLength: 1_024,
} as const;

/** NUL and unpaired surrogates: text that not every database keeps as it is. */
const unstorable = /[\0\p{Surrogate}]/u;
const unstorableMessage = 'must not hold U+0000 or unpaired surrogates';

/**
 * A session's name: characters that need no escape in an address, a log or a file name, and no name that an address
 * gives a meaning of its own.
 */
export const sessionName = z
  .string()
  .regex(
    /^(?!\.{1,2}$)[A-Za-z0-9._~:@+-]{1,128}$/,
    `must be 1 to ${bounds.sessionLength} of the characters A-Z a-z 0-9 . _ ~ : @ + - and neither "." nor ".."`,
  );

/** Visible ASCII, so that it is the same for every HTTP library. */
export const idempotencyKey = z
  .string()
  .regex(
    /^[\x21-\x7e]{1,255}$/,
    `must be 1 to ${bounds.idempotencyKeyLength} visible ASCII characters without spaces`,
  );

export const metadata = z.custom<{ readonly [key: string]: JsonValue }>().superRefine((value, context) => {
  const mistake = metadataMistake(value, bounds.metadataDepth) ?? textMistake(JSON.stringify(value));
  if (mistake !== null) context.addIssue({ code: 'custom', message: mistake });
});

/** Checks the metadata's text as it is stored; null if it is fine. */
function textMistake(json: string): string | null {
  if (Buffer.byteLength(json) > bounds.metadataBytes) {
    return `must not take more than ${bounds.metadataBytes} bytes as JSON`;
  }
  // JSON.stringify escapes NUL and unpaired surrogates, and nothing else, in this form.
  return /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/.test(json) ? unstorableMessage : null;
}

/** The text of a reply, which may be empty. */
export const replyText = z.string().refine((text) => !unstorable.test(text), unstorableMessage);

const targetAddress = () =>
  z
    .string()
    .min(1)
    .max(bounds.urlLength)
    .refine((address) => !unstorable.test(address), unstorableMessage);

export const urlTarget = z
  .strictObject({
    url: targetAddress(),
    idempotent: z.boolean().optional(),
    unknown: z.enum(unknownPolicies, 'must be "resend", "ask" or "drop"').optional(),
  })
  .refine(({ idempotent, unknown }) => unknown === undefined || idempotent === false, {
    path: ['unknown'],
    message: 'goes with "idempotent": false only',
  });

/** The channel says itself if it is idempotent. */
export const channelTarget = z.strictObject({
  channel: z.string().min(1).max(bounds.channelLength),
  to: targetAddress(),
});

/** The members tell which of the two it is, so that a mistake is named for that one. */
export const replyTarget = z.unknown().transform((value, context) => {
  const isChannel =
    typeof value === 'object' && value !== null && ('channel' in value || 'to' in value) && !('url' in value);
  const result = (isChannel ? channelTarget : urlTarget).safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  context.issues.push(...(result.error.issues as z.core.$ZodRawIssue[]));
  return z.NEVER;
});

export const fileUrl = z.strictObject({
  url: z
    .string()
    .min(1)
    .max(bounds.urlLength)
    .refine((url) => !unstorable.test(url), unstorableMessage),
  name: z.string().min(1, 'must not be empty').max(bounds.fileNameLength).optional(),
});

export const messageBody = z.strictObject({
  /** Empty only beside a file. */
  text: z.string().refine((text) => !unstorable.test(text), unstorableMessage),
  reply_to: replyTarget.optional(),
  metadata: metadata.optional(),
  attachments: boundedList(fileUrl).optional(),
  sender: z
    .string()
    .min(1, 'must not be empty')
    .max(bounds.senderLength)
    .refine((text) => !unstorable.test(text), unstorableMessage)
    .optional(),
});

export const policyBody = z.strictObject({
  policy: z.enum(sessionPolicies, 'must be "queue", "interrupt", "collect" or null').nullable(),
});

export const agentBody = z.strictObject({
  agent: z.string().min(1).max(bounds.agentLength).nullable(),
});

export type MessageBody = z.output<typeof messageBody>;

export const questionBody = z.strictObject({
  answer: z.enum(['allow', 'deny'], 'must be "allow" or "deny"'),
});

export const acceptBody = z.strictObject({
  code: z.string().min(1).max(64),
  role: z.enum(roles, `must be ${roles.map((role) => `"${role}"`).join(' or ')}`).default('user'),
});

export const forgetBody = z.strictObject({
  id: z.string().min(1).max(1_024),
  channel: z.string().min(1).max(bounds.channelLength).optional(),
});

const tokenName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}$/, 'must begin with a-z and have at most 32 of a-z, 0-9, "_" and "-"');

export const tokenBody = z.strictObject({
  name: tokenName,
  scopes: boundedList(z.enum(scopes, `must be one of ${scopes.join(', ')}`), 100, 'scopes', [
    1,
    'must name a scope',
  ]),
});

/** A file of a reply that comes later; its content in base64. */
export const replyFile = z.strictObject({
  name: z.string(),
  media_type: z.string().nullable().optional(),
  data: z.string(),
});

export const replyBody = z.strictObject({
  text: replyText,
  metadata: metadata.optional(),
  attachments: boundedList(replyFile).optional(),
});

/** The body of a request that says all by its address: nothing, or an empty object. */
export const noBody = z.strictObject({}).nullish();

const seconds = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,3})?$/, 'must be a number of seconds')
  .transform(Number)
  .pipe(z.number().min(0));

export const messageQuery = z
  .strictObject({
    wait: seconds.optional(),
    stream: z.enum(['true', 'false'], 'must be "true" or "false"').optional(),
  })
  .refine(({ wait, stream }) => wait === undefined || stream !== 'true', {
    path: ['wait'],
    message: 'does not go with "stream": a stream lasts until the message has come to its end',
  });

/** A message's `seq`; 0: before the first. */
const seq = z
  .string()
  .regex(/^\d{1,15}$/, 'must be the number of a message')
  .transform(Number)
  .pipe(z.int().min(0));

export const lastEventId = z
  .string()
  .regex(eventIdForm, 'must be the id of an event, or the number of a message')
  .transform(parseEventId);

export const eventQuery = z.strictObject({ after: seq.optional() });

const pageLimit = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a whole number')
  .transform(Number)
  .pipe(z.int().min(1).max(bounds.pageLimit));

export const historyQuery = z.strictObject({ limit: pageLimit.optional() });

export const routeQuery = z.strictObject({
  channel: z.string().min(1).max(bounds.agentLength).optional(),
  sender: z.string().min(1).max(bounds.senderLength).optional(),
});

export const pageQuery = z.strictObject({
  limit: pageLimit.optional(),
  after: z.string().min(1).max(bounds.cursorLength).optional(),
});

/**
 * SHA-256 of what an idempotency key stands for: the session, the body's content and the files, so that neither the order
 * of members nor white space makes another message of it. Metadata left out and empty are the same.
 */
export function fingerprint(
  session: string,
  body: MessageBody,
  files: readonly Attachment[] = [],
): Uint8Array {
  const target = body.reply_to;
  const address = target === undefined ? null : 'url' in target ? target.url : { ...target };
  const content: JsonValue[] = [session, body.text, address, body.metadata ?? {}];
  // Only where it says other than when it is left out: the fingerprints that are stored stay as they are.
  const { idempotent, unknown } = target !== undefined && 'url' in target ? target : {};
  if (idempotent === false) content.push({ idempotent, ...(unknown !== undefined && { unknown }) });
  if (body.sender !== undefined) content.push({ sender: body.sender });
  // The content behind a URL may change: it is the same message for all that.
  if (body.attachments !== undefined && body.attachments.length > 0) {
    content.push({ attachments: body.attachments.map(({ url, name = null }) => ({ url, name })) });
  } else if (files.length > 0) {
    content.push({ files: files.map(({ name, mediaType, sha256 }) => ({ name, mediaType, sha256 })) });
  }
  return hash('sha256', JSON.stringify(sorted(content)), 'buffer');
}

function sorted(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
