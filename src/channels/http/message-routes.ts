import type { FastifyInstance } from 'fastify';
import { newId } from '../../store/new-id.js';
import { type AcceptOutcome, type Message, type ReplyTarget, webhookTarget } from '../../store/store.js';
import { fingerprint } from './fingerprint.js';
import type { HttpChannelOptions } from './http-channel.js';
import type { LongPolls } from './long-polls.js';
import { Problem } from './problem.js';
import {
  idempotencyKey,
  type MessageBody,
  messageBody,
  messageQuery,
  sessionName,
} from './request-schema.js';
import { validateBody, validateOne, validateQuery } from './validate.js';
import { messageView } from './views.js';

/** Seconds after which a poll that a stop ended early may be asked again. */
const restartRetryAfter = 1;

export interface MessageRoutesOptions
  extends Pick<HttpChannelOptions, 'accept' | 'settings' | 'validateReplyUrl' | 'roomIn'> {
  readonly longPolls: LongPolls;
}

export function addMessageRoutes(application: FastifyInstance, options: MessageRoutesOptions): void {
  const { settings, longPolls } = options;

  application.post<{ Params: { session: string } }>(
    '/v1/sessions/:session/messages',
    async (request, reply) => {
      const session = validateOne(sessionName, request.params.session, { parameter: 'session' });
      const key = keyOf(request.headers['idempotency-key']);
      const body = validateBody(messageBody, request.body);
      const replyTo = targetOf(body, options.validateReplyUrl);
      const outcome = await options.accept(
        {
          id: newId(),
          session,
          text: body.text,
          metadata: body.metadata ?? {},
          replyTo,
          replyIdempotent: body.reply_to?.idempotent ?? true,
          replyUnknown: body.reply_to?.unknown ?? null,
          idempotencyKey: key,
          fingerprint: key === null ? null : fingerprint(session, body),
          sender: body.sender ?? null,
          channel: 'http',
        },
        settings().queue,
      );
      const message = acceptedMessage(outcome, options.roomIn);
      if (outcome.outcome !== 'accepted') reply.header('Idempotency-Replayed', 'true');
      reply.code(202).header('Location', `/v1/messages/${message.id}`);
      // The first answer's state, so that the same key gives the same answer.
      return { id: message.id, session: message.session, seq: message.seq, state: 'queued' };
    },
  );

  application.get<{ Params: { id: string } }>('/v1/messages/:id', async (request, reply) => {
    const { wait = 0 } = validateQuery(messageQuery, request.query);
    const { id } = request.params;
    const message = await longPolls.read(id, Math.min(wait * 1_000, settings().waitLimit), reply.raw);
    if (message === null)
      throw new Problem('unknown-message', 'No message has this id, or it is kept no longer.');
    if (wait > 0 && longPolls.endsEarly(message)) reply.header('Retry-After', restartRetryAfter);
    return messageView(message);
  });
}

function keyOf(header: string | string[] | undefined): string | null {
  return header === undefined ? null : validateOne(idempotencyKey, header, { header: 'Idempotency-Key' });
}

function targetOf(body: MessageBody, validate: HttpChannelOptions['validateReplyUrl']): ReplyTarget | null {
  if (body.reply_to === undefined) return null;
  const verdict = validate(body.reply_to.url);
  if (verdict.ok) return webhookTarget(body.reply_to.url);
  const errors = [{ pointer: '#/reply_to/url', detail: verdict.reason }];
  throw new Problem('invalid-message', `"reply_to/url" ${verdict.reason}`, { errors });
}

function acceptedMessage(outcome: AcceptOutcome, roomIn: HttpChannelOptions['roomIn']): Message {
  switch (outcome.outcome) {
    case 'accepted':
    case 'repeated':
      return outcome.message;
    case 'conflict':
      throw new Problem(
        'idempotency-conflict',
        `The key was used in this session for another message, ${outcome.messageId}.`,
      );
    case 'full': {
      const where = outcome.limit === 'session' ? 'this session' : 'this gateway';
      throw new Problem('queue-full', `${outcome.waiting} messages wait in ${where}, and no more may.`, {
        retryAfter: roomIn(outcome.limit),
      });
    }
  }
}
