import type { IncomingMessage, ServerResponse } from 'node:http';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { Store } from '../../../store/store.js';
import { errorMessage } from '../../../text/failure-text.js';
import { AllowedMethods } from '../allowed-methods.js';
import { readBodies, takeEmptyBodies } from '../bodies.js';
import { type GuardOptions, guardRoutes } from '../guard.js';
import type { HttpChannelOptions } from '../options.js';
import type { UnreadOptions } from '../streams/answer-writer.js';
import type { LongPolls } from '../streams/long-polls.js';
import { addChatRoutes } from './chat-routes.js';
import { addConversationRoutes } from './conversation-routes.js';
import { conversationOf } from './conversations.js';
import { OpenAiError, openAiErrorOf, problemKindOf } from './errors.js';
import { addModelRoutes } from './model-routes.js';
import { addResponseRoutes } from './response-routes.js';
import { Retries } from './retries.js';
import { RunStreams } from './run-streams.js';
import { Runs } from './runs.js';
import { responseMessage } from './sessions.js';
import type { OpenAiSettings } from './settings.js';
import { ThrowAwaySessions } from './throw-away.js';

export interface OpenAiFrontOptions extends UnreadOptions {
  readonly http: HttpChannelOptions;
  readonly openAi: () => OpenAiSettings;
  /** The HTTP interface's own: one rule for who may come in. */
  readonly guard: Omit<GuardOptions, 'allowedMethods'>;
  readonly longPolls: LongPolls;
  /** The store's reads for answers. */
  readonly reads: Pick<Store, 'message' | 'deltas'>;
  readonly clientOf: (request: FastifyRequest) => string | null;
  readonly noCompiler: () => () => never;
}

/** The OpenAI-compatible API, as docs/openai-front.md describes it. */
export interface OpenAiFront {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Open streams. */
  readonly streams: number;
  /** Ends streams: the gateway stops. */
  end(): void;
  close(): Promise<void>;
}

export function createOpenAiFront(options: OpenAiFrontOptions): OpenAiFront {
  const { http, openAi, longPolls, reads, onUnread } = options;
  const { store, log } = http;
  const startedAt = Date.now();
  const streams = new RunStreams({ store: reads, changes: http.changes, log, onUnread });
  const throwAway = new ThrowAwaySessions({
    store,
    sessions: http.sessions,
    expireMs: () => openAi().expireMs,
    log,
    now: Date.now,
  });
  const runs = new Runs({
    ...http,
    retries: new Retries(store),
    throwAway,
    lookups: {
      store,
      settings: openAi,
      conversation: (owner, id) => conversationOf(store, owner, id),
      response: (owner, id) => responseMessage(store, owner, id),
    },
  });
  throwAway.start();

  /** An application takes bodies of one size for all of its life. */
  const build = async (bodyLimitBytes: number): Promise<FastifyInstance> => {
    const application = fastify({
      bodyLimit: bodyLimitBytes,
      routerOptions: { maxParamLength: 1_024 },
      exposeHeadRoutes: true,
      schemaController: {
        compilersFactory: { buildValidator: options.noCompiler, buildSerializer: options.noCompiler },
      },
      frameworkErrors: (error, _request, reply) => write(reply.raw, openAiErrorOf(error)),
    });
    const allowedMethods = new AllowedMethods();
    allowedMethods.follow(application);
    application.setErrorHandler((error, request, reply) => {
      const answer = openAiErrorOf(error);
      const kind = problemKindOf(error);
      if (kind !== null) http.onProblem?.(kind);
      if (answer.status >= 500 && !(error instanceof OpenAiError)) logFailure(error, request, answer);
      return reply
        .code(answer.status)
        .headers(answer.headers)
        .type('application/json; charset=utf-8')
        .send(answer.body());
    });
    application.register(async (guarded) => {
      guardRoutes(guarded, { ...options.guard, allowedMethods });
      const readBody = readBodies(guarded, bodyLimitBytes);
      addModelRoutes(guarded, http.sessions, startedAt);
      addChatRoutes(guarded, { store: reads, runs, streams, longPolls });
      guarded.register(async (responses) => {
        takeEmptyBodies(responses, readBody);
        const { actions } = http;
        addResponseRoutes(responses, { store: reads, records: store, runs, streams, longPolls, actions });
        addConversationRoutes(responses, store, http.sessions);
      });
    });
    await application.ready();
    return application;
  };

  const logFailure = (error: unknown, request: FastifyRequest, { status }: OpenAiError) => {
    const route = request.routeOptions.url ?? 'an unknown address';
    const stack = error instanceof Error ? (error.stack ?? null) : null;
    log.err(`${request.method} ${route} was answered ${status}: ${errorMessage(error)}`, {
      SD_GATEWAY_STACK: stack,
      SD_GATEWAY_CLIENT: options.clientOf(request),
    });
  };

  let built: { readonly limit: number; readonly application: Promise<FastifyInstance> } | null = null;
  return {
    handle(request, response) {
      const limit = openAi().bodyLimitBytes;
      if (built?.limit !== limit) built = { limit, application: build(limit) };
      built.application.then(
        (application) => application.routing(request, response),
        (error: unknown) => {
          log.err(`The OpenAI-compatible API can't be served: ${errorMessage(error)}`);
          write(response, openAiErrorOf(error));
        },
      );
    },
    get streams() {
      return streams.count;
    },
    end() {
      streams.end();
    },
    async close() {
      streams.end();
      await throwAway.close();
    },
  };
}

function write(response: ServerResponse, error: OpenAiError): void {
  response.writeHead(error.status, {
    ...error.headers,
    'Content-Type': 'application/json; charset=utf-8',
    Connection: 'close',
  });
  response.end(error.body());
}
