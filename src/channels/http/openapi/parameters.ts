import { z } from 'zod';
import { pageQuery, sessionName } from '../request-schema.js';
import type { HeaderDescription } from './operation.js';
import { describeMembers } from './schemas.js';

z.globalRegistry.add(sessionName, { description: 'The name of the session.', examples: ['chat:42'] });

/** Parameters of addresses. */
export const inSession = { session: sessionName };
export const ofMessage = {
  id: z.string().meta({
    description: 'The id of the message.',
    examples: ['01a208d4-6fa1-7405-ae6c-4a944ef783dc'],
  }),
};

describeMembers(pageQuery, {
  limit: 'The most items of the page; 100 by default. A page of long messages is shorter.',
  after: 'The `next` of the page before.',
});

/** The query of a list. */
export const page = pageQuery;

export const retryAfter: HeaderDescription = {
  description: 'Seconds after which to ask again.',
  schema: z.int().min(0),
};
