import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { bearerOf } from './bearer.js';
import { readBodies } from './bodies.js';
import { Problem } from './problem.js';
import { metadata, replyText } from './request-schema.js';
import type { Connections } from './server/connections.js';
import { validateBody } from './validate.js';

/** Replies of agents that come after their turn was posted. */
export interface TurnReplies {
  /** True if the token is that of an attempt of the turn. */
  knows(turnId: string, token: string): Promise<boolean>;
  take(
    turnId: string,
    token: string,
    reply: { readonly text: string; readonly metadata: z.output<typeof metadata> },
  ): Promise<
    | { readonly outcome: 'taken' | 'repeated' | 'ended' }
    | { readonly outcome: 'too-large'; readonly limitBytes: number }
  >;
}

/** For the largest `agent.reply_limit` there may be, as JSON usually writes it; each agent's own limit follows. */
const bodyLimitBytes = 80 * 1024 ** 2;

const replyBody = z.strictObject({ text: replyText, metadata: metadata.optional() });

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
    async (request) => {
      const { text, metadata: given } = validateBody(replyBody, request.body);
      const token = bearerOf(request.headers.authorization);
      const { turn } = request.params;
      const taken = await replies.take(turn, token, { text, metadata: given ?? {} });
      switch (taken.outcome) {
        case 'taken':
        case 'repeated':
          return { turn_id: turn, state: 'replied' };
        case 'ended':
          throw new Problem('turn-ended', 'The attempt has ended, or has another reply.');
        case 'too-large':
          throw new Problem('body-too-large', `The reply is larger than ${taken.limitBytes} bytes.`);
      }
    },
  );
}
