import type { FastifyInstance, FastifyRequest } from 'fastify';
import { newId } from '../../store/ids.js';
import { type JsonValue, type Message, type ReplyTarget, webhookTarget } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { AcceptOutcome } from '../../store/turns.js';
import { withTraceparent } from '../../text/trace-context.js';
import type { ReplyGuarantee } from '../reply-sender.js';
import type { Readiness } from '../surroundings.js';
import { unknownMessage } from './attachments/download-routes.js';
import type { MessageInput } from './attachments/message-input.js';
import type { HttpChannelOptions } from './options.js';
import { Problem } from './problem.js';
import {
  eventQuery,
  fingerprint,
  idempotencyKey,
  lastEventId,
  type MessageBody,
  messageBody,
  messageQuery,
  sessionName,
} from './request-schema.js';
import { callerOf, requireRight } from './route-scopes.js';
import type { AcceptedMessage } from './routes.openapi.js';
import { isOfAnother, messageAt } from './streams/event-id.js';
import type { EventStreams } from './streams/event-streams.js';
import type { LongPolls } from './streams/long-polls.js';
import { memberProblem, validateBody, validateOne, validateQuery } from './validate.js';
import { messageView } from './views.js';

/** For load balancers and probes: without a token, and nothing but states and counts. `authorize` rejects who may not read. */
export function addHealthRoutes(
  application: FastifyInstance,
  readiness: () => Readiness,
  authorize: (request: FastifyRequest) => Promise<void>,
): void {
  application.get('/healthz', () => ({ healthy: true }));
  application.get('/readyz', async (request) => {
    const { ready, facts: all } = readiness();
    // Their words may hold a path.
    const { trouble, agents } = all;
    const held = Array.isArray(agents) ? agents.filter((each) => Object(each).reason != null) : [];
    const isHidden =
      (typeof trouble === 'string' || held.length > 0) && !(await isFulfilled(authorize(request)));
    const facts = isHidden ? withoutWords(all) : all;
    if (ready) return { ready, facts };
    throw new Problem('not-ready', 'The gateway does not take new work now.', { facts });
  });
}

const hiddenWords = 'send the token to read it';

/** The facts for those who have shown no token. */
function withoutWords(facts: Readiness['facts']): Readiness['facts'] {
  const { trouble, agents } = facts;
  return {
    ...facts,
    ...(typeof trouble === 'string' && { trouble: hiddenWords }),
    ...(Array.isArray(agents) && {
      agents: agents.map((each) => {
        const agent = Object(each) as { readonly reason?: JsonValue };
        return { ...agent, ...(agent.reason == null ? {} : { reason: hiddenWords }) };
      }),
    }),
  };
}

function isFulfilled(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}

/** True if a request to this address needs no token. */
export function isOpen(url: string): boolean {
  return /^\/(?:healthz|readyz|openapi\.json|hooks\/[^/?]+)(?:\?|$)/.test(url);
}

/** Seconds after which a poll that a stop ended early may be asked again. */
const restartRetryAfter = 1;

export interface MessageRoutesOptions
  extends Pick<
    HttpChannelOptions,
    'accept' | 'settings' | 'validateReplyUrl' | 'channelTarget' | 'retryAfterSeconds'
  > {
  readonly input: MessageInput;
  readonly longPolls: LongPolls;
  readonly streams: EventStreams;
}

export function addMessageRoutes(application: FastifyInstance, options: MessageRoutesOptions): void {
  const { settings, input, longPolls, streams } = options;

  application.post<{ Params: { session: string } }>(
    '/v1/sessions/:session/messages',
    async (request, reply): Promise<AcceptedMessage> => {
      const session = validateOne(sessionName, request.params.session, { parameter: 'session' });
      const key = keyOf(request.headers['idempotency-key']);
      const check = (value: unknown) => {
        const body = validateBody(messageBody, value);
        const { text, attachments: urls = [] } = body;
        // It would write to any chat.
        if (body.reply_to !== undefined && 'channel' in body.reply_to)
          requireRight(callerOf(request), 'operate');
        return { body, text, reply: replyOf(body, options), urls };
      };
      const outcome = await input.take(request, check, async ({ body, reply: way }, files) => {
        const result = await options.accept(
          {
            id: newId(),
            session,
            text: body.text,
            metadata: withTraceparent(body.metadata ?? {}, request.headers['traceparent']),
            replyTo: way?.target ?? null,
            replyIdempotent: way?.guarantee.idempotent ?? true,
            replyUnknown: way?.guarantee.unknown ?? null,
            idempotencyKey: key,
            fingerprint: key === null ? null : fingerprint(session, body, files.list),
            sender: body.sender ?? null,
            channel: 'http',
            attachments: files.list,
          },
          settings().queue,
        );
        return { result, isKept: result.outcome === 'accepted' };
      });
      const message = acceptedMessage(outcome, options.retryAfterSeconds);
      if (outcome.outcome !== 'accepted') reply.header('Idempotency-Replayed', 'true');
      reply.code(202).header('Location', `${settings().publicUrl ?? ''}/v1/messages/${message.id}`);
      // The first answer's state, so that the same key gives the same answer.
      return { id: message.id, session: message.session, seq: message.seq, state: 'queued' };
    },
  );

  application.get<{ Params: { id: string } }>('/v1/messages/:id', async (request, reply) => {
    const { wait = 0, stream } = validateQuery(messageQuery, request.query);
    const { id } = request.params;
    const message = await longPolls.read(id, Math.min(wait * 1_000, settings().waitLimit), reply.raw);
    if (message === null) throw unknownMessage();
    // A HEAD could not wait for its end.
    if (stream === 'true' && request.method === 'GET') {
      reply.hijack();
      await streams.serveMessage(message, reply.raw);
      return undefined;
    }
    if (wait > 0 && longPolls.endsEarly(message)) reply.header('Retry-After', restartRetryAfter);
    return messageView(message);
  });
}

function keyOf(header: string | string[] | undefined): string | null {
  return header === undefined ? null : validateOne(idempotencyKey, header, { header: 'Idempotency-Key' });
}

interface ReplyWay {
  readonly target: ReplyTarget;
  readonly guarantee: ReplyGuarantee;
}

/** Null: nobody waits for the reply. Throws the 422 if it can't go there. */
function replyOf(
  { reply_to: given }: MessageBody,
  { validateReplyUrl, channelTarget }: Pick<MessageRoutesOptions, 'validateReplyUrl' | 'channelTarget'>,
): ReplyWay | null {
  if (given === undefined) return null;
  if ('channel' in given) {
    const verdict = channelTarget(given.channel, given.to);
    if (!verdict.ok) throw memberProblem(['reply_to', verdict.member], verdict.reason);
    const target = { channel: given.channel, address: given.to, options: {} };
    return { target, guarantee: verdict.guarantee };
  }
  const verdict = validateReplyUrl(given.url);
  if (!verdict.ok) {
    const errors = [{ pointer: '#/reply_to/url', detail: verdict.reason }];
    throw new Problem('invalid-message', `"reply_to/url" ${verdict.reason}`, { errors });
  }
  const { url, idempotent = true, unknown = null } = given;
  return { target: webhookTarget(url), guarantee: { idempotent, unknown } };
}

function acceptedMessage(
  outcome: AcceptOutcome,
  retryAfterSeconds: HttpChannelOptions['retryAfterSeconds'],
): Message {
  switch (outcome.outcome) {
    case 'accepted':
    case 'repeated':
      return outcome.message;
    case 'conflict':
      throw new Problem(
        'idempotency-conflict',
        `The key was used in this session for another message, ${outcome.messageId}.`,
      );
    case 'set-aside':
      throw new Error('A message that came by HTTP was set aside.');
    case 'full': {
      const where = outcome.limit === 'session' ? 'this session' : 'this gateway';
      throw new Problem('queue-full', `${outcome.waiting} messages wait in ${where}, and no more may.`, {
        retryAfter: retryAfterSeconds(outcome.limit),
      });
    }
  }
}

export function addEventRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'settledUpTo' | 'settledMessages' | 'message' | 'session'>,
  streams: EventStreams,
): void {
  application.get<{ Params: { session: string } }>(
    '/v1/sessions/:session/events',
    // Its answer has no end that a HEAD could wait for.
    { exposeHeadRoute: false },
    async (request, reply) => {
      const session = validateOne(sessionName, request.params.session, { parameter: 'session' });
      const { after } = validateQuery(eventQuery, request.query);
      const header = request.headers['last-event-id'];
      const last =
        // An empty one is none (HTML Standard, 9.2.4).
        header === undefined || header === ''
          ? undefined
          : validateOne(lastEventId, header, { header: 'Last-Event-ID' });
      const settled = await store.settledUpTo(session);
      const asked = last?.seq ?? after ?? settled;
      const seen = await messageAt(store, session, asked);
      const isOther = last !== undefined && isOfAnother(last, seen);
      // A retry of a dead letter also takes `settled` back.
      const lastSeq = asked <= settled && !isOther ? settled : ((await store.session(session))?.lastSeq ?? 0);
      const astray = isOther || asked > lastSeq ? { askedAfter: asked, lastSeq } : null;
      const begin = astray === null ? seen : await messageAt(store, session, settled);
      reply.hijack();
      await streams.serve(session, astray === null ? asked : settled, reply.raw, { begin, astray });
    },
  );
}
