import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { descriptorOf } from './kept-sockets.js';

/**
 * How long clients are told that they may use an idle connection, in seconds. Less than it is kept for, so that none is
 * closed while a request is on its way (RFC 9112, 9.5).
 */
const advertisedKeepAlive = 65;

/** How long an idle connection is kept, in milliseconds. */
export const keepAliveTimeout = 72_000;

interface Connection {
  readonly answers: Set<ServerResponse>;
  /** Bytes that had come when it was last idle: more of them mean a request that is under way. */
  bytesWhenIdle: number;
  /** The latest. Its body may come after the answer that refuses it. */
  request: IncomingMessage | null;
}

/** The open connections of the servers, so that a stop closes each of them at its right moment. */
export class Connections {
  readonly #answerTimeout: number;
  /** Those that were used last come last. */
  readonly #connections = new Map<Socket, Connection>();
  #last = false;
  #changed: () => void = () => undefined;

  /** `answerTimeout`: how long a client may read nothing of an answer that waits for it, in milliseconds. */
  constructor(answerTimeout: number) {
    this.#answerTimeout = answerTimeout;
  }

  get count(): number {
    return this.#connections.size;
  }

  follow(server: Server): void {
    server.on('connection', (socket) => {
      if (this.#connections.has(socket)) return;
      this.#add(socket);
    });
  }

  /**
   * Takes over a connection that an earlier process had accepted and that had no request under way. The server gets it
   * with its first byte: to the server a new connection is one that owes it a request (`headersTimeout`).
   */
  adopt(descriptor: number, server: Server): void {
    const socket = new Socket({ fd: descriptor, readable: true, writable: true, allowHalfOpen: true });
    this.#add(socket);
    const drop = () => void socket.destroy();
    const begin = (chunk: Buffer) => {
      socket.off('end', drop).off('error', drop).off('timeout', drop);
      socket.setTimeout(0);
      socket.pause();
      socket.unshift(chunk);
      server.emit('connection', socket);
      socket.resume();
    };
    socket.once('end', drop).once('error', drop).once('timeout', drop).once('data', begin);
    socket.setTimeout(keepAliveTimeout);
  }

  /** To be called first with each request. */
  begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    this.#connections.delete(socket);
    this.#connections.set(socket, connection);
    connection.answers.add(response);
    connection.request = request;
    if (this.#last) makeLastAnswer(connection);
    else response.setHeader('Keep-Alive', `timeout=${advertisedKeepAlive}`);
    const ended = () => {
      connection.bytesWhenIdle = socket.bytesRead;
      this.#changed();
    };
    response.once('close', () => {
      connection.answers.delete(response);
      ended();
    });
    request.once('close', ended);
    response.once('prefinish', () => this.#boundSending(socket, response));
  }

  /** From now on each answer is the last of its connection, and says so, unless a later one is owed already. */
  makeAnswersLast(): void {
    this.#last = true;
    for (const connection of this.#connections.values()) makeLastAnswer(connection);
  }

  /** Resolves once no request is under way, or after `patience` milliseconds. */
  settle(patience: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#changed = () => undefined;
        resolve();
      };
      const timer = setTimeout(end, patience);
      this.#changed = () => {
        for (const [socket, connection] of this.#connections) if (!isIdle(socket, connection)) return;
        end();
      };
      this.#changed();
    });
  }

  /**
   * Descriptors of those without a request under way, those that were used last first. What is still unread is in the
   * kernel, and stays there.
   */
  idleDescriptors(): number[] {
    return [...this.#connections].reverse().flatMap(([socket, connection]) => {
      const open = socket.writable && socket.readable && isIdle(socket, connection);
      const descriptor = open ? descriptorOf(socket) : null;
      return descriptor === null ? [] : [descriptor];
    });
  }

  /** Closes all, with or without an answer; gives how many were owed one. */
  destroyAll(): number {
    let owed = 0;
    for (const [socket, connection] of this.#connections) {
      if (!isIdle(socket, connection)) owed++;
      socket.destroy();
    }
    return owed;
  }

  /**
   * Node.js bounds how long a request may take to come, but not how long its answer may take to go. The answer has been
   * handed to the connection as a whole; what the kernel has no room for waits for the client.
   */
  #boundSending(socket: Socket, response: ServerResponse): void {
    if (socket.writableLength === 0) return;
    // As long as something goes, a socket is not idle; Node.js ends the connection of one that is.
    socket.setTimeout(this.#answerTimeout);
    // Before Node.js sets the time of an idle connection.
    response.prependOnceListener('finish', () => socket.setTimeout(0));
  }

  #add(socket: Socket): void {
    this.#connections.set(socket, { answers: new Set(), bytesWhenIdle: 0, request: null });
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#changed();
    });
  }
}

/** Of requests that were sent without waiting for an answer each is answered, in their order (RFC 9112, 9.3.2). */
function makeLastAnswer({ answers }: Connection): void {
  const last = [...answers].at(-1);
  for (const response of answers) {
    if (response.headersSent) continue;
    response.removeHeader('Keep-Alive');
    if (response === last) response.setHeader('Connection', 'close');
    else response.removeHeader('Connection');
  }
}

function isIdle(socket: Socket, { answers, bytesWhenIdle, request }: Connection): boolean {
  if (socket.destroyed) return true;
  const taken = request === null || request.complete;
  return answers.size === 0 && taken && socket.bytesRead === bytesWhenIdle && socket.writableLength === 0;
}
