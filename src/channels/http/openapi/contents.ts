import { z } from 'zod';
import type {
  AnswerDescription,
  HeaderDescription,
  HttpMethod,
  MediaContent,
  Operation,
  RequestBodyDescription,
} from './operation.js';
import type { Direction, JsonSchema, Schemas } from './schemas.js';

/** Media types, headers and parameters, as OpenAPI writes them. */

function isSchema(content: MediaContent): content is z.ZodType {
  return content instanceof z.ZodType;
}

/** The format is of OpenAPI 3.0. Generators of clients go by it, and JSON Schema passes it over. */
const bytes = { type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' };

function mediaType(content: MediaContent, schemas: Schemas, direction: Direction): JsonSchema {
  if (isSchema(content)) return { schema: schemas.of(content, direction) };
  if ('bytes' in content) return { schema: { ...bytes, description: content.bytes } };
  if ('events' in content) {
    const events = Object.entries(content.events).map(([name, data]) => [name, schemas.of(data, direction)]);
    return {
      schema: {
        type: 'string',
        description: `${content.description} Server-sent events: \`x-events\` has the data of each, by its name.`,
      },
      example: content.example,
      'x-events': Object.fromEntries(events),
    };
  }
  const message = schemas.of(content.message, direction);
  return {
    schema: {
      type: 'object',
      description: 'The first part is `message`. Each further part, of any name, is a file with a file name.',
      properties: {
        message,
        file: {
          type: 'array',
          items: bytes,
          description: 'The files, in their order.',
        },
      },
      required: ['message'],
    },
    encoding: { message: { contentType: 'application/json' } },
  };
}

function headersOf(headers: Readonly<Record<string, HeaderDescription>>, schemas: Schemas): JsonSchema {
  return Object.fromEntries(
    Object.entries(headers).map(([name, { description, schema, always = false }]) => [
      name,
      { description, ...(always && { required: true }), schema: schemas.of(schema, 'answer') },
    ]),
  );
}

export function answerOf(
  { description, headers, content, example }: AnswerDescription,
  schemas: Schemas,
): JsonSchema {
  const types = Object.entries(content ?? {}).map(([type, each]) => {
    const given = example === undefined ? {} : { example };
    return [type, { ...mediaType(each, schemas, 'answer'), ...given }];
  });
  return {
    description,
    ...(headers !== undefined && { headers: headersOf(headers, schemas) }),
    ...(types.length > 0 && { content: Object.fromEntries(types) }),
  };
}

export function requestBodyOf(
  { required, content, examples }: RequestBodyDescription,
  schemas: Schemas,
): JsonSchema {
  const types = Object.entries(content).map(([type, each]) => {
    const named = Object.entries(examples ?? {}).map(([name, value]) => [name, { value }]);
    const given = isSchema(each) && named.length > 0 ? { examples: Object.fromEntries(named) } : {};
    return [type, { ...mediaType(each, schemas, 'request'), ...given }];
  });
  return { required, content: Object.fromEntries(types) };
}

/** Parameters of the address, of the query, and headers. A parameter of the query is shown as the value that it stands for. */
export function parametersOf({ path = {}, query, headers = {} }: Operation, schemas: Schemas): JsonSchema[] {
  const parameter = (place: string, direction: Direction) => {
    return ([name, schema]: [string, z.core.$ZodType]): JsonSchema => {
      const { description, ...described } = schemas.of(schema, direction);
      const isRequired = place === 'path' || !z.util.optionalKeys({ name: schema }).includes('name');
      return {
        name,
        in: place,
        ...(description !== undefined && { description }),
        ...(isRequired && { required: true }),
        schema: described,
      };
    };
  };
  return [
    ...Object.entries(path).map(parameter('path', 'request')),
    ...Object.entries(query?.shape ?? {}).map(parameter('query', 'answer')),
    ...Object.entries(headers).map(parameter('header', 'request')),
  ];
}

/** An address as OpenAPI writes it: "/v1/messages/{id}". */
export function pathOf(url: string): string {
  return url.replace(/:(\w+)/g, '{$1}');
}

export function memberOf(method: HttpMethod): string {
  return method.toLowerCase();
}
