import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Store } from '../../../store/store.js';
import { boundedList } from '../../bounded-list.js';
import type { LongPolls } from '../streams/long-polls.js';
import { validateBody } from '../validate.js';
import { ChatChunks, chatCompletion, gone } from './chat-completion.js';
import { content } from './content-parts.js';
import { turnOf } from './conversation.js';
import { invalid } from './errors.js';
import { outcomeOf, stopping } from './outcome.js';
import { commonMembers, furtherMembers, refuseTools } from './request-members.js';
import type { RunStreams } from './run-streams.js';
import type { Runs } from './runs.js';

const members = {
  ...commonMembers,
  messages: boundedList(
    z.looseObject({
      role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
      content: content.nullish(),
    }),
    10_000,
  ),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.number().nullish(),
  functions: z.unknown().optional(),
  function_call: z.unknown().optional(),
} as const;

const chatBody = z.looseObject(members);
const known = Object.keys(members);

export interface ChatRoutesOptions {
  readonly store: Pick<Store, 'message'>;
  readonly runs: Runs;
  readonly streams: RunStreams;
  readonly longPolls: LongPolls;
}

export function addChatRoutes(application: FastifyInstance, options: ChatRoutesOptions): void {
  const { store, runs, streams, longPolls } = options;

  application.post('/v1/chat/completions', async (request, reply) => {
    const body = validateBody(chatBody, request.body);
    const { model, messages, stream, n, user = null, conversation = null } = body;
    if (typeof n === 'number' && n !== 1)
      throw invalid('n', '"n" must be 1: a turn has one answer.', 'unsupported_value');
    refuseTools(body.tool_choice);
    refuseTools(body.function_call);
    const message = await runs.post(request, {
      turn: turnOf(messages, 'messages'),
      model,
      user,
      conversation: typeof conversation === 'string' ? conversation : (conversation?.id ?? null),
      previousResponse: body.previous_response_id ?? null,
      facts: {
        api: 'chat.completions',
        model,
        ...(user !== null && { user }),
        parameters: furtherMembers(body, known),
        ...(body.metadata && { metadata: furtherMembers(body.metadata, []) }),
      },
    });
    if (stream === true) {
      reply.hijack();
      const chunks = new ChatChunks(message, body.stream_options?.include_usage === true);
      await streams.serve(message, chunks, reply.raw);
      return undefined;
    }
    const ended = await longPolls.read(message.id, Number.POSITIVE_INFINITY, reply.raw);
    if (ended === null) throw gone();
    const outcome = await outcomeOf(ended, store);
    // Also for a client that has gone, who reads it no more.
    if (outcome === null) throw stopping();
    if (outcome.type !== 'reply') throw outcome.error;
    return chatCompletion(ended, outcome);
  });
}
