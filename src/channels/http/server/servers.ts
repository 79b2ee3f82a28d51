import { closeSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, ServerResponse, STATUS_CODES } from 'node:http';
import { Socket, Server as SocketServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { removeSocketFile } from '../../remove-socket-file.js';
import { clientErrorProblem } from '../failures.js';
import { Problem, problemContentType, writeProblem } from '../problem.js';
import { Connections, type ConnectionsOptions, keepAliveTimeout } from './connections.js';
import { holdBody } from './continue.js';
import { linger } from './lingering-close.js';
import { type HttpEndpoint, isReachable, listen, nameOf } from './listen.js';
import { paceRequests } from './paced-requests.js';
import { descriptorOf, type SocketKeeper } from './socket-keeper.js';
import { UnreadAnswers, unreadLimitBytes } from './unread-answers.js';

/** Bounds that Node's HTTP server keeps itself (http.createServer). Milliseconds, bytes. */
const serverOptions = {
  /** The whole header section; also bounds a session's name in the address. */
  maxHeaderSize: 16_384,
  headersTimeout: 15_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout,
  noDelay: true,
  // Answered below, with problem details.
  requireHostHeader: false,
};

/** Time for which a client may read nothing of an answer that waits for it, in milliseconds. */
const answerTimeout = 60_000;

export interface ServersOptions extends Omit<ConnectionsOptions, 'answerTimeout'> {
  readonly handle: RequestHandler;
  readonly sockets: SocketKeeper;
  /** Replaces some of `serverOptions`, or `answerTimeout`. */
  readonly times?: Partial<typeof serverOptions & { readonly answerTimeout: number }>;
  /** Most bytes of all answers that wait for their clients. */
  readonly unreadLimitBytes?: number;
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

interface BoundServer {
  readonly server: Server;
  readonly endpoint: HttpEndpoint;
  kept: boolean;
}

/** The HTTP servers, one for each socket, and their way to an orderly end. */
export class Servers {
  readonly connections: Connections;
  readonly unread: UnreadAnswers;
  readonly #handle: RequestHandler;
  readonly #sockets: SocketKeeper;
  readonly #options: typeof serverOptions;
  /** Told of what goes wrong and fails nothing. */
  readonly #log: ServersOptions['log'];
  readonly #bound: BoundServer[] = [];

  constructor({ handle, sockets, times = {}, unreadLimitBytes: limit, ...options }: ServersOptions) {
    const { answerTimeout: ownAnswerTimeout = answerTimeout, ...others } = times;
    this.connections = new Connections({ ...options, answerTimeout: ownAnswerTimeout });
    this.unread = new UnreadAnswers(limit ?? unreadLimitBytes, options.log);
    this.#handle = handle;
    this.#sockets = sockets;
    this.#log = options.log;
    this.#options = { ...serverOptions, ...others };
  }

  /** Gives the address that clients use. Throws a ListenError. */
  async bind(endpoint: HttpEndpoint): Promise<string> {
    const server = this.#create();
    const usable = this.#withReachable(endpoint);
    const address = await listen(server, usable);
    server.on('error', (error) => this.#acceptFailed(error, address));
    const kept = usable.kind !== 'descriptor' && usable.kept !== undefined;
    this.#bound.push({ server, endpoint: usable, kept });
    return address;
  }

  /** Has the listening sockets kept for the next process, where they aren't yet and can be. */
  keepListeners(): void {
    for (const bound of this.#bound) {
      const { server, endpoint } = bound;
      const descriptor = descriptorOf(server);
      // The manager itself keeps the sockets of a socket unit.
      if (bound.kept || endpoint.kind === 'descriptor' || descriptor === null) continue;
      bound.kept = this.#sockets.keepListener(nameOf(endpoint), descriptor);
    }
  }

  /** Goes on with connections that an earlier process kept. */
  adopt(descriptors: readonly number[]): void {
    const server = this.#bound[0]?.server;
    if (server === undefined) throw new Error('Nothing listens yet.');
    for (const descriptor of descriptors) this.connections.adopt(descriptor, server);
  }

  /**
   * Waits at most `timeoutMs` for the answers that are owed. Then keeps idle connections for the next process, or closes
   * them where it can't. Gives how many had to be cut off.
   */
  async close(timeoutMs: number): Promise<number> {
    // From now on connections wait in the kernel where the socket is kept or passed, and are refused elsewhere.
    for (const { server } of this.#bound) stopAccepting(server);
    this.connections.makeAnswersLast();
    // Read first: a connection whose request has arrived by now is not idle.
    await new Promise((resolve) => setImmediate(resolve));
    await this.connections.settle(timeoutMs);
    // In one turn: nothing is read between the look at a connection and its end here.
    this.#sockets.keepConnections(this.connections.idleDescriptors());
    const cutOff = this.connections.destroyAll();
    for (const { server, endpoint, kept } of this.#bound) {
      // Stops Node's check of connections, and takes no part in anything else by now.
      server.close();
      if (endpoint.kind === 'unix' && !kept) this.#remove(endpoint.path);
    }
    return cutOff;
  }

  /** A leftover socket file is harmless: the next start replaces it. */
  #remove(path: string): void {
    try {
      removeSocketFile(path);
    } catch (error) {
      this.#log.warning(
        `The file of the socket ${path} could not be removed and is left: ${(error as Error).message}`,
      );
    }
  }

  /** Whoever waits there is taken with the next event; when descriptors have run out, once another one is closed. */
  #acceptFailed(error: Error, address: string): void {
    const madeRoom = this.connections.makeRoom();
    this.#log.warning(
      `A connection could not be taken on ${address}: ${error.message}. ${madeRoom ? 'One that rested was closed.' : 'It is tried again.'}`,
    );
  }

  #create(): Server {
    const answer: RequestHandler = (request, response) => {
      this.connections.begin(request, response);
      response.once('prefinish', () => this.unread.note(request.socket));
      const mistake = hostMistake(request);
      if (mistake === null) this.#handle(request, response);
      else writeProblem(response, new Problem('malformed-request', mistake));
    };
    const server = createServer(this.#options, answer);
    // All of them, which `maxHeaderSize` bounds: the default hides some that Node.js itself goes by, such as Content-Length.
    server.maxHeadersCount = 0;
    // Else a client that sends no more is sent nothing either. Node.js (lib/_http_server.js) has it, and doesn't document it.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.on('checkContinue', (request, response) => {
      holdBody(response);
      answer(request, response);
    });
    this.connections.follow(server);
    paceRequests(server, this.#log);
    server.on('clientError', answerClientError);
    server.on('checkExpectation', (request, response) => {
      this.connections.begin(request, response);
      const problem = new Problem('expectation-failed', 'Only "Expect: 100-continue" can be met.');
      writeProblem(response, problem);
    });
    return server;
  }

  /** Gives up a kept socket that no client gets to any more. */
  #withReachable(endpoint: HttpEndpoint): HttpEndpoint {
    if (endpoint.kind === 'descriptor' || endpoint.kept === undefined) return endpoint;
    if (isReachable(endpoint)) return endpoint;
    closeSync(endpoint.kept);
    this.#sockets.dropListener(nameOf(endpoint));
    const { kept: _, ...fresh } = endpoint;
    return fresh;
  }
}

/** http.Server.close would close idle connections as well. */
function stopAccepting(server: Server): void {
  if (server.listening) SocketServer.prototype.close.call(server);
}

/** RFC 9112, section 3.2. Where hosts differ, a proxy and the gateway may each believe in another one. */
function hostMistake({ httpVersion, headersDistinct }: IncomingMessage): string | null {
  const hosts = headersDistinct['host']?.length ?? 0;
  if (hosts > 1) return 'A request must not have more than one Host header.';
  return hosts === 0 && httpVersion === '1.1' ? 'A request of HTTP/1.1 must have a Host header.' : null;
}

/**
 * For what never became a request, or not a whole one (http, event `clientError`). Where an earlier request of the
 * connection still has to be answered, or this one's answer has begun, nothing can be said any more.
 */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const response = owedResponse(socket);
  const begun = response !== null && (response.headersSent || response.req.complete);
  if (error.code === 'ECONNRESET' || !socket.writable || begun) {
    socket.destroy();
    return;
  }
  const problem = clientErrorProblem(error.code);
  const body = problem.body();
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nConnection: close\r\n` +
      `Content-Type: ${problemContentType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  if (socket instanceof Socket) linger(socket);
}

/** The response that the connection is to send next; Node has no public name for it. Null when there is none. */
function owedResponse(socket: Duplex): ServerResponse | null {
  const response = '_httpMessage' in socket ? socket._httpMessage : null;
  return response instanceof ServerResponse ? response : null;
}
