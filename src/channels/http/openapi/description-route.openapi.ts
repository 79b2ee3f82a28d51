import { z } from 'zod';
import type { HeaderDescription, Operation } from './operation.js';
import { anyObject } from './parts.js';

const headers: Readonly<Record<string, HeaderDescription>> = {
  ETag: { description: 'Changes with the description.', schema: z.string(), always: true },
  'Cache-Control': {
    description: 'A cache is to ask if it is still the same.',
    schema: z.literal('no-cache'),
    always: true,
  },
};

export const descriptionOperations: readonly Operation[] = [
  {
    method: 'GET',
    url: '/openapi.json',
    id: 'getDescription',
    tag: 'Description',
    summary: 'Read this description',
    access: 'open',
    headers: {
      'If-None-Match': z
        .string()
        .meta({ description: 'The `ETag` of the description that the client has.' })
        .optional(),
    },
    answers: {
      200: {
        description: 'The description in OpenAPI 3.1.',
        headers,
        content: { 'application/json': anyObject('An OpenAPI document.') },
      },
      304: { description: 'The client has it.', headers },
    },
  },
];
