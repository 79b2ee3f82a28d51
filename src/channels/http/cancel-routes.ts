import type { FastifyInstance } from 'fastify';
import type { Interventions } from './http-channel.js';
import { Problem } from './problem.js';
import { noBody, sessionName } from './request-schema.js';
import { validateBody, validateOne } from './validate.js';
import { messageView } from './views.js';

export function addCancelRoutes(
  application: FastifyInstance,
  interventions: Pick<Interventions, 'cancelMessage' | 'cancelSession'>,
): void {
  application.post<{ Params: { id: string } }>('/v1/messages/:id/cancel', async (request) => {
    validateBody(noBody, request.body);
    const outcome = await interventions.cancelMessage(request.params.id);
    if (outcome === null) {
      throw new Problem('unknown-message', 'No message has this id, or it is kept no longer.');
    }
    if (outcome.outcome === 'settled') {
      const { state, collectedIn } = outcome.message;
      const detail =
        collectedIn === null
          ? `The message is ${state}.`
          : `The message is part of the turn of ${collectedIn.id}: cancel that one.`;
      throw new Problem('not-cancellable', detail);
    }
    return messageView(outcome.message);
  });

  application.post<{ Params: { session: string } }>('/v1/sessions/:session/cancel', async (request) => {
    const session = validateOne(sessionName, request.params.session, { parameter: 'session' });
    validateBody(noBody, request.body);
    const cancelled = await interventions.cancelSession(session);
    if (cancelled === null) {
      throw new Problem('unknown-session', `No message was ever accepted for "${session}".`);
    }
    return { session, cancelled: cancelled.messages.map(({ id, seq }) => ({ id, seq })) };
  });
}
