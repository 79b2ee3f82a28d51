import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { newId } from '../../../store/ids.js';
import { type StoredRecord, tableOf } from '../../../store/records.js';
import type { Store } from '../../../store/store.js';
import { boundedList } from '../../bounded-list.js';
import type { SessionOperations } from '../../surroundings.js';
import { callerOf } from '../route-scopes.js';
import { validateBody } from '../validate.js';
import { exchangesOf, mostEarlier } from './conversation.js';
import { conversationKind, conversationRecord } from './conversations.js';
import { OpenAiError } from './errors.js';
import { inputItem, messagesOf } from './input-items.js';
import { furtherMembers } from './request-members.js';
import { ownerOf, sessionNamed } from './session-names.js';
import { unknown } from './sessions.js';

const conversationBody = z.looseObject({
  metadata: z.record(z.string(), z.unknown()).nullish(),
  items: boundedList(inputItem, 100).nullish(),
});

interface Route {
  Params: { conversation: string };
}

export function addConversationRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'record' | 'putRecord' | 'deleteRecord'>,
  sessions: Pick<SessionOperations, 'deleteSession'>,
): void {
  const view = ({ key, value }: Pick<StoredRecord, 'key' | 'value'>) => {
    const { created_at, metadata } = tableOf(value);
    return { id: key.slice(key.indexOf('/') + 1), object: 'conversation', created_at, metadata };
  };

  application.post('/v1/conversations', async (request) => {
    const { items, metadata } = validateBody(conversationBody, request.body ?? {});
    const key = `${ownerOf(callerOf(request))}/conv_${newId().replaceAll('-', '')}`;
    const value = {
      created_at: Math.floor(Date.now() / 1_000),
      metadata: furtherMembers(metadata ?? {}, []),
      earlier: exchangesOf(messagesOf(items ?? []))
        .slice(-mostEarlier)
        .map((each) => ({ ...each })),
    };
    await store.putRecord({ kind: conversationKind, key, value }, null);
    return view({ key, value });
  });

  application.get<Route>('/v1/conversations/:conversation', async (request) => {
    const { conversation } = request.params;
    const record = await conversationRecord(store, ownerOf(callerOf(request)), conversation);
    if (record === null) throw unknown('conversation_id', conversation);
    return view(record);
  });

  application.post<Route>('/v1/conversations/:conversation', async (request) => {
    const { conversation } = request.params;
    const { metadata } = validateBody(conversationBody, request.body);
    const record = await conversationRecord(store, ownerOf(callerOf(request)), conversation);
    if (record === null) throw unknown('conversation_id', conversation);
    const value = { ...tableOf(record.value), metadata: furtherMembers(metadata ?? {}, []) };
    const { kind, key, version } = record;
    if ((await store.putRecord({ kind, key, value }, version)).outcome === 'conflict') throw busy();
    return view({ key, value });
  });

  application.delete<Route>('/v1/conversations/:conversation', async (request) => {
    const { conversation } = request.params;
    const owner = ownerOf(callerOf(request));
    const record = await conversationRecord(store, owner, conversation);
    if (record === null) throw unknown('conversation_id', conversation);
    if ((await sessions.deleteSession(sessionNamed(owner, conversation))) === 'busy') throw busy();
    await store.deleteRecord(conversationKind, record.key);
    return { id: conversation, object: 'conversation.deleted', deleted: true };
  });
}

function busy(): OpenAiError {
  return new OpenAiError(
    409,
    'The conversation is in use just now: ask again in a moment.',
    { code: 'conversation_busy' },
    { 'Retry-After': '1' },
  );
}
