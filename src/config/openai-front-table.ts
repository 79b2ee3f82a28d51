import { z } from 'zod';
import { size, timeSpan } from './values.js';

const day = 86_400_000;

/** A field name (RFC 9110, 5.1), but none that has another meaning. */
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be the name of a header, such as "X-Session-Id"')
  .refine(
    (name) => !/^(?:authorization|cookie|host|idempotency-key|content-.*|x-stainless-.*)$/i.test(name),
    'has another meaning; choose a header of its own for sessions',
  );

/** The table `[openai]`: the OpenAI-compatible API that clients use. The agents that ask a model's server have openai-keys.ts. */
export const openAiFrontTable = z.strictObject({
  enabled: z.boolean().default(false).register(z.globalRegistry, {
    description:
      'Serve the OpenAI-compatible API below /v1/models, /v1/chat, /v1/responses and /v1/conversations.',
  }),
  session_headers: z.array(headerName).default(['X-Session-Id']).register(z.globalRegistry, {
    description:
      'Headers by which a client names the session of a request. The first that is there counts. A request may hold the new message alone.',
  }),
  chat_headers: z.array(headerName).default([]).register(z.globalRegistry, {
    description:
      'The same for chat programs that send the whole conversation each time, such as "X-OpenWebUI-Chat-Id". Their requests for titles and tags don\'t become turns of the chat.',
  }),
  expire: timeSpan(1_000, 30 * day)
    .prefault('1h')
    .register(z.globalRegistry, {
      description:
        'Time after its last turn until a session is deleted that the gateway made for a request without one.',
    }),
  body_limit: size(1_024, 64 * 1024 ** 2)
    .prefault('16M')
    .register(z.globalRegistry, {
      description: 'Largest request body of this API, whose files come in base64.',
    }),
});
