import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import type { AttachmentLimitError } from '../../store/new-attachments.js';
import { fileProblem } from './attachments/message-form.js';
import { bearerOf } from './bearer.js';
import { readBodies } from './bodies.js';
import { Problem } from './problem.js';
import type { TakenReply } from './reply-routes.openapi.js';
import { type metadata, replyBody } from './request-schema.js';
import type { Connections } from './server/connections.js';
import { validateBody } from './validate.js';

/** Replies of agents that come after their turn was posted. */
export interface TurnReplies {
  /** True if the token is that of an attempt of the turn. */
  knows(turnId: string, token: string): Promise<boolean>;
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
 * For the largest `agent.reply_limit` there may be, as JSON usually writes it, or files of twice their usual limit. Each
 * agent's own limit, and those of files, follow.
 */
const bodyLimitBytes = 80 * 1024 ** 2;

const turnPattern = /^turn_[0-9a-f]{32}$/;

/** The way in for replies: with the token of the attempt, and with no other. */
export function addReplyRoutes(
  routes: FastifyInstance,
  replies: TurnReplies,
  connections: () => Pick<Connections, 'admit'>,
): void {
  readBodies(routes, bodyLimitBytes);
  routes.addHook<{ Params: { turn: string } }>('onRequest', async (request) => {
    const token = bearerOf(request.headers.authorization);
    const { turn } = request.params;
    if (!turnPattern.test(turn) || !(await replies.knows(turn, token))) {
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
  });

  routes.post<{ Params: { turn: string } }>(
    '/v1/turns/:turn/reply',
    { bodyLimit: bodyLimitBytes },
    async (request): Promise<TakenReply> => {
      const { text, metadata: given, attachments = [] } = validateBody(replyBody, request.body);
      const token = bearerOf(request.headers.authorization);
      const { turn } = request.params;
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
    },
  );
}
