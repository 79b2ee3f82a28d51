import type { JsonValue } from '../../../store/messages.js';
import { type StoredRecord, tableOf } from '../../../store/records.js';
import type { Store } from '../../../store/store.js';
import type { GivenTurn } from './conversation.js';
import { sessionNamed } from './session-names.js';

/** Conversations that were made before their first message. Each is a session. */
export const conversationKind = 'openai-conversation';

/** The session of a conversation, and what it begins with. */
export interface ConversationFacts {
  readonly session: string;
  readonly earlier: GivenTurn['earlier'];
}

/** Finds a conversation; null: the owner has none of that id. */
export async function conversationOf(
  store: Pick<Store, 'record'>,
  owner: string,
  id: string,
): Promise<ConversationFacts | null> {
  const record = await conversationRecord(store, owner, id);
  if (record === null) return null;
  const { earlier } = tableOf(record.value);
  return { session: sessionNamed(owner, id), earlier: exchangesIn(earlier) };
}

/** The record of a conversation; null: the owner has none of that id. */
export async function conversationRecord(
  store: Pick<Store, 'record'>,
  owner: string,
  id: string,
): Promise<StoredRecord | null> {
  if (!/^conv_[0-9a-f]{32}$/.test(id)) return null;
  return store.record(conversationKind, `${owner}/${id}`);
}

function exchangesIn(value: JsonValue | undefined): GivenTurn['earlier'] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each) => {
    const { text, reply } = tableOf(each);
    return typeof text === 'string' && typeof reply === 'string' ? { text, reply } : [];
  });
}
