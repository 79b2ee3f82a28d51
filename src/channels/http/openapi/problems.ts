import { z } from 'zod';
import { readyFacts } from './health.js';
import { anyObject, type Described } from './parts.js';
import { describeAs } from './schemas.js';

/** Any object for the code, as an error knows nothing of who makes it. */
const facts = anyObject('');
describeAs(facts, readyFacts);

const mistake = z
  .object({
    detail: z.string().meta({ description: 'What is wrong, for people.', examples: ['is missing'] }),
    pointer: z
      .string()
      .meta({ description: 'The place in the body, as a JSON pointer.', examples: ['#/text'] })
      .optional(),
    parameter: z.string().meta({ description: 'The parameter of the address.' }).optional(),
    header: z.string().meta({ description: 'The header.' }).optional(),
  })
  .meta({
    id: 'Mistake',
    description: 'One mistake in the request. One of `pointer`, `parameter` and `header` says where.',
  });

/** Problem details as in RFC 9457. */
export const problem = z
  .object({
    type: z.string().meta({
      format: 'uri',
      description: 'Names the kind of the error, and stays the same.',
      examples: ['urn:sd-gateway:problem:unknown-message'],
    }),
    title: z
      .string()
      .meta({ description: 'The kind of the error, for people.', examples: ['There is no such message'] }),
    status: z.int().meta({ description: 'The status of the answer.', examples: [404] }),
    detail: z.string().meta({
      description: 'This error, for people.',
      examples: ['No message has this id, or it is kept no longer.'],
    }),
    errors: z
      .array(mistake)
      .meta({ description: 'The first 20 mistakes of a request that is not valid.' })
      .optional(),
    facts: facts.optional(),
  })
  .meta({ id: 'Problem', description: 'An error, as problem details (RFC 9457).' });

/** The members of an error. */
export type ProblemBody = Described<typeof problem>;
