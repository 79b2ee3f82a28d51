import { z } from 'zod';
import { plainFileName, plainMediaType } from '../text/file-name.js';
import {
  type JsonValue,
  jsonMistake,
  type Metadata,
  metadataMistake,
  sessionPolicies,
  unknownPolicies,
} from './messages.js';

/**
 * The store as lines of JSON (docs/store.md): a header, the sessions, the messages in the order in which they were
 * accepted, the records, and an end by which it is seen that nothing is missing.
 */
export const archiveFormat = 'sd-gateway-archive';
export const archiveVersion = 1;

const time = z.iso.datetime({ precision: 3 }).transform((text) => Date.parse(text));
/** An unpaired surrogate has no UTF-8: the database would have U+FFFD in its place. */
const text = z.string().refine((value) => !/\p{Surrogate}/u.test(value), 'must not hold unpaired surrogates');
const count = z.int().min(0);
/** A message's number in its session, up to the largest that a client can name (`Last-Event-ID`). */
const seq = count.max(999_999_999_999_999);
/** Deeper than any that was accepted. */
const jsonDepth = 100;
/** As JSON.parse gave it: a copy, as z.json() makes it, would lack a member "__proto__". */
const metadata = z.custom<Metadata>().superRefine((value, context) => {
  const mistake = metadataMistake(value, jsonDepth);
  if (mistake !== null) context.addIssue({ code: 'custom', message: mistake });
});

/** Any value that JSON has, as JSON.parse gave it. */
const json = z
  .custom<JsonValue>((value) => value !== undefined, 'must be there')
  .superRefine((value, context) => {
    const mistake = jsonMistake(value, jsonDepth);
    if (mistake !== null) context.addIssue({ code: 'custom', message: mistake });
  });

/** Earlier exports have the URL alone, as there was one kind of target. */
function withTarget(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('url' in value)) return value;
  const { url, ...rest } = value;
  return { channel: 'webhook', address: url, ...rest };
}

/** Files of a message or of its reply; absent: none. */
const attachments = z
  .array(
    z.strictObject({
      id: text.min(1),
      // Whoever has edited the archive must not say where a file is written.
      name: text.transform(plainFileName),
      media_type: text.transform(plainMediaType),
      size: count,
      sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
    }),
  )
  .min(1)
  .optional();

/** Tokens that a reply took; absent: not known. */
const usage = z.strictObject({ input_tokens: count, output_tokens: count }).optional();

const session = z.strictObject({
  type: z.literal('session'),
  session: text.min(1),
  /** Number of its last message, which may be forgotten by now; 0: it never had one. */
  last_seq: seq,
  last_accepted_at: time,
  policy: z.enum(sessionPolicies).nullable().default(null),
  agent: text.nullable().default(null),
  generation: count.min(1).default(1),
  /** Number of the first message of the present generation. */
  first_seq: seq.min(1).default(1),
});

const message = z.strictObject({
  type: z.literal('message'),
  id: z.uuid(),
  session: text.min(1),
  seq: seq.min(1),
  state: z.enum(['queued', 'running', 'replied', 'delivered', 'dead', 'cancelled', 'collected']),
  text,
  metadata,
  sender: text.nullable().default(null),
  attachments,
  channel: text,
  generation: count.min(1).default(1),
  accepted_at: time,
  changed_at: time,
  retried_at: time.nullable(),
  attempts: count,
  /** Crashes of the gateway that its turn was under way at. */
  crashes: count.default(0),
  /** Stops that cut its turn off. */
  put_backs: count.default(0),
  error: text.nullable(),
  /** True if its turn is under way, or was when the gateway went down. */
  held: z.boolean(),
  /** True if its turn began once, though no attempt counts. */
  begun: z.boolean().default(false),
  /** Id of the message whose turn it is part of. */
  collected_in: z.uuid().nullable().default(null),
  reply_to: z.preprocess(
    withTarget,
    z
      .strictObject({
        channel: text.min(1),
        address: text,
        options: metadata.default({}),
        idempotent: z.boolean(),
        unknown: z.enum(unknownPolicies).nullable().default(null),
      })
      .nullable(),
  ),
  /** `fingerprint`: SHA-256 in hexadecimal digits. */
  idempotency: z
    .strictObject({
      key: text,
      fingerprint: z.string().regex(/^(?:[0-9a-f]{2})*$/i, 'must be bytes in hexadecimal digits'),
    })
    .nullable(),
  reply: z.strictObject({ text, metadata, attachments, usage, at: time }).nullable(),
  delivery: z
    .strictObject({
      kind: z.enum(['reply', 'notice']),
      webhook_id: text,
      state: z.enum(['pending', 'delivered', 'dead']),
      attempts: count,
      delivered_at: time.nullable(),
      last_error: text.nullable(),
      unknown: count,
      begun_at: time.nullable(),
      held: z.boolean(),
    })
    .nullable(),
  /** Parts of the reply that the channel has taken; part 0 is a preview. */
  parts: z.array(z.strictObject({ part: count, receipt: json, at: time })).default([]),
  /** Pieces that its agent has written of a reply that is not there yet. */
  deltas: z.array(z.strictObject({ position: count.min(1), attempt: count, text })).default([]),
});

/** A record that a channel or an agent keeps. */
const record = z.strictObject({
  type: z.literal('record'),
  kind: text.min(1),
  key: text.min(1),
  value: json,
  version: count,
  changed_at: time,
  expires_at: time.nullable(),
});

/** A chunk of a file, behind the message that has it. */
const blob = z.strictObject({
  type: z.literal('blob'),
  id: text.min(1),
  message: z.uuid(),
  /** 0, 1, 2, … */
  position: count,
  data: z.base64(),
});

const header = z.strictObject({
  type: z.literal('header'),
  format: z.literal(archiveFormat),
  version: z.literal(archiveVersion),
  exported_at: time,
});

const end = z.strictObject({
  type: z.literal('end'),
  sessions: count,
  messages: count,
  records: count.default(0),
  blobs: count.default(0),
});

const line = z.discriminatedUnion('type', [header, session, message, blob, record, end]);

export type ArchivedSession = z.output<typeof session>;
export type ArchivedMessage = z.output<typeof message>;
export type ArchivedRecord = z.output<typeof record>;
export type ArchivedBlob = z.output<typeof blob>;
export type ArchiveItem = ArchivedSession | ArchivedMessage | ArchivedBlob | ArchivedRecord;

/** The archive can't be used; the message says where and why. */
export class ArchiveError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ArchiveError';
  }
}

const timeMembers: ReadonlySet<string> = new Set([
  'accepted_at',
  'changed_at',
  'retried_at',
  'last_accepted_at',
  'exported_at',
  'delivered_at',
  'begun_at',
  'expires_at',
  'at',
]);

/** Times as RFC 3339 in UTC; members of metadata are left as they are. */
function formatLine(value: object): string {
  const shown = (members: object): object =>
    Object.fromEntries(
      Object.entries(members).map(([name, member]) => {
        if (timeMembers.has(name) && typeof member === 'number')
          return [name, new Date(member).toISOString()];
        if (name === 'parts' && Array.isArray(member)) return [name, member.map(shown)];
        const isPart = name === 'reply' || name === 'delivery';
        return [name, isPart && member !== null ? shown(member) : member];
      }),
    );
  // JSON may have these two as they are, but many a reader takes them for ends of lines.
  const json = JSON.stringify(shown(value)).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  return `${json}\n`;
}

/** Throws where an import would not take it: a row of a damaged database may hold anything. */
export function checkItem(item: ArchiveItem): void {
  parseLine(formatLine(item), 1);
}

export function* formatArchive(items: Iterable<ArchiveItem>, now: number): Generator<string> {
  const counts = { session: 0, message: 0, blob: 0, record: 0 };
  yield formatLine({ type: 'header', format: archiveFormat, version: archiveVersion, exported_at: now });
  for (const item of items) {
    counts[item.type] += 1;
    yield formatLine(item);
  }
  const { session, message, blob, record } = counts;
  yield formatLine({ type: 'end', sessions: session, messages: message, blobs: blob, records: record });
}

/** Reads the lines; throws an ArchiveError that names the line. */
export async function* parseArchive(lines: AsyncIterable<string>): AsyncGenerator<ArchiveItem> {
  const counts = { session: 0, message: 0, blob: 0, record: 0 };
  let number = 0;
  let ended = false;
  for await (const written of lines) {
    number += 1;
    if (ended) throw new ArchiveError(`line ${number}: there is more behind the end`);
    const read = parseLine(written, number);
    if ((read.type === 'header') !== (number === 1)) {
      throw new ArchiveError(
        `line ${number}: ${number === 1 ? `it does not begin as an export does ("format": "${archiveFormat}")` : 'a second header'}`,
      );
    }
    if (read.type === 'end') {
      ended = true;
      const { session, message, blob, record } = counts;
      if (read.sessions !== session || read.messages !== message) {
        throw new ArchiveError(
          `line ${number}: ${read.messages} messages of ${read.sessions} sessions were exported, ${message} of ${session} are there`,
        );
      }
      if (read.records !== record) {
        throw new ArchiveError(`line ${number}: ${read.records} records were exported, ${record} are there`);
      }
      if (read.blobs !== blob) {
        throw new ArchiveError(
          `line ${number}: ${read.blobs} pieces of files were exported, ${blob} are there`,
        );
      }
    } else if (read.type !== 'header') {
      counts[read.type] += 1;
      yield read;
    }
  }
  if (number === 0) throw new ArchiveError('it is empty');
  if (!ended) throw new ArchiveError(`it is cut off after line ${number}: its end is missing`);
}

function parseLine(written: string, number: number): z.output<typeof line> {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    throw new ArchiveError(`line ${number}: it is no JSON`);
  }
  const result = line.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? '' : ` "${issue.path.join('.')}"`;
  throw new ArchiveError(`line ${number}:${place} ${issue?.message ?? 'it is not valid'}`);
}
