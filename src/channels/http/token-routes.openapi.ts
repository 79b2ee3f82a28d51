import { z } from 'zod';
import type { Operation } from './openapi/operation.js';
import { type Described, oneOf, time } from './openapi/parts.js';
import { describeMembers } from './openapi/schemas.js';
import { tokenBody } from './request-schema.js';
import { scopes } from './tokens.js';

describeMembers(tokenBody, {
  name: { description: 'A name that no token has.', examples: ['ci'] },
  scopes: { description: 'What the token may do.', examples: [['post', 'read']] },
});
z.globalRegistry.add(tokenBody, { id: 'NewToken', description: 'A token to be made.' });

const token = z
  .object({
    name: z.string().meta({ examples: ['ci'] }),
    scopes: z.array(oneOf(scopes, 'A scope.')),
    created_at: time('The time at which it was made.'),
  })
  .meta({ id: 'Token', description: 'A token beside the operator’s, without its secret.' });

const made = token
  .extend({ token: z.string().meta({ description: 'The token itself. Nobody can read it again.' }) })
  .meta({ id: 'MadeToken', description: 'A new token with its secret.' });

const tokens = z
  .object({ items: z.array(token), next: z.null() })
  .meta({ id: 'TokenList', description: 'All tokens but the operator’s.' });

export type TokenView = Described<typeof token>;
export type MadeToken = Described<typeof made>;
export type TokenList = Described<typeof tokens>;

export const tokenOperations: readonly Operation[] = [
  {
    method: 'GET',
    url: '/v1/tokens',
    id: 'listTokens',
    tag: 'Tokens',
    summary: 'List the tokens beside the operator’s',
    answers: { 200: { description: 'They, without secrets.', content: { 'application/json': tokens } } },
  },
  {
    method: 'POST',
    url: '/v1/tokens',
    id: 'makeToken',
    tag: 'Tokens',
    summary: 'Make a token with scopes',
    body: {
      required: true,
      content: { 'application/json': tokenBody },
      examples: { client: { name: 'ci', scopes: ['post', 'read'] } },
    },
    answers: {
      201: {
        description: 'The token. The store keeps only its SHA-256.',
        headers: {
          'Cache-Control': {
            description: 'No cache on the way is to keep it.',
            schema: z.literal('no-store'),
            always: true,
          },
        },
        content: { 'application/json': made },
      },
    },
    problems: ['token-exists'],
  },
  {
    method: 'DELETE',
    url: '/v1/tokens/:name',
    id: 'revokeToken',
    tag: 'Tokens',
    summary: 'Revoke a token, and end what is under way with it',
    path: { name: z.string().meta({ description: 'The name of the token.', examples: ['ci'] }) },
    answers: { 204: { description: 'It is revoked.' } },
    problems: ['unknown-token'],
  },
];
