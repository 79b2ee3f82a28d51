import type { ServerResponse } from 'node:http';
import { type FastifyRequest, fastify } from 'fastify';
import { LastingTroubles, withLeftOut } from '../../log/lasting-troubles.js';
import { StoreError } from '../../store/store-error.js';
import { errorMessage } from '../../text/failure-text.js';
import type { Channel, ChannelHealth } from '../channel.js';
import { addCancelRoutes, addDeadRoutes } from './action-routes.js';
import { AllowedMethods } from './allowed-methods.js';
import { addDownloadRoutes } from './attachments/download-routes.js';
import { formLimitBytes, MessageInput, passForms } from './attachments/message-input.js';
import { BearerCheck } from './bearer.js';
import { readBodies, takeEmptyBodies } from './bodies.js';
import { clientOf } from './client-address.js';
import { internalProblem, problemOf } from './failures.js';
import { type GuardOptions, guardRoutes } from './guard.js';
import { addHookRoutes } from './hooks/hook-routes.js';
import { addMetricsRoutes } from './metrics-routes.js';
import { LazyOpenAiFront } from './openai/lazy-front.js';
import type { OpenAiSettings } from './openai/settings.js';
import { addDescriptionRoute } from './openapi/description-route.js';
import type { HttpChannelOptions } from './options.js';
import { addPeopleRoutes } from './people-routes.js';
import { Problem, problemContentType, writeProblem } from './problem.js';
import { addQuestionRoutes } from './question-routes.js';
import { RefusedTokens } from './refused-tokens.js';
import { addReplyRoutes } from './reply-routes.js';
import { requireRight } from './route-scopes.js';
import { addEventRoutes, addHealthRoutes, addMessageRoutes } from './routes.js';
import type { ConnectionFacts, ConnectionsTaken } from './server/connections.js';
import { Servers } from './server/servers.js';
import { nothingKept } from './server/socket-keeper.js';
import { addSessionEndRoutes, addSessionRoutes, addSessionSettingRoutes } from './session-routes.js';
import { EventStreams } from './streams/event-streams.js';
import { LongPolls } from './streams/long-polls.js';
import { pacedReads } from './streams/paced-reads.js';
import { TokenAnswers } from './token-answers.js';
import { addTokenRoutes } from './token-routes.js';
import { NamedTokens } from './tokens.js';

export interface HttpFacts {
  readonly connections: ConnectionFacts;
  /** Long polls. */
  readonly waiting: number;
  readonly streams: number;
}

/**
 * `start` binds all endpoints, or none, and throws a ListenError. `stopAccepting` makes each answer the last of its
 * connection, and answers long polls with the present state; messages are taken until `close`. `close` waits for the
 * answers that are owed, and leaves idle connections to the next process or, where that can't be, closes them.
 */
export interface HttpChannel extends Channel {
  /** Makes all ready that `start` needs, which does it otherwise; the store need not be open yet. */
  prepare(): Promise<void>;
  /** The addresses that clients use; empty before `start`. */
  readonly listening: readonly string[];
  readonly taken: ConnectionsTaken;
  /** The methods of each address, as Fastify has it, such as "/v1/messages/:id"; all of them once it is prepared. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  facts(): HttpFacts;
}

/** Requests are checked in validate.ts. Fastify’s compilers of JSON schemas would be loaded at each start, for nothing. */
const noCompiler = () => (): never => {
  throw new Error('The routes have no JSON schemas: their requests are checked in validate.ts.');
};

const notServed: OpenAiSettings = {
  isEnabled: false,
  sessionHeaders: [],
  chatHeaders: [],
  expireMs: 3_600_000,
  bodyLimitBytes: 0,
};

/** The HTTP interface, as docs/http.md describes it. */
export function createHttpChannel(options: HttpChannelOptions): HttpChannel {
  const { log } = options;
  const reads = pacedReads(options.store);
  const longPolls = new LongPolls(reads, options.changes);
  const onUnread = ({ socket }: ServerResponse) => {
    if (socket !== null) servers.unread.note(socket);
  };
  const streams = new EventStreams({ store: reads, changes: options.changes, log, onUnread });
  const attachmentSettings = () => options.settings().attachments;
  const input = new MessageInput({ ...options, settings: attachmentSettings });
  const tokens = new NamedTokens(options.store);
  const tokenAnswers = new TokenAnswers();
  const bearer = new BearerCheck(options.token, tokens);

  const clientOfRequest = ({ raw }: FastifyRequest) => clientOf(raw, options.settings().trustedProxies);
  const refusedTokens = new RefusedTokens(log);
  let isInsecurityTold = false;
  const noteInsecure = (request: FastifyRequest) => {
    if (isInsecurityTold || request.headers['x-forwarded-proto'] === undefined) return;
    const { address, isSecure } = clientOfRequest(request);
    if (isSecure !== false) return;
    isInsecurityTold = true;
    log.warning(
      `A proxy passed on a request with the token that had come to it without TLS, from ${address ?? 'nobody it names'}: have the proxy refuse such requests, and make a new token if others can read that network. Said once.`,
      { SD_GATEWAY_CLIENT: address },
    );
  };

  const openAi = options.openAi ?? (() => notServed);
  const guard: Omit<GuardOptions, 'allowedMethods'> = {
    bearer,
    connections: () => servers.connections,
    tokenAnswers,
    onAuthorized: noteInsecure,
    callerTurn: options.callerTurn,
    channelNames: () => [...options.settings().channelNames, ...(openAi().isEnabled ? ['openai'] : [])],
    onRefused: (request) => refusedTokens.note(clientOfRequest(request).address),
  };
  const openAiFront = new LazyOpenAiFront({
    http: options,
    reads,
    openAi,
    guard,
    longPolls,
    clientOf: (request) => clientOfRequest(request).address,
    noCompiler,
    onUnread,
  });

  const application = fastify({
    bodyLimit: options.bodyLimit,
    routerOptions: { maxParamLength: 1_024 },
    exposeHeadRoutes: true,
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    frameworkErrors: (error, _request, reply) => {
      const problem = problemOf(error) ?? internalProblem;
      options.onProblem?.(problem.kind);
      writeProblem(reply.raw, problem);
    },
  });

  const allowedMethods = new AllowedMethods();
  allowedMethods.follow(application);
  const troubles = new LastingTroubles();
  application.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error) ?? internalProblem;
    options.onProblem?.(problem.kind);
    if (problem.status >= 500 && !(error instanceof Problem)) {
      const reason = errorMessage(error);
      const stack = problem === internalProblem && error instanceof Error ? error.stack : null;
      const route = request.routeOptions.url ?? 'an unknown address';
      const message = `${request.method} ${route} was answered ${problem.status}: ${reason}`;
      // A full disk has one for each message that it refuses.
      const kind = error instanceof StoreError ? `${route} ${error.reason}` : null;
      const leftOut = kind === null ? 0 : troubles.admit(kind, performance.now());
      if (leftOut !== null) {
        log.err(withLeftOut(message, leftOut), {
          SD_GATEWAY_STACK: stack,
          SD_GATEWAY_CLIENT: clientOfRequest(request).address,
        });
      }
    }
    return reply.code(problem.status).headers(problem.headers).type(problemContentType).send(problem.body());
  });

  addHealthRoutes(application, options.readiness, async ({ headers }) => {
    requireRight(await bearer.callerOf(headers.authorization), 'read');
  });
  addDescriptionRoute(application);
  application.register(async (guarded) => {
    guardRoutes(guarded, { ...guard, allowedMethods });
    const readBody = readBodies(guarded, options.bodyLimit, () =>
      formLimitBytes(options.bodyLimit, attachmentSettings()),
    );
    guarded.register(async (messages) => {
      passForms(messages);
      addMessageRoutes(messages, { ...options, input, longPolls, streams });
    });
    addDownloadRoutes(guarded, options.store, { log, onUnread });
    addSessionRoutes(guarded, reads);
    addSessionSettingRoutes(guarded, options.store, options.sessions, log);
    addEventRoutes(guarded, options.store, streams);
    addQuestionRoutes(guarded, options.questions);
    addPeopleRoutes(guarded, options.people);
    if (options.metrics !== undefined) addMetricsRoutes(guarded, options.metrics);
    guarded.register(async (actions) => {
      takeEmptyBodies(actions, readBody);
      addCancelRoutes(actions, options.actions);
      addDeadRoutes(actions, reads, options.actions);
      addSessionEndRoutes(actions, options.sessions, log);
      addTokenRoutes(actions, tokens, tokenAnswers, log);
    });
  });

  const { turnReplies } = options;
  if (turnReplies !== undefined) {
    application.register(async (routes) => addReplyRoutes(routes, turnReplies, () => servers.connections));
  }

  const { hooks } = options;
  if (hooks !== undefined) {
    const channelNames = () => options.settings().channelNames;
    const clientAddress = (request: FastifyRequest) => clientOfRequest(request).address;
    application.register(async (routes) =>
      addHookRoutes(routes, { hooks, channelNames, clientOf: clientAddress }),
    );
  }

  const servers = new Servers({
    handle: (request, response) => {
      if (!openAiFront.takes(request, response)) application.routing(request, response);
    },
    sockets: options.sockets ?? nothingKept,
    log,
    bounds: options.bounds,
    changed: options.boundChanged ?? (() => undefined),
  });

  let listening: readonly string[] = [];
  let health: ChannelHealth = { state: 'starting', since: Date.now(), reason: null };
  const enter = (state: ChannelHealth['state']) => {
    health = { state, since: Date.now(), reason: null };
  };

  return {
    name: 'http',
    get listening() {
      return listening;
    },
    get addresses() {
      return allowedMethods.addresses;
    },
    get taken() {
      return servers.connections.taken;
    },
    async prepare() {
      await application.ready();
    },
    async start() {
      await application.ready();
      const { endpoints, connections } = await options.openSockets();
      const addresses: string[] = [];
      try {
        for (const endpoint of endpoints) addresses.push(await servers.bind(endpoint));
      } catch (error) {
        // With nothing bound, the start can be tried again.
        if (addresses.length > 0) await servers.close(0);
        throw error;
      }
      servers.keepListeners();
      servers.adopt(connections);
      listening = addresses;
      openAiFront.start();
      enter('up');
    },
    stopAccepting() {
      servers.connections.makeAnswersLast();
      longPolls.end();
      streams.end();
      openAiFront.end();
    },
    async close(timeoutMs) {
      refusedTokens.close();
      longPolls.end();
      streams.end();
      await openAiFront.close();
      // Fastify's own server has never listened: it has nothing to be closed.
      const cutOff = await servers.close(timeoutMs);
      if (cutOff > 0) log.warning(`${cutOff} connections were closed before their answer was taken.`);
      enter('closed');
    },
    health: () => health,
    facts: () => ({
      connections: servers.connections.facts(),
      waiting: longPolls.count,
      streams: streams.count + openAiFront.streams,
    }),
  };
}
