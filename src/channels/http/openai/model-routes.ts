import type { FastifyInstance } from 'fastify';
import { defaultAgent } from '../../../store/turns.js';
import type { SessionOperations } from '../../surroundings.js';
import { OpenAiError } from './errors.js';

/** The agents, as models. */
export function addModelRoutes(
  application: FastifyInstance,
  sessions: Pick<SessionOperations, 'agents'>,
  startedAt: number,
): void {
  const view = (id: string) => ({
    id,
    object: 'model',
    created: Math.floor(startedAt / 1_000),
    owned_by: 'sd-gateway',
  });
  application.get('/v1/models', () => ({ object: 'list', data: sessions.agents.map(view) }));
  application.get<{ Params: { model: string } }>('/v1/models/:model', ({ params: { model } }) => {
    if (!sessions.agents.includes(model)) throw noSuchModel(model, sessions.agents);
    return view(model);
  });
}

/** The agent that a request names as its model; null: the routes choose. Throws the 404 if there is none. */
export function agentOf(model: string, agents: readonly string[]): string | null {
  if (!agents.includes(model)) throw noSuchModel(model, agents);
  return model === defaultAgent ? null : model;
}

function noSuchModel(model: string, agents: readonly string[]): OpenAiError {
  return new OpenAiError(
    404,
    `There is no model "${model.slice(0, 64)}": the models are the agents of the gateway, which are ${agents.join(', ')}.`,
    { param: 'model', code: 'model_not_found' },
  );
}
