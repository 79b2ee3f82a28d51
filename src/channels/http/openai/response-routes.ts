import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Message } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';
import { boundedList } from '../../bounded-list.js';
import type { OperatorActions } from '../../surroundings.js';
import { replyText } from '../request-schema.js';
import { callerOf } from '../route-scopes.js';
import type { LongPolls } from '../streams/long-polls.js';
import { validateBody } from '../validate.js';
import { gone } from './chat-completion.js';
import { turnOf } from './conversation.js';
import { invalid } from './errors.js';
import { inputItem, messagesOf } from './input-items.js';
import { outcomeOf, stopping } from './outcome.js';
import { commonMembers, furtherMembers, refuseTools } from './request-members.js';
import { ResponseEvents } from './response-events.js';
import { factsOf, responseView, statusOf } from './response-view.js';
import type { RunStreams } from './run-streams.js';
import type { Runs } from './runs.js';
import { ownerOf } from './session-names.js';
import { responseMessage, unknown } from './sessions.js';

const members = {
  ...commonMembers,
  input: z.union([replyText, boundedList(inputItem, 10_000)], 'must be a text or a list of items'),
  instructions: replyText.nullish(),
  background: z.boolean().nullish(),
} as const;

const responseBody = z.looseObject(members);
const known = Object.keys(members);

const deletedKind = 'openai-deleted';
/** Longer than most stores keep messages, in milliseconds. */
const deletedForMs = 400 * 86_400_000;

const number = z.string().regex(/^\d{1,15}$/);

interface Route {
  Params: { response: string };
}

export interface ResponseRoutesOptions {
  readonly store: Pick<Store, 'message' | 'deltas'>;
  readonly records: Pick<Store, 'record' | 'putRecord'>;
  readonly runs: Runs;
  readonly streams: RunStreams;
  readonly longPolls: LongPolls;
  readonly actions: Pick<OperatorActions, 'cancelMessage'>;
}

export function addResponseRoutes(application: FastifyInstance, options: ResponseRoutesOptions): void {
  const { store, runs, streams, longPolls } = options;

  application.post('/v1/responses', async (request, reply) => {
    const body = validateBody(responseBody, request.body);
    const { input, model, stream, user = null, background } = body;
    refuseTools(body.tool_choice);
    const { conversation: given = null, previous_response_id: previousResponse = null } = body;
    const conversation = typeof given === 'string' ? given : (given?.id ?? null);
    if (conversation !== null && previousResponse !== null) {
      throw invalid('previous_response_id', '"previous_response_id" does not go with "conversation".');
    }
    const system =
      typeof body.instructions === 'string' ? [{ role: 'system', content: body.instructions }] : [];
    const messages = typeof input === 'string' ? [{ role: 'user', content: input }] : messagesOf(input);
    const turn = turnOf(messages, 'input');
    const message = await runs.post(request, {
      turn: system.length === 0 ? turn : turnOf([...system, ...messages], 'input'),
      model,
      user,
      conversation,
      previousResponse,
      facts: {
        api: 'responses',
        model,
        ...(background === true && { background }),
        ...(conversation !== null && { conversation }),
        ...(previousResponse !== null && { previous_response_id: previousResponse }),
        ...(user !== null && { user }),
        parameters: furtherMembers(body, known),
        ...(body.metadata && { metadata: furtherMembers(body.metadata, []) }),
      },
    });
    if (stream === true) return follow(message, -1, reply);
    if (background === true) return view(message);
    const ended = await longPolls.read(message.id, Number.POSITIVE_INFINITY, reply.raw);
    if (ended === null) throw gone();
    const outcome = await outcomeOf(ended, store);
    if (outcome === null) throw stopping();
    // Clients take a failure within an answer for an answer.
    if (outcome.type !== 'reply') throw outcome.error;
    return view(ended);
  });

  application.get<Route>('/v1/responses/:response', async (request, reply) => {
    const message = await find(request);
    const { stream, starting_after: after } = request.query as Readonly<Record<string, unknown>>;
    if (stream !== 'true' || request.method === 'HEAD') return view(message);
    if (after !== undefined && !number.safeParse(after).success) {
      throw invalid('starting_after', '"starting_after" must be the number of an event.');
    }
    return follow(message, after === undefined ? -1 : Number(after), reply);
  });

  application.post<Route>('/v1/responses/:response/cancel', async (request) => {
    const message = await find(request);
    const outcome = await options.actions.cancelMessage(message.id);
    return view(outcome?.message ?? message);
  });

  application.delete<Route>('/v1/responses/:response', async (request) => {
    const { id } = await find(request);
    await options.actions.cancelMessage(id);
    const record = { kind: deletedKind, key: id, value: true, expiresInMs: deletedForMs };
    await options.records.putRecord(record);
    return { id: request.params.response, object: 'response', deleted: true };
  });

  const find = async (request: FastifyRequest<Route>): Promise<Message> => {
    const { response } = request.params;
    const message = await responseMessage(store, ownerOf(callerOf(request)), response);
    const isThere =
      message !== null &&
      factsOf(message)['api'] === 'responses' &&
      (await options.records.record(deletedKind, message.id)) === null;
    if (!isThere) throw unknown('response_id', response);
    return message;
  };

  const view = async (message: Message) => {
    const outcome = await outcomeOf(message, store);
    const restarts = outcome?.type === 'reply' ? await restartsOf(message, store) : 0;
    return responseView(message, { status: statusOf(message, outcome), outcome, restarts });
  };

  const follow = async (message: Message, after: number, reply: FastifyReply): Promise<undefined> => {
    reply.hijack();
    await streams.serve(message, new ResponseEvents(message, after), reply.raw);
    return undefined;
  };
}

/** Pieces of one read. */
const pageSize = 100;

/** Counts how often the text of a run that has ended began anew: so often it has left a mark. */
async function restartsOf({ id, collectedIn }: Message, store: Pick<Store, 'deltas'>): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const { items, more } = await store.deltas(collectedIn?.id ?? id, after, pageSize);
    count += items.filter(({ text }) => text === '').length;
    after = items.at(-1)?.position ?? after;
    if (!more) return count;
  }
}
