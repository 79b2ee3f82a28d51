import type { FastifyInstance } from 'fastify';
import type { Log } from '../../log/log.js';
import { Problem } from './problem.js';
import { tokenBody } from './request-schema.js';
import type { TokenAnswers } from './token-answers.js';
import type { MadeToken, TokenList, TokenView } from './token-routes.openapi.js';
import type { NamedToken, NamedTokens } from './tokens.js';
import { validateBody } from './validate.js';
import { time } from './views.js';

/** Tokens beside the operator's: to make, list and revoke. */
export function addTokenRoutes(
  application: FastifyInstance,
  tokens: NamedTokens,
  answers: Pick<TokenAnswers, 'end'>,
  log: Log,
): void {
  application.get('/v1/tokens', async (): Promise<TokenList> => {
    return { items: (await tokens.list()).map(tokenView), next: null };
  });

  application.post('/v1/tokens', async (request, reply): Promise<MadeToken> => {
    const body = validateBody(tokenBody, request.body);
    const added = await tokens.add(body.name, body.scopes);
    switch (added.outcome) {
      case 'added':
        log.notice(
          `Made by request: the token "${body.name}", with the scopes ${added.token.scopes.join(', ')}`,
        );
        // No cache on the way is to keep it.
        reply.code(201).header('Cache-Control', 'no-store');
        return { ...tokenView(added.token), token: added.secret };
      case 'exists':
        throw new Problem(
          'token-exists',
          `There is a token "${body.name}"; revoke it, or choose another name.`,
        );
      case 'too-many':
        throw new Problem('token-exists', 'There are as many tokens as there may be; revoke some.');
    }
  });

  application.delete<{ Params: { name: string } }>('/v1/tokens/:name', async (request, reply) => {
    const { name } = request.params;
    if (!(await tokens.revoke(name))) throw new Problem('unknown-token', `There is no token "${name}".`);
    log.notice(`Revoked by request: the token "${name}"`);
    answers.end(name);
    reply.code(204);
  });
}

function tokenView({ name, scopes: granted, createdAt }: NamedToken): TokenView {
  return { name, scopes: granted, created_at: time(createdAt) };
}
