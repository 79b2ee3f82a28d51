import { isUtf8 } from 'node:buffer';
import { type FastifyInstance, fastify } from 'fastify';
import type { Log } from '../../log/log.js';
import type {
  CancelOutcome,
  DeadOutcome,
  JsonValue,
  NewMessage,
  QueueLimits,
  SessionCancelled,
} from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { AcceptOutcome } from '../../store/turns.js';
import { addCancelRoutes, addDeadRoutes } from './action-routes.js';
import { AllowedMethods, methodNotAllowed } from './allowed-methods.js';
import { bearerCheck } from './bearer.js';
import { internalProblem, problemOf } from './failures.js';
import { Problem, problemContentType, writeProblem } from './problem.js';
import {
  addEventRoutes,
  addHealthRoutes,
  addMessageRoutes,
  addPolicyRoutes,
  addSessionRoutes,
  isOpen,
} from './routes.js';
import type { ConnectionBounds } from './server/connection-bounds.js';
import type { ConnectionFacts } from './server/connections.js';
import { type KeptSockets, nothingKept } from './server/kept-sockets.js';
import type { HttpEndpoint } from './server/listen.js';
import { Servers } from './server/servers.js';
import { EventStreams, type SessionChanges } from './streams/event-streams.js';
import { LongPolls, type MessageChanges } from './streams/long-polls.js';
import { pacedReads } from './streams/paced-reads.js';

export interface Readiness {
  readonly ready: boolean;
  /** The lifecycle's state, the parts' progress and whatever else an operator asks first. */
  readonly facts: Readonly<Record<string, JsonValue>>;
}

/** May change with a reload. */
export interface HttpSettings {
  /** Longest wait for a reply, in milliseconds. */
  readonly waitLimit: number;
  readonly queue: QueueLimits;
}

export type ReplyUrlVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** What people do with messages that were accepted; null: there is none of that id or name. */
export interface Interventions {
  cancelMessage(id: string): Promise<CancelOutcome | null>;
  cancelSession(session: string): Promise<SessionCancelled | null>;
  retryDead(id: string): Promise<DeadOutcome | null>;
  discardMessage(id: string): Promise<DeadOutcome | null>;
}

export interface HttpChannelOptions {
  readonly store: Pick<
    Store,
    | 'message'
    | 'session'
    | 'setPolicy'
    | 'sessions'
    | 'sessionMessages'
    | 'deadMessages'
    | 'settledMessages'
    | 'settledUpTo'
  >;
  /** Takes a message in; it is on disk when the promise resolves, and whoever has to know does. */
  readonly accept: (message: NewMessage, limits: QueueLimits) => Promise<AcceptOutcome>;
  readonly interventions: Interventions;
  readonly changes: MessageChanges & SessionChanges;
  readonly log: Log;
  /** The bearer token that every request but those for health and readiness must have. */
  readonly token: string;
  /** Largest body, in bytes. */
  readonly bodyLimit: number;
  /** Read with each request. */
  readonly settings: () => HttpSettings;
  readonly readiness: () => Readiness;
  /** Whether a reply may be posted there; if not, why, such as "must be an http or https URL". */
  readonly validateReplyUrl: (url: string) => ReplyUrlVerdict;
  /** Seconds after which a full queue may have room again. */
  readonly roomIn: (limit: 'session' | 'total') => number;
  /** Where sockets outlive this process; by default nowhere. */
  readonly sockets?: KeptSockets;
  /** The bounds of connections, asked for at each new one. */
  readonly bounds: () => ConnectionBounds;
  /** Connections have reached their bound, or no longer do. */
  readonly boundChanged?: () => void;
}

export interface HttpFacts {
  readonly connections: ConnectionFacts;
  /** Long polls. */
  readonly waiting: number;
  readonly streams: number;
}

export interface HttpChannel {
  /** Makes all ready that `listen` needs, which does it otherwise; the store need not be open yet. */
  prepare(): Promise<void>;
  /**
   * Binds all endpoints, or none, and goes on with the `connections` of an earlier process; gives the addresses that
   * clients use. Throws a ListenError.
   */
  listen(endpoints: readonly HttpEndpoint[], connections?: readonly number[]): Promise<readonly string[]>;
  /**
   * From now on each answer is the last of its connection, and long polls are answered with the present state. Messages
   * are taken until `close`: they are on disk before their answer, and the next start runs them.
   */
  beginStop(): void;
  /**
   * Accepts no connection more, waits at most `patience` milliseconds for the answers that are owed, and leaves idle
   * connections to the next process or, where that can't be, closes them. Gives how many were cut off. Nothing of the
   * channel holds the process afterwards.
   */
  close(patience: number): Promise<number>;
  facts(): HttpFacts;
}

/** Seconds after which a connection may be idle that was busy. */
const roomRetryAfter = 5;

const noSuchAddress = 'No call of this interface has this address; docs/http.md lists them.';

/** Requests are checked in validate.ts. Fastify’s compilers of JSON schemas would be loaded at each start, for nothing. */
const noCompiler = () => (): never => {
  throw new Error('The routes have no JSON schemas: their requests are checked in validate.ts.');
};

/** JSON is UTF-8 (RFC 8259, 8.1): else what is stored would have U+FFFD where something else was sent. */
function readJsonAsUtf8(application: FastifyInstance): void {
  const parse = application.getDefaultJsonParser('error', 'error');
  application.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request, body: Buffer, done) => {
      if (isUtf8(body)) parse(request, body.toString(), done);
      else done(new Problem('malformed-request', 'The body is not UTF-8.'));
    },
  );
}

/** The HTTP interface, as docs/http.md describes it. */
export function createHttpChannel(options: HttpChannelOptions): HttpChannel {
  const { log } = options;
  const reads = pacedReads(options.store);
  const longPolls = new LongPolls(reads, options.changes);
  const streams = new EventStreams({
    store: reads,
    changes: options.changes,
    log,
    onUnread: ({ socket }) => {
      if (socket !== null) servers.unread.note(socket);
    },
  });
  const checkToken = bearerCheck(options.token);

  const application = fastify({
    bodyLimit: options.bodyLimit,
    routerOptions: { maxParamLength: 1_024 },
    exposeHeadRoutes: true,
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    frameworkErrors: (error, _request, reply) => {
      writeProblem(reply.raw, problemOf(error) ?? internalProblem);
    },
  });

  const allowedMethods = new AllowedMethods();
  allowedMethods.follow(application);
  application.removeContentTypeParser('text/plain');
  readJsonAsUtf8(application);
  application.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error) ?? internalProblem;
    if (problem.status >= 500 && !(error instanceof Problem)) {
      const reason = error instanceof Error ? error.message : String(error);
      const stack = problem === internalProblem && error instanceof Error ? error.stack : null;
      const route = request.routeOptions.url ?? 'an unknown address';
      const message = `${request.method} ${route} was answered ${problem.status}: ${reason}`;
      log.err(message, { SD_GATEWAY_STACK: stack });
    }
    return reply.code(problem.status).headers(problem.headers).type(problemContentType).send(problem.body());
  });

  addHealthRoutes(application, options.readiness);
  application.register(async (guarded) => {
    guarded.addHook('onRequest', (request, _reply, done) => {
      // Before a body is read, so that it can't be refused for another reason.
      const allowed = request.is404 ? allowedMethods.of(request) : null;
      if (allowed !== null && isOpen(request.url)) throw methodNotAllowed(allowed);
      checkToken(request.headers.authorization);
      if (!servers.connections.admit(request.raw.socket)) {
        throw new Problem('too-many-connections', 'All connections that there may be are busy.', {
          retryAfter: roomRetryAfter,
          headers: { Connection: 'close' },
        });
      }
      if (allowed !== null) throw methodNotAllowed(allowed);
      if (request.is404) throw new Problem('not-found', noSuchAddress);
      done();
    });
    // Never called, as the hook has thrown; that it is there has the hook called.
    guarded.setNotFoundHandler(() => {
      throw new Problem('not-found', noSuchAddress);
    });
    addMessageRoutes(guarded, { ...options, longPolls });
    addSessionRoutes(guarded, reads);
    addPolicyRoutes(guarded, options.store);
    addEventRoutes(guarded, options.store, streams);
    addCancelRoutes(guarded, options.interventions);
    addDeadRoutes(guarded, reads, options.interventions);
  });

  const servers = new Servers({
    handle: (request, response) => application.routing(request, response),
    sockets: options.sockets ?? nothingKept,
    log,
    bounds: options.bounds,
    changed: options.boundChanged ?? (() => undefined),
  });

  return {
    async prepare() {
      await application.ready();
    },
    async listen(endpoints, connections = []) {
      await application.ready();
      const addresses: string[] = [];
      try {
        for (const endpoint of endpoints) addresses.push(await servers.bind(endpoint));
      } catch (error) {
        await servers.close(0);
        throw error;
      }
      servers.keepListeners();
      servers.adopt(connections);
      return addresses;
    },
    beginStop() {
      servers.connections.makeAnswersLast();
      longPolls.end();
      streams.end();
    },
    async close(patience) {
      longPolls.end();
      streams.end();
      // Fastify's own server has never listened: there is nothing of it to be closed.
      return servers.close(patience);
    },
    facts: () => ({
      connections: servers.connections.facts(),
      waiting: longPolls.count,
      streams: streams.count,
    }),
  };
}
