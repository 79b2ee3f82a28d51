import type { WebhookChannelConfiguration } from '../../config/channel-table.js';
import type { Metadata } from '../../store/messages.js';
import { memberAt, parseTemplate, renderTemplate, type Template } from '../../text/template.js';
import type { ChannelMessage } from '../channel.js';
import { storableText } from '../conversation/plain-text.js';
import { deepestMember, prototypePath } from '../http/bodies.js';
import { metadata as metadataSchema } from '../http/request-schema.js';
import type { WebhookEvent } from './event.js';

/** Longest text of a message and of a conversation's name, in characters. */
const longestText = 65_536;
const longestConversation = 1_024;

/** Members of the event that are no part of the payload. */
const ownNames = ['$event', '$id', '$payload'];

/** A message, and what it should have as a file. */
export interface ComposedMessage {
  readonly message: ChannelMessage;
  readonly file: { readonly name: string; readonly mediaType: string; readonly content: Buffer } | null;
}

/** Makes messages of events, as the channel's table says. */
export class MessageComposer {
  readonly #table: WebhookChannelConfiguration;
  readonly #text: Template;
  readonly #conversation: Template;

  constructor(table: WebhookChannelConfiguration) {
    this.#table = table;
    this.#text = parseTemplate(table.message);
    this.#conversation = parseTemplate(table.conversation);
  }

  compose(event: WebhookEvent): ComposedMessage {
    const { id, type, payload, source } = event;
    const { reply_to: replyTo } = this.#table;
    const text = payload === null ? cutSource(source) : this.#render(this.#text, event, longestText);
    const conversation = this.#render(this.#conversation, event, longestConversation);
    const facts = { event: type, delivery_id: id };
    const metadata = this.#table.payload === 'metadata' ? withPayload(facts, payload) : null;
    return {
      message: {
        conversation: conversation.trim() === '' ? 'events' : conversation,
        // An empty one is no message.
        text: [text, type].find((each) => each.trim() !== '') ?? 'event',
        id,
        metadata: metadata ?? facts,
        replyTo: replyTo === null ? null : { channel: replyTo.channel, address: replyTo.to },
        // Only the receiver of a webhook can tell by its id that it has a reply already.
        replyIdempotent: replyTo === null || replyTo.channel === 'webhook',
      },
      file: this.#table.payload === 'none' || metadata !== null ? null : fileOf(event),
    };
  }

  #render(template: Template, { id, type, payload, source }: WebhookEvent, limit: number): string {
    const own: Readonly<Record<string, string>> = {
      $event: type,
      $id: id,
      $payload: payload === null ? cutSource(source) : '',
    };
    const lookUp = (path: readonly string[]): unknown => {
      const [first = ''] = path;
      if (path.length > 1 || !ownNames.includes(first)) return memberAt(payload?.value, path);
      return first === '$payload' && payload !== null ? payload.value : own[first] || undefined;
    };
    return storableText(renderTemplate(template, lookUp, limit));
  }
}

/** Null: the payload can't be metadata, by the same rules as that of messages over HTTP. */
function withPayload(facts: Metadata, payload: WebhookEvent['payload']): Metadata | null {
  if (payload === null || prototypePath(payload.value, deepestMember) !== null) return null;
  const { success, data } = metadataSchema.safeParse({ ...facts, payload: payload.value });
  return success ? data : null;
}

/** A body that is no JSON is kept as it came, up to a limit. */
function cutSource(source: Buffer): string {
  return storableText(source.subarray(0, longestText).toString());
}

function fileOf({ payload, source }: WebhookEvent): ComposedMessage['file'] {
  return payload === null
    ? { name: 'payload', mediaType: 'application/octet-stream', content: source }
    : { name: 'payload.json', mediaType: 'application/json', content: source };
}
