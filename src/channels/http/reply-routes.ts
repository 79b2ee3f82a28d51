import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { AttachmentLimitError } from '../../store/new-attachments.js';
import { fileProblem } from './attachments/message-form.js';
import { bearerOf } from './bearer.js';
import { jsonOf, refuseEncoding } from './bodies.js';
import { IncomingBodies } from './incoming-bodies.js';
import { Problem } from './problem.js';
import type { TakenReply } from './reply-routes.openapi.js';
import { type metadata, replyBody } from './request-schema.js';
import type { Connections } from './server/connections.js';
import { askForBody } from './server/continue.js';
import { validateBody } from './validate.js';

/** Replies of agents that come after their turn was posted. */
export interface TurnReplies {
  /** Bytes of the largest body that can be a reply of this turn. Null: the token is that of no attempt of it. */
  bodyLimitBytes(turnId: string, token: string): Promise<number | null>;
  take(
    turnId: string,
    token: string,
    reply: {
      readonly text: string;
      readonly metadata: z.output<typeof metadata>;
      readonly files: readonly {
        readonly name: string;
        readonly mediaType: string | null;
        /** Its content in base64. */
        readonly data: string;
      }[];
    },
  ): Promise<
    | { readonly outcome: 'taken' | 'repeated' | 'ended' }
    | { readonly outcome: 'too-large'; readonly limitBytes: number }
    | {
        readonly outcome: 'file-refused';
        readonly index: number;
        readonly limit: AttachmentLimitError['limit'];
        readonly message: string;
      }
  >;
}

/**
 * Bytes of replies that are read, parsed and stored at a time, beside the largest of them. Each takes several times its
 * size until it is stored.
 */
const roomBytes = 16 * 1024 ** 2;

const turnPattern = /^turn_[0-9a-f]{32}$/;

/** The way in for replies: with the token of the attempt, and with no other. */
export function addReplyRoutes(
  routes: FastifyInstance,
  replies: TurnReplies,
  connections: () => Pick<Connections, 'admit'>,
): void {
  const bodies = new IncomingBodies(roomBytes);
  const limits = new WeakMap<FastifyRequest['raw'], number>();

  routes.removeAllContentTypeParsers();
  // The route reads it: it counts until the reply is stored.
  routes.addContentTypeParser('application/json', (_request, payload, done) => done(null, payload));
  routes.addHook<{ Params: { turn: string } }>('onRequest', async (request) => {
    const token = bearerOf(request.headers.authorization);
    const { turn } = request.params;
    const limitBytes = turnPattern.test(turn) ? await replies.bodyLimitBytes(turn, token) : null;
    if (limitBytes === null) {
      throw new Problem('unauthorized', 'The token is not that of an attempt of this turn.', {
        headers: { 'WWW-Authenticate': 'Bearer realm="sd-gateway", error="invalid_token"' },
      });
    }
    if (!connections().admit(request.raw.socket)) {
      throw new Problem('too-many-connections', 'All connections that there may be are busy.', {
        retryAfter: 5,
        headers: { Connection: 'close' },
      });
    }
    limits.set(request.raw, limitBytes);
  });
  routes.addHook('preParsing', async ({ headers, raw }, reply) => {
    const limitBytes = limits.get(raw) ?? 0;
    if (Number(headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
    refuseEncoding(headers);
    askForBody(raw, reply.raw);
  });

  routes.post<{ Params: { turn: string } }>('/v1/turns/:turn/reply', async ({ raw, headers, params }) => {
    const limitBytes = limits.get(raw) ?? 0;
    return bodies.use(
      raw,
      limitBytes,
      () => tooLarge(limitBytes),
      (body) => take(body, params.turn, bearerOf(headers.authorization)),
    );
  });

  async function take(body: Buffer, turn: string, token: string): Promise<TakenReply> {
    const { text, metadata: given, attachments = [] } = validateBody(replyBody, jsonOf(body));
    const files = attachments.map(({ media_type: mediaType = null, ...file }) => ({ ...file, mediaType }));
    const taken = await replies.take(turn, token, { text, metadata: given ?? {}, files });
    switch (taken.outcome) {
      case 'taken':
      case 'repeated':
        return { turn_id: turn, state: 'replied' };
      case 'ended':
        throw new Problem('turn-ended', 'The attempt has ended, or has another reply.');
      case 'file-refused':
        throw fileProblem(taken.index, taken.message, taken.limit);
      case 'too-large':
        throw new Problem('body-too-large', `The reply is larger than ${taken.limitBytes} bytes.`);
    }
  }
}

function tooLarge(limitBytes: number): Problem {
  return new Problem(
    'body-too-large',
    `The body is larger than ${limitBytes} bytes (agent.reply_limit, and attachments.total_limit in base64).`,
    { headers: { Connection: 'close' } },
  );
}
