import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { Server as SocketServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { Connections } from './connections.js';
import { clientErrorProblem } from './failures.js';
import { type HttpEndpoint, listen } from './listen.js';
import { Problem, problemContentType, writeProblem } from './problem.js';

/** Bounds that Node's HTTP server keeps itself (http.createServer). Milliseconds, bytes. */
const serverOptions = {
  /** The whole header section; also bounds a session's name in the address. */
  maxHeaderSize: 16_384,
  headersTimeout: 15_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 72_000,
  noDelay: true,
  // Answered below, with problem details.
  requireHostHeader: false,
} as const;

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

interface BoundServer {
  readonly server: Server;
  readonly passed: boolean;
  readonly closed: Promise<void>;
}

/** The HTTP servers, one for each socket, and their way to an orderly end. */
export class Servers {
  readonly connections = new Connections();
  readonly #handle: RequestHandler;
  readonly #bound: BoundServer[] = [];

  constructor(handle: RequestHandler) {
    this.#handle = handle;
  }

  /** Gives the address that clients use. Throws a ListenError. */
  async bind(endpoint: HttpEndpoint): Promise<string> {
    const server = createServer(serverOptions, (request, response) => {
      this.connections.begin(request, response);
      if (request.httpVersion === '1.1' && request.headers.host === undefined) {
        const problem = new Problem('malformed-request', 'A request of HTTP/1.1 must have a Host header.');
        writeProblem(response, problem);
      } else {
        this.#handle(request, response);
      }
    });
    this.connections.follow(server);
    server.on('clientError', answerClientError);
    server.on('checkExpectation', (request, response) => {
      this.connections.begin(request, response);
      const problem = new Problem('expectation-failed', 'Only "Expect: 100-continue" can be met.');
      writeProblem(response, problem);
    });
    const address = await listen(server, endpoint);
    const closed = new Promise<void>((resolve) => server.once('close', resolve));
    this.#bound.push({ server, passed: endpoint.kind === 'descriptor', closed });
    return address;
  }

  /** Connections to passed sockets wait in the kernel from now on, for the next process that is given them. */
  stopAcceptingOnPassed(): void {
    for (const { server, passed } of this.#bound) if (passed) stopAccepting(server);
  }

  /** After `patience` milliseconds all connections are closed; gives how many of them had to be cut off. */
  async close(patience: number): Promise<number> {
    for (const { server } of this.#bound) stopAccepting(server);
    this.connections.makeAnswersLast();
    // What has arrived by now is read first, so that its connection is not taken for an idle one.
    await new Promise((resolve) => setImmediate(resolve));
    this.connections.closeWhenIdle();
    let cutOff = 0;
    const timer = setTimeout(() => {
      cutOff = this.connections.destroyAll();
    }, patience);
    await Promise.all(this.#bound.map(({ closed }) => closed));
    clearTimeout(timer);
    // Stops Node's check of connections, and takes no part in anything else by now.
    for (const { server } of this.#bound) server.close();
    return cutOff;
  }
}

/** http.Server.close would close idle connections as well. */
function stopAccepting(server: Server): void {
  if (server.listening) SocketServer.prototype.close.call(server);
}

/** For what never became a request, so that there is no response to write to (http, event `clientError`). */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const begun = '_httpMessage' in socket && socket._httpMessage !== null;
  if (error.code === 'ECONNRESET' || !socket.writable || begun) {
    socket.destroy();
    return;
  }
  const problem = clientErrorProblem(error.code);
  const body = problem.body();
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nConnection: close\r\n` +
      `Content-Type: ${problemContentType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
