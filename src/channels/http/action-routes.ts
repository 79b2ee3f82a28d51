import type { FastifyInstance } from 'fastify';
import type { DeadOutcome } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { OperatorActions } from '../surroundings.js';
import type { CancelledSession } from './action-routes.openapi.js';
import { Problem } from './problem.js';
import { noBody, sessionName } from './request-schema.js';
import { unknownSession } from './session-routes.js';
import { validateBody, validateOne } from './validate.js';
import { messageView, pageOf, pageView } from './views.js';

export function addCancelRoutes(
  application: FastifyInstance,
  messages: Pick<OperatorActions, 'cancelMessage' | 'cancelSession'>,
): void {
  application.post<{ Params: { id: string } }>('/v1/messages/:id/cancel', async (request) => {
    validateBody(noBody, request.body);
    const outcome = await messages.cancelMessage(request.params.id);
    if (outcome === null) {
      throw new Problem('unknown-message', 'No message has this id, or it is kept no longer.');
    }
    if (outcome.outcome === 'settled') {
      const { state, collectedIn } = outcome.message;
      const detail =
        collectedIn === null
          ? state === 'replied'
            ? 'The message has its reply: nothing is left to cancel.'
            : `The message is ${state}.`
          : `The message is part of the turn of ${collectedIn.id}: cancel that one.`;
      throw new Problem('not-cancellable', detail);
    }
    return messageView(outcome.message);
  });

  type Route = { Params: { session: string } };
  application.post<Route>('/v1/sessions/:session/cancel', async (request): Promise<CancelledSession> => {
    const session = validateOne(sessionName, request.params.session, { parameter: 'session' });
    validateBody(noBody, request.body);
    const cancelled = await messages.cancelSession(session);
    if (cancelled === null) {
      throw unknownSession(session);
    }
    return { session, cancelled: cancelled.messages.map(({ id, seq }) => ({ id, seq })) };
  });
}

/** Seconds after which a message that is in use may be asked for again. */
const busyRetryAfter = 1;

/** Dead letters: messages that are dead, for a person to see to; and replies that somebody gives up. */
export function addDeadRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'deadMessages'>,
  messages: Pick<OperatorActions, 'retryDead' | 'discardMessage'>,
): void {
  application.get('/v1/dead', async (request) => {
    return pageView(await store.deadMessages(pageOf(request.query)), messageView);
  });

  const actions = {
    retry: {
      act: (id: string) => messages.retryDead(id),
      busy: 'Its sender is being told just now that it is dead.',
    },
    discard: {
      act: (id: string) => messages.discardMessage(id),
      busy: 'Its reply is being posted just now.',
    },
  };
  for (const [name, { act, busy }] of Object.entries(actions)) {
    const url = `/v1/messages/:id/${name}`;
    application.post<{ Params: { id: string } }>(url, async (request) => {
      validateBody(noBody, request.body);
      return messageView(changed(await act(request.params.id), busy));
    });
  }
}

function changed(outcome: DeadOutcome | null, busy: string) {
  if (outcome === null) {
    throw new Problem('unknown-message', 'No message has this id, or it is kept no longer.');
  }
  const { message } = outcome;
  switch (outcome.outcome) {
    case 'done':
      return message;
    case 'not-dead':
      throw new Problem('not-dead', `The message is ${message.state}.`);
    case 'busy':
      throw new Problem('busy', busy, { retryAfter: busyRetryAfter });
  }
}
