import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { ConnectionBounds } from './connection-bounds.js';
import { BoundWatch, type BoundWatchOptions } from './connection-bounds.js';
import { lingerBehindLastAnswer } from './lingering-close.js';
import { descriptorOf } from './socket-keeper.js';

/**
 * Seconds for which clients are told that they may use an idle connection. Less than it is kept for, so that none is
 * closed while a request is on its way (RFC 9112, 9.5).
 */
const advertisedKeepAlive = 65;

/** Lifetime of an idle connection, in milliseconds. */
export const keepAliveTimeout = 72_000;

/**
 * Rest that a connection without a token may take beyond their share, in milliseconds: the request of one that was just
 * taken may be read only after others were taken.
 */
const graceMs = 1_000;

/** After so long without a connection that was closed or refused, in milliseconds, the bound is no longer reached. */
const calmMs = 10_000;

export interface ConnectionsOptions {
  /** Time after which a client that reads nothing of its answer is cut off, in milliseconds. */
  readonly answerTimeout: number;
  /** Looked at for each connection. */
  readonly bounds: () => ConnectionBounds;
  readonly log: BoundWatchOptions['log'];
  /** The bound was reached, or no longer is. */
  readonly changed: () => void;
  /** Others than those above, in milliseconds. */
  readonly graceMs?: number;
  readonly calmMs?: number;
}

/** Connections that the servers have taken from the kernel, with those that were closed at once. */
export interface ConnectionsTaken {
  readonly count: number;
  /** The time of the last one, of performance.now(); 0: there was none. */
  readonly lastAt: number;
}

/** For `status`, `doctor` and /readyz. */
export interface ConnectionFacts {
  readonly open: number;
  readonly bound: number;
  /** Callers that have not shown the token, and how many of them may rest. */
  readonly withoutToken: number;
  readonly withoutTokenBound: number;
  /** Connections that rest are closed, or new ones refused. */
  readonly reached: boolean;
}

interface Connection {
  readonly answers: Set<ServerResponse>;
  /** When it was taken or had its last answer; of performance.now(). */
  restsSince: number;
  /** Bytes that had come when it was last idle: more of them mean a request that is under way. */
  bytesWhenIdle: number;
  /** The latest. Its body may come after the answer that refuses it. */
  request: IncomingMessage | null;
}

/** In the order of their last use; the latest is last. */
type Group = Map<Socket, Connection>;

/**
 * The open connections of the servers, so that there are never more than the process has descriptors for, and a stop
 * closes each of them at its right moment.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  /** Whoever has shown the token since it connected. */
  readonly #withToken: Group = new Map();
  readonly #withoutToken: Group = new Map();
  readonly #watch: BoundWatch;
  #trimming: NodeJS.Timeout | null = null;
  #taken: ConnectionsTaken = { count: 0, lastAt: 0 };
  #last = false;
  #changed: () => void = () => undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { log, changed } = options;
    this.#watch = new BoundWatch({ log, changed, calmMs: options.calmMs ?? calmMs }, () => this.#isFull());
  }

  get count(): number {
    return this.#withToken.size + this.#withoutToken.size;
  }

  get taken(): ConnectionsTaken {
    return this.#taken;
  }

  facts(): ConnectionFacts {
    const { total, withoutToken } = this.#options.bounds();
    return {
      open: this.count,
      bound: total,
      withoutToken: this.#withoutToken.size,
      withoutTokenBound: withoutToken,
      reached: this.#watch.reached,
    };
  }

  follow(server: Server): void {
    server.on('connection', (socket) => {
      this.#taken = { count: this.#taken.count + 1, lastAt: performance.now() };
      if (this.#find(socket) === undefined) this.#add(socket);
      lingerBehindLastAnswer(socket, () => this.#find(socket)?.connection.request?.complete === false);
    });
  }

  /** Closes one that rests, if there is one; whether there was. */
  makeRoom(): boolean {
    const socket =
      oldest(this.#withoutToken, rests) ?? oldest(this.#withoutToken) ?? oldest(this.#withToken, isIdle);
    if (socket === undefined) return false;
    this.#drop(socket);
    return true;
  }

  /** The connection has shown the token. False: there is no room for it, now that all others are busy. */
  admit(socket: Socket): boolean {
    const connection = this.#withoutToken.get(socket);
    if (connection === undefined) return true;
    const { total, withoutToken } = this.#options.bounds();
    if (this.#withToken.size >= total - withoutToken) {
      const idle = oldest(this.#withToken, isIdle);
      if (idle === undefined) {
        this.#watch.noteRefused(this.#options.bounds());
        return false;
      }
      this.#drop(idle);
    }
    this.#withoutToken.delete(socket);
    this.#withToken.set(socket, connection);
    return true;
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
    const found = this.#find(socket);
    if (found === undefined) return;
    const { connection, group } = found;
    group.delete(socket);
    group.set(socket, connection);
    connection.answers.add(response);
    connection.request = request;
    if (this.#last) {
      makeLastAnswer(socket, response);
      // By then it is known what has come with it in the same read.
      process.nextTick(() => makeLastAnswer(socket, response));
    } else {
      response.setHeader('Keep-Alive', `timeout=${advertisedKeepAlive}`);
    }
    const ended = () => {
      // Without those that were read and wait for their turn.
      connection.bytesWhenIdle = socket.bytesRead - socket.readableLength;
      connection.restsSince = performance.now();
      this.#changed();
    };
    response.once('close', () => {
      connection.answers.delete(response);
      ended();
    });
    request.once('close', ended);
    response.once('prefinish', () => this.#boundSending(socket, response));
  }

  /** From now on each answer is the last of its connection, and says so, unless another request has been read already. */
  makeAnswersLast(): void {
    this.#last = true;
    for (const [socket, { answers }] of this.#all()) {
      for (const response of answers) makeLastAnswer(socket, response);
    }
  }

  /** Resolves once no request is under way, or after `timeoutMs`. */
  settle(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#changed = () => undefined;
        resolve();
      };
      const timer = setTimeout(end, timeoutMs);
      this.#changed = () => {
        for (const [socket, connection] of this.#all()) if (!isIdle(socket, connection)) return;
        end();
      };
      this.#changed();
    });
  }

  /**
   * Descriptors of those without a request under way, those with the token first, and of each kind those that were used
   * last. What is still unread is in the kernel, and stays there.
   */
  idleDescriptors(): number[] {
    return this.#all()
      .reverse()
      .flatMap(([socket, connection]) => {
        const open = socket.writable && socket.readable && isIdle(socket, connection);
        const descriptor = open ? descriptorOf(socket) : null;
        return descriptor === null ? [] : [descriptor];
      });
  }

  /** Closes all, with or without an answer; gives how many were owed one. */
  destroyAll(): number {
    let owed = 0;
    for (const [socket, connection] of this.#all()) {
      if (!isIdle(socket, connection)) owed++;
      socket.destroy();
    }
    this.#watch.close();
    if (this.#trimming !== null) clearTimeout(this.#trimming);
    return owed;
  }

  #all(): [Socket, Connection][] {
    return [...this.#withoutToken, ...this.#withToken];
  }

  #find(socket: Socket): { readonly connection: Connection; readonly group: Group } | undefined {
    for (const group of [this.#withoutToken, this.#withToken]) {
      const connection = group.get(socket);
      if (connection !== undefined) return { connection, group };
    }
    return undefined;
  }

  /**
   * Node.js bounds how long a request may take to come, but not how long its answer may take to go. The answer has been
   * handed to the connection as a whole; what the kernel has no room for waits for the client.
   */
  #boundSending(socket: Socket, response: ServerResponse): void {
    if (socket.writableLength === 0) return;
    // As long as something goes, a socket is not idle; Node.js ends the connection of one that is.
    socket.setTimeout(this.#options.answerTimeout);
    // Before Node.js sets the time of an idle connection.
    response.prependOnceListener('finish', () => socket.setTimeout(0));
  }

  #add(socket: Socket): void {
    const bounds = this.#options.bounds();
    while (this.count >= bounds.total && this.makeRoom());
    if (this.count >= bounds.total) {
      this.#watch.noteRefused(bounds);
      socket.destroy();
      return;
    }
    const now = performance.now();
    this.#withoutToken.set(socket, { answers: new Set(), restsSince: now, bytesWhenIdle: 0, request: null });
    socket.once('close', () => {
      this.#withoutToken.delete(socket);
      this.#withToken.delete(socket);
      this.#changed();
    });
    this.#trimLater();
  }

  #drop(socket: Socket): void {
    // At once: what is counted next is to be without it.
    this.#withoutToken.delete(socket);
    this.#withToken.delete(socket);
    this.#watch.noteClosed(this.#options.bounds());
    socket.destroy();
  }

  #isFull(): boolean {
    const { total, withoutToken } = this.#options.bounds();
    return this.#withoutToken.size >= withoutToken || this.#withToken.size >= total - withoutToken;
  }

  #trimLater(): void {
    if (this.#trimming !== null || this.#withoutToken.size <= this.#options.bounds().withoutToken) return;
    // After a pause of the whole process their requests may be there already, and are read first.
    const trim = () => setImmediate(() => this.#trim());
    this.#trimming = setTimeout(trim, this.#options.graceMs ?? graceMs).unref();
  }

  /** Closes those without a token that rest beyond their share. */
  #trim(): void {
    this.#trimming = null;
    const restedBefore = performance.now() - (this.#options.graceMs ?? graceMs);
    for (const [socket, connection] of this.#withoutToken) {
      if (this.#withoutToken.size <= this.#options.bounds().withoutToken) return;
      if (rests(socket, connection) && connection.restsSince <= restedBefore) this.#drop(socket);
    }
    this.#trimLater();
  }
}

/** Each request that was read gets its answer, even if the client sent several at once (RFC 9112, 9.3.2). */
function makeLastAnswer(socket: Socket, response: ServerResponse): void {
  if (response.headersSent) return;
  if (socket.readableLength > 0) {
    response.removeHeader('Connection');
  } else {
    response.removeHeader('Keep-Alive');
    response.setHeader('Connection', 'close');
  }
}

function isIdle(socket: Socket, { answers, bytesWhenIdle, request }: Connection): boolean {
  // Behind its last answer, whatever still comes is dropped.
  if (socket.destroyed || socket.writableFinished) return true;
  const taken = request === null || request.complete;
  return answers.size === 0 && taken && socket.bytesRead === bytesWhenIdle && socket.writableLength === 0;
}

/** True if no answer is owed to a caller without the token, whatever else it has sent. */
function rests(_socket: Socket, { answers }: Connection): boolean {
  return answers.size === 0;
}

function oldest(group: Group, wanted: (socket: Socket, connection: Connection) => boolean = () => true) {
  for (const [socket, connection] of group) if (wanted(socket, connection)) return socket;
  return undefined;
}
