import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { newId } from '../../../store/ids.js';
import type { Message } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';
import type { ConversationFacts } from './conversations.js';
import { OpenAiError } from './errors.js';
import { messageIdOf } from './ids.js';
import { openAiChannel, owns, sessionNamed } from './session-names.js';
import type { OpenAiSettings } from './settings.js';

export interface SessionChoice {
  readonly session: string;
  /** It was made for this request, and is deleted a while after its last turn. */
  readonly isThrowAway: boolean;
  /** Exchanges that its conversation was made with. Default: none. */
  readonly earlier?: ConversationFacts['earlier'];
}

export interface SessionRequest {
  readonly headers: IncomingHttpHeaders;
  readonly owner: string;
  /** The id of a conversation; null: none is named. */
  readonly conversation: string | null;
  readonly previousResponse: string | null;
  /** The request's `Idempotency-Key`. */
  readonly key: string | null;
  /** True if something was answered in the conversation that the client sends. */
  readonly hasReplies: boolean;
  readonly text: string;
}

export interface SessionLookups {
  readonly store: Pick<Store, 'session' | 'history'>;
  readonly settings: () => OpenAiSettings;
  /** The conversation; null: the owner has none of that id. */
  readonly conversation: (owner: string, id: string) => Promise<ConversationFacts | null>;
  /** The message of a response of this owner; null: there is none. */
  readonly response: (owner: string, id: string) => Promise<Message | null>;
}

/** Finds the session of a request: by header, by conversation, by the response before; else it makes one for it alone. */
export async function chooseSession(
  request: SessionRequest,
  lookups: SessionLookups,
): Promise<SessionChoice> {
  const { headers, owner, conversation, previousResponse } = request;
  const { sessionHeaders, chatHeaders } = lookups.settings();
  const named = headerOf(headers, sessionHeaders);
  if (named !== null) return { session: sessionNamed(owner, named), isThrowAway: false };
  const chat = headerOf(headers, chatHeaders);
  if (chat !== null) {
    const session = sessionNamed(owner, chat);
    const isJob = await isChatJob(request, () => hasBegun(session, lookups.store));
    return isJob ? throwAway(request) : { session, isThrowAway: false };
  }
  if (conversation !== null) {
    const found = await lookups.conversation(owner, conversation);
    if (found === null) throw unknown('conversation', conversation);
    return { ...found, isThrowAway: false };
  }
  if (previousResponse !== null) {
    const message = await lookups.response(owner, previousResponse);
    if (message === null) throw unknown('previous_response_id', previousResponse);
    return { session: message.session, isThrowAway: false };
  }
  return throwAway(request);
}

/** The same key makes the same session, in which it is the key of the same message. */
function throwAway({ owner, key }: SessionRequest): SessionChoice {
  const name = key === null ? newId() : `key-${hash('sha256', key).slice(0, 32)}`;
  return { session: sessionNamed(owner, `once-${name}`), isThrowAway: true };
}

/** The value of the first of these headers that is there. A chat program may send one that is empty, or a word for none. */
function headerOf(headers: IncomingHttpHeaders, names: readonly string[]): string | null {
  for (const name of names) {
    const value = headers[name.toLowerCase()];
    const text = (Array.isArray(value) ? value[0] : value)?.trim() ?? '';
    if (text !== '' && !/^(?:null|undefined|none|new|\{\{.*\}\})$/i.test(text)) return text;
  }
  return null;
}

/**
 * True if a chat program asks for a title, tags or the like, which must not become a turn of the chat: a request with one
 * message and no answer, though the chat has begun. Open WebUI's tasks can be told before that, by how they begin.
 */
async function isChatJob(
  { hasReplies, text }: Pick<SessionRequest, 'hasReplies' | 'text'>,
  chatHasBegun: () => Promise<boolean>,
): Promise<boolean> {
  return /^### Task:/.test(text.trimStart()) || (!hasReplies && (await chatHasBegun()));
}

/** A first message that died without an answer is no beginning: it may be asked again. */
async function hasBegun(session: string, store: Pick<Store, 'session' | 'history'>): Promise<boolean> {
  const summary = await store.session(session);
  if (summary === null) return false;
  return summary.running || summary.waiting > 0 || (await store.history(session, 1)).length > 0;
}

export function unknown(param: string, id: string): OpenAiError {
  const kind = param === 'conversation' || param === 'conversation_id' ? 'conversation' : 'response';
  return new OpenAiError(404, `There is no ${kind} "${id.slice(0, 100)}" of this token.`, {
    param,
    code: `${kind}_not_found`,
  });
}

/** The message of a response, if the owner's token may see it. */
export async function responseMessage(
  store: Pick<Store, 'message'>,
  owner: string,
  responseId: string,
): Promise<Message | null> {
  const id = messageIdOf(responseId);
  const message = id === null ? null : await store.message(id);
  return message !== null && message.channel === openAiChannel && owns(owner, message.session)
    ? message
    : null;
}
