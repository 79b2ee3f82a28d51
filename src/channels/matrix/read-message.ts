import { z } from 'zod';
import type { Metadata } from '../../store/messages.js';
import { boundedList } from '../bounded-list.js';
import { markedName, storableText } from '../conversation/plain-text.js';
import { localpartOf } from './address.js';
import { type EarlierEvent, earlierEventOf } from './earlier-event.js';
import type { RoomEvent } from './event-schema.js';
import { relationsOf } from './relations.js';

/** Reads messages of rooms: pure functions. */

/** A file of a message, which is still at the homeserver. */
export interface MediaFile {
  /** An mxc URI. Null: it is encrypted. */
  readonly uri: string | null;
  readonly name: string | null;
  readonly mediaType: string | null;
}

/** A message of a person. */
export interface MatrixMessage {
  /** The event that its thread began with; null: it is in none. */
  readonly threadId: string | null;
  /** The id of the event, or of the one that is edited. */
  readonly id: string;
  readonly text: string;
  readonly person: { readonly id: string; readonly name: string | null };
  readonly isAddressed: boolean;
  readonly origin: 'written' | 'quoted' | 'edited';
  readonly files: readonly MediaFile[];
  readonly metadata: Metadata;
  /** The reason if no agent can be given it; `raw` is the event as it came. */
  readonly defect: { readonly reason: string; readonly raw: string } | null;
}

/** Circumstances that the event itself does not tell. */
export interface EventFacts {
  readonly ownId: string;
  /** Null: it has none. */
  readonly ownName: string | null;
  readonly isGroup: boolean;
  /** The names that people have given themselves; null: none. */
  readonly nameOf: (userId: string) => string | null;
  /** The event that is edited; null: this is no edit. */
  readonly edited: EarlierEvent | null;
  /** The event that it answers; null: none, or it can't be had. */
  readonly answered: EarlierEvent | null;
}

const bodySchema = z.object({
  msgtype: z.string(),
  body: z.string(),
  formatted_body: z.string().optional().catch(undefined),
  filename: z.string().optional().catch(undefined),
  url: z.string().optional().catch(undefined),
  file: z.object({}).optional().catch(undefined),
  info: z
    .object({ mimetype: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
  geo_uri: z.string().optional().catch(undefined),
  'm.mentions': z
    .object({ user_ids: boundedList(z.string()).default([]).catch([]) })
    .optional()
    .catch(undefined),
});

type MessageBody = z.output<typeof bodySchema>;

const fileTypes: ReadonlySet<string> = new Set(['m.file', 'm.image', 'm.audio', 'm.video']);
const longestName = 100;

/** Null: there is nothing to be taken. It was deleted, or a program wrote it. */
export function readMatrixMessage(event: RoomEvent, facts: EventFacts): MatrixMessage | null {
  const { edited } = facts;
  if (Object.keys(event.content).length === 0 || event.unsigned.redacted_because !== undefined) return null;
  const content = edited === null ? event.content : event.content['m.new_content'];
  const parsed = event.type === 'm.sticker' ? sticker(content) : bodySchema.safeParse(content);
  if (!parsed.success) {
    // An edit leaves the message as it was.
    if (edited !== null) return null;
    const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
    return unreadable(event, facts, `"${path.join('.')}": ${message}`);
  }
  const body = parsed.data;
  // By convention programs write notices, and leave those of others alone.
  if (body.msgtype === 'm.notice' || body.msgtype === 'm.key.verification.request') return null;
  const quoted = edited === null ? quotedIn(facts) : null;
  const files = edited === null ? filesOf(body) : [];
  const text = textOf(event, body, facts);
  if (text === '' && files.length === 0) {
    return edited === null ? unreadable(event, facts, 'it has neither text nor a file') : null;
  }
  return {
    ...common(edited ?? earlierEventOf(event), facts),
    text: storableText(`${quoted ?? ''}${text}`),
    person: personOf(event, facts),
    isAddressed: !facts.isGroup || isAddressed(body, facts),
    origin: edited !== null ? 'edited' : quoted !== null ? 'quoted' : 'written',
    files,
    defect: null,
  };
}

function sticker(content: unknown) {
  return bodySchema.safeParse({ ...(content as object), msgtype: 'm.sticker' });
}

function common(
  { id, sender, at, relations }: EarlierEvent,
  { isGroup }: EventFacts,
): Pick<MatrixMessage, 'threadId' | 'id' | 'metadata'> {
  return {
    threadId: relations.threadId,
    id,
    metadata: { matrix: { event_id: id, user_id: sender, is_group: isGroup, date: dateOf(at) } },
  };
}

/** Servers may tell any number. */
function dateOf(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

function personOf({ sender }: RoomEvent, { nameOf }: EventFacts): MatrixMessage['person'] {
  return { id: sender, name: storableText((nameOf(sender) ?? localpartOf(sender)).slice(0, longestName)) };
}

function textOf(event: RoomEvent, body: MessageBody, facts: EventFacts): string {
  const { msgtype, geo_uri: place } = body;
  if (msgtype === 'm.sticker') return `[sticker ${markedName(body.body) ?? ''}]`;
  if (msgtype === 'm.location') return `[location ${placeOf(place) ?? markedName(body.body) ?? ''}]`;
  if (fileTypes.has(msgtype)) return captionOf(body);
  const text = withoutOwnName(withoutFallback(event, body), facts).trim();
  return msgtype === 'm.emote' ? `* ${text}` : text;
}

/** The coordinates of a URI (RFC 5870). */
function placeOf(uri = ''): string | null {
  return /^geo:([-+\d.,]{3,60})(?:;|$)/.exec(uri)?.[1] ?? null;
}

/** Where there is a name of the file beside it, the body is a caption (spec.matrix.org, "Media captions"). */
function captionOf({ body, filename }: MessageBody): string {
  return filename === undefined || filename === body ? '' : body;
}

/** Older clients put what they answer before the text, each line of it behind ">". */
function withoutFallback(event: RoomEvent, { body }: MessageBody): string {
  if (relationsOf(event.content).answers === null || !body.startsWith('> <')) return body;
  return body.replace(/^(?:>[^\n]*\n)+\n?/, '');
}

/** Takes the account's own name off the beginning, as clients put it there for a mention. */
function withoutOwnName(text: string, facts: EventFacts): string {
  const start = text.trimStart();
  const name = ownNames(facts).find((each) => start.toLowerCase().startsWith(each.toLowerCase()));
  if (name === undefined) return text;
  const rest = start.slice(name.length);
  if (rest !== '' && !/^[\s:,]/u.test(rest)) return text;
  // The name alone calls for the agent.
  return rest.replace(/^[\s:,]+/u, '') || start;
}

/** The longest first: one may be the beginning of another. */
function ownNames({ ownId, ownName }: EventFacts): readonly string[] {
  const names = [ownId, localpartOf(ownId), ...(ownName === null ? [] : [ownName])];
  return names.flatMap((name) => (name === '' ? [] : [name, `@${name}`])).sort((a, b) => b.length - a.length);
}

/** True if it mentions the account, or answers one of its messages. */
function isAddressed(body: MessageBody, facts: EventFacts): boolean {
  const { ownId, answered } = facts;
  if (answered?.sender === ownId) return true;
  const mentions = body['m.mentions'];
  if (mentions?.user_ids.includes(ownId) === true) return true;
  if (linksIn(body).includes(ownId)) return true;
  // A client that tells its mentions has told all of them.
  return mentions === undefined && isNamed(body.body, facts);
}

/** The users that the text links to (spec.matrix.org, "matrix.to navigation"). */
function linksIn({ formatted_body: html = '' }: MessageBody): readonly string[] {
  return [...html.matchAll(/https:\/\/matrix\.to\/#\/([^"'?\s<>]{1,300})/g)].map(([, link = '']) => {
    try {
      return decodeURIComponent(link);
    } catch {
      return link;
    }
  });
}

function isNamed(text: string, facts: EventFacts): boolean {
  const lower = text.toLowerCase();
  return ownNames(facts).some((name) => {
    const wanted = name.toLowerCase();
    for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + 1)) {
      const isWord = !isWordAt(lower, at - 1) && !isWordAt(lower, at + wanted.length);
      if (isWord) return true;
    }
    return false;
  });
}

function isWordAt(text: string, at: number): boolean {
  return /[\p{L}\p{N}_]/u.test(text.charAt(at));
}

/** The beginning of what is answered, unless it is a message of the account, which its agent knows. */
function quotedIn({ answered, ownId, nameOf }: EventFacts): string | null {
  if (answered === null || answered.sender === ownId) return null;
  const { beginning } = answered;
  if (beginning === null) return null;
  const name = markedName(nameOf(answered.sender) ?? localpartOf(answered.sender));
  return `[in reply to ${name ?? 'somebody'}: ${beginning.replace(/[\s\p{Cc}]+/gu, ' ')}]\n`;
}

function filesOf(body: MessageBody): readonly MediaFile[] {
  const { msgtype, filename, url, file, info } = body;
  if (!fileTypes.has(msgtype)) return [];
  const name = filename ?? body.body;
  return [
    {
      uri: file === undefined ? (url ?? '') : null,
      name: name === '' ? null : name,
      mediaType: info?.mimetype?.split(';')[0]?.trim() ?? null,
    },
  ];
}

/** It is kept as it came. */
function unreadable(event: RoomEvent, facts: EventFacts, mistake: string): MatrixMessage {
  return {
    ...common(earlierEventOf(event), facts),
    text: '',
    person: personOf(event, facts),
    isAddressed: !facts.isGroup,
    origin: 'written',
    files: [],
    defect: {
      reason: `the message ${event.event_id} can't be read: ${mistake}`,
      raw: JSON.stringify(event),
    },
  };
}
