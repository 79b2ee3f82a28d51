import { z } from 'zod';
import type { Operation } from '../openapi/operation.js';
import { anyObject } from '../openapi/parts.js';

export const hookOperations: readonly Operation[] = [
  {
    method: 'POST',
    url: '/hooks/:channel',
    id: 'postToChannel',
    tag: 'Platforms',
    summary: 'Take a request of the platform of a channel',
    description:
      'It needs no token: the channel checks the signature or secret of the platform, before it looks into the body.',
    path: {
      channel: z.string().meta({ description: 'The name of the channel.', examples: ['github'] }),
    },
    access: 'open',
    body: {
      required: false,
      content: { '*/*': { bytes: 'The body in the form of the platform.' } },
    },
    answers: {
      200: {
        description: 'All that has to be kept of the request is on disk.',
        content: { 'application/json': anyObject('The answer that the platform expects.') },
      },
    },
    problems: [
      'malformed-request',
      'wrong-signature',
      'not-found',
      'body-too-large',
      'unsupported-media-type',
      'not-ready',
      'store-unavailable',
    ],
  },
];
