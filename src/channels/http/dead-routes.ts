import type { FastifyInstance } from 'fastify';
import type { DeadOutcome, Store } from '../../store/store.js';
import type { Interventions } from './http-channel.js';
import { Problem } from './problem.js';
import { noBody } from './request-schema.js';
import { pageOf } from './session-routes.js';
import { validateBody } from './validate.js';
import { messageView, pageView } from './views.js';

/** Seconds after which a message that is in use may be asked for again. */
const busyRetryAfter = 1;

/** Dead letters: messages that are dead, for a person to see to; and replies that somebody gives up. */
export function addDeadRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'deadMessages'>,
  interventions: Pick<Interventions, 'retryDead' | 'discardMessage'>,
): void {
  application.get('/v1/dead', async (request) => {
    return pageView(await store.deadMessages(pageOf(request.query)), messageView);
  });

  const actions = {
    retry: {
      act: (id: string) => interventions.retryDead(id),
      busy: 'Its sender is being told just now that it is dead.',
    },
    discard: {
      act: (id: string) => interventions.discardMessage(id),
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
