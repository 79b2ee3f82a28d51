import { actionOperations } from '../action-routes.openapi.js';
import { downloadOperations } from '../attachments/download-routes.openapi.js';
import { hookOperations } from '../hooks/hook-routes.openapi.js';
import { peopleOperations } from '../people-routes.openapi.js';
import { questionOperations } from '../question-routes.openapi.js';
import { replyOperations } from '../reply-routes.openapi.js';
import { isPersonal, rightOf } from '../route-scopes.js';
import { eventOperations, healthOperations, messageOperations } from '../routes.openapi.js';
import { sessionOperations } from '../session-routes.openapi.js';
import { tokenOperations } from '../token-routes.openapi.js';
import { answerOf, memberOf, parametersOf, pathOf, requestBodyOf } from './contents.js';
import { descriptionOperations } from './description-route.openapi.js';
import { ErrorAnswers } from './errors.js';
import { type Operation, problemsOf, tags } from './operation.js';
import { type JsonSchema, Schemas } from './schemas.js';
import { failed, replied, webhookHeaders } from './webhooks.js';

/** All operations. A route that is in no list fails a test (test/channels/http/openapi). */
export const operations: readonly Operation[] = [
  ...messageOperations,
  ...eventOperations,
  ...downloadOperations,
  ...sessionOperations,
  ...actionOperations,
  ...questionOperations,
  ...peopleOperations,
  ...tokenOperations,
  ...replyOperations,
  ...hookOperations,
  ...healthOperations,
  ...descriptionOperations,
];

/** Addresses that this description leaves out. `prefix` is the beginning of the address as Fastify has it. */
export const leftOut: readonly { readonly prefix: string; readonly reason: string }[] = [
  { prefix: '/metrics', reason: 'It has the text format of Prometheus, which docs/metrics.md describes.' },
];

const about = `The interface of the gateway for programs: JSON over HTTP/1.1. The manual is \`docs/http.md\`.

These calls only gain members: a client passes over members of answers, types of events and types of errors that it does not know. What would break a client gets addresses of its own, below \`/v2\`.

The OpenAI-compatible API (\`docs/openai-front.md\`) is that of OpenAI, which has a description of its own.

Each address that takes GET takes HEAD as well, but those of event streams. Times are RFC 3339 in UTC.`;

const tokenScheme = `The token of the operator may do all. Give each client a token of its own with the scopes that it needs (\`makeToken\`). The scope that a call needs is named at the call; \`operator\` stands for the token of the operator.`;

/** The description of the HTTP interface, as OpenAPI 3.1 has it. */
export function openApiDocument(version: string): JsonSchema {
  const schemas = new Schemas();
  const errors = new ErrorAnswers(schemas);
  const paths: Record<string, JsonSchema> = {};
  for (const operation of operations) {
    const path = pathOf(operation.url);
    paths[path] = {
      ...paths[path],
      [memberOf(operation.method)]: operationObject(operation, schemas, errors),
    };
  }
  const webhooks = {
    'message.replied': webhook('messageReplied', 'Take the reply to a message', replied, schemas),
    'message.failed': webhook('messageFailed', 'Take a notice that a message is dead', failed, schemas),
  };
  return {
    openapi: '3.1.1',
    info: {
      title: 'sd-gateway',
      version,
      summary: 'A message gateway for agents',
      description: about,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      { url: '/', description: 'The gateway that gives this description' },
      { url: 'http://127.0.0.1:8733', description: 'The address that `http.listen` has by default' },
    ],
    security: [{ token: [] }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    webhooks,
    components: {
      responses: errors.named,
      schemas: schemas.named,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: tokenScheme },
        replyToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'The header `sd-gateway-reply-token` of the request that gave the turn to the agent.',
        },
      },
    },
  };
}

function operationObject(operation: Operation, schemas: Schemas, errors: ErrorAnswers): JsonSchema {
  const { method, url, id, tag, summary, description, body, answers, access = 'token' } = operation;
  const parameters = parametersOf(operation, schemas);
  const personal = access === 'token' && isPersonal(method, url);
  const security = {
    token: [{ token: [rightOf(method, url)] }],
    'reply-token': [{ replyToken: [] }],
    open: [],
  }[access];
  const refusal = 'For a person: a process of a running turn is refused.';
  const text = [description, personal ? refusal : undefined].filter((part) => part !== undefined).join(' ');
  const described = Object.entries(answers).map(([status, answer]) => [status, answerOf(answer, schemas)]);
  const kinds = problemsOf(operation, personal);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(text !== '' && { description: text }),
    security,
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: requestBodyOf(body, schemas) }),
    responses: {
      ...Object.fromEntries(described),
      ...(method === 'HEAD' ? errors.withoutBody(kinds) : errors.of(kinds)),
    },
  };
}

function webhook(
  id: string,
  summary: string,
  body: typeof replied | typeof failed,
  schemas: Schemas,
): JsonSchema {
  const headers = Object.entries(webhookHeaders).map(([name, schema]) => {
    const { description, ...described } = schemas.of(schema, 'answer');
    return { name, in: 'header', required: true, description, schema: described };
  });
  return {
    post: {
      operationId: id,
      summary,
      description: 'Posted to `reply_to.url`, signed as Standard Webhooks describes.',
      security: [],
      parameters: headers,
      requestBody: {
        required: true,
        content: { 'application/json': { schema: schemas.of(body, 'answer') } },
      },
      responses: {
        '2XX': { description: 'It is delivered.' },
        '4XX': { description: 'It is given up, at once or later; `docs/replies.md` says which.' },
        default: { description: 'It is sent again later, under the same `webhook-id`.' },
      },
    },
  };
}
