import type { FastifyInstance } from 'fastify';
import type { AllowedPerson, PeopleOperations, WaitingPerson } from '../surroundings.js';
import type {
  AllowedPersonView,
  ForgottenPerson,
  PeopleView,
  WaitingPersonView,
} from './people-routes.openapi.js';
import { Problem } from './problem.js';
import { acceptBody, forgetBody } from './request-schema.js';
import { validateBody } from './validate.js';
import { time } from './views.js';

/** Routes by which an operator says who may write by channels. */
export function addPeopleRoutes(application: FastifyInstance, people: PeopleOperations): void {
  application.get('/v1/people', async (): Promise<PeopleView> => {
    const { allowed, waiting } = await people.list();
    return { allowed: allowed.map(allowedView), waiting: waiting.map(waitingView) };
  });

  application.post('/v1/people/accept', async (request) => {
    const { code, role } = validateBody(acceptBody, request.body);
    const person = await people.accept(code, role);
    if (person === null) {
      throw new Problem(
        'unknown-code',
        'Nobody waits with this code, or an hour has passed since it was made.',
      );
    }
    return allowedView(person);
  });

  application.post('/v1/people/forget', async (request): Promise<ForgottenPerson> => {
    const { id, channel = null } = validateBody(forgetBody, request.body);
    const forgotten = await people.forget(id, channel);
    switch (forgotten.outcome) {
      case 'unknown':
        throw new Problem(
          'unknown-person',
          channel === null
            ? 'No channel knows this person. If one lets them in, name it.'
            : `The channel ${channel} does not know this person.`,
        );
      case 'ambiguous':
        throw new Problem(
          'ambiguous-person',
          `Several channels know somebody with this id: ${forgotten.channels.join(', ')}. Name one of them.`,
        );
      case 'forgotten': {
        const { deleted, kept, busy, mayStillWrite } = forgotten;
        return {
          id,
          channel: forgotten.channel,
          deleted_sessions: deleted,
          kept_sessions: kept,
          busy_sessions: busy,
          may_still_write: mayStillWrite,
        };
      }
    }
  });
}

function allowedView({ channel, id, name, role, isConfigured, since }: AllowedPerson): AllowedPersonView {
  return { channel, id, name, role, configured: isConfigured, since: since === null ? null : time(since) };
}

function waitingView({ channel, id, name, askedAt, expiresAt }: WaitingPerson): WaitingPersonView {
  return { channel, id, name, asked_at: time(askedAt), expires_at: time(expiresAt) };
}
