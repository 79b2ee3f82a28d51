import type { FastifyInstance, FastifyRequest } from 'fastify';
import { StoreError } from '../../../store/store-error.js';
import type { Hook, HookAnswer, HookRefusal, Hooks } from '../../hooks.js';
import { refuseEncoding } from '../bodies.js';
import { IncomingBodies } from '../incoming-bodies.js';
import { Problem } from '../problem.js';
import { askForBody } from '../server/continue.js';

/** Seconds after which a platform may send a request again. */
const retryAfter = 5;

export interface HookRoutesOptions {
  readonly hooks: Hooks;
  /** Names of the configured channels. */
  readonly channelNames: () => readonly string[];
  /** The client's IP address; null: it came by a Unix socket. */
  readonly clientOf: (request: FastifyRequest) => string | null;
}

type HookFastifyRequest = FastifyRequest<{ Params: { channel: string } }>;

/** The way in for platforms, which have no token: the channel checks what they send. */
export function addHookRoutes(routes: FastifyInstance, options: HookRoutesOptions): void {
  const { hooks, channelNames, clientOf } = options;
  // Callers without a token have no part of what the others may send.
  const bodies = new IncomingBodies();

  const hookOf = ({ params: { channel } }: HookFastifyRequest): Hook => {
    const hook = hooks.of(channel);
    if (hook !== null) return hook;
    if (!channelNames().includes(channel)) {
      throw new Problem('not-found', 'No channel takes requests at this address.');
    }
    throw new Problem('not-ready', 'The channel does not take requests now.', { retryAfter });
  };

  routes.removeAllContentTypeParsers();
  // The route reads it: it counts until the channel has answered.
  routes.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  routes.addHook<{ Params: { channel: string } }>('onRequest', async (request) => {
    const refusal = hookOf(request).check?.(request.headers, clientOf(request)) ?? null;
    if (refusal !== null) throw problemOfRefusal(refusal);
  });
  routes.addHook<{ Params: { channel: string } }>('preParsing', async (request, reply) => {
    const { headers } = request;
    refuseEncoding(headers);
    const { limitBytes } = hookOf(request);
    if (Number(headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
    askForBody(request.raw, reply.raw);
  });

  routes.post<{ Params: { channel: string } }>('/hooks/:channel', async (request) => {
    const { headers } = request;
    const client = clientOf(request);
    const { limitBytes } = hookOf(request);
    const answer = await bodies.use(
      request.raw,
      limitBytes,
      () => tooLarge(limitBytes),
      (body) => answerOf(hookOf(request), { body, headers, client }),
    );
    if (answer.outcome !== 'taken') throw problemOfRefusal(answer);
    return answer.body ?? {};
  });
}

/** Has the platform send it again, whatever is wrong with the store: a full disk is none of its concern. */
async function answerOf(hook: Hook, request: Parameters<Hook['handle']>[0]): Promise<HookAnswer> {
  try {
    return await hook.handle(request);
  } catch (error) {
    if (!(error instanceof StoreError) || error.reason === 'internal') throw error;
    return { outcome: 'unavailable', detail: 'The store does not take messages now. Nothing was accepted.' };
  }
}

function problemOfRefusal({ outcome, detail }: HookRefusal): Problem {
  switch (outcome) {
    case 'unauthorized':
      // RFC 9110, 15.5.2, asks for a challenge. No registered scheme is that of a signature in headers.
      return new Problem('wrong-signature', detail, {
        headers: { 'WWW-Authenticate': 'Signature realm="sd-gateway"' },
      });
    case 'malformed':
      return new Problem('malformed-request', detail);
    case 'unavailable':
      return new Problem('store-unavailable', detail, { retryAfter });
  }
}

function tooLarge(limitBytes: number): Problem {
  return new Problem(
    'body-too-large',
    `The body is larger than the ${limitBytes} bytes that the channel takes.`,
    {
      headers: { Connection: 'close' },
    },
  );
}
