import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Connection {
  readonly answers: Set<ServerResponse>;
  /** Bytes that had come when it was last idle: more of them mean a request that is under way. */
  bytesWhenIdle: number;
}

/** The open connections of the servers, so that a stop closes each of them at its right moment. */
export class Connections {
  readonly #connections = new Map<Socket, Connection>();
  #last = false;
  #closing = false;

  get count(): number {
    return this.#connections.size;
  }

  follow(server: Server): void {
    server.on('connection', (socket) => {
      this.#connections.set(socket, { answers: new Set(), bytesWhenIdle: 0 });
      socket.once('close', () => this.#connections.delete(socket));
    });
  }

  /** To be called first with each request. */
  begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.answers.add(response);
    if (this.#last) response.setHeader('Connection', 'close');
    response.once('close', () => {
      connection.answers.delete(response);
      connection.bytesWhenIdle = socket.bytesRead;
      if (this.#closing) this.#closeIfIdle(socket, connection);
    });
  }

  /** From now on each answer is the last of its connection, and says so. */
  makeAnswersLast(): void {
    this.#last = true;
    for (const { answers } of this.#connections.values()) {
      for (const response of answers) if (!response.headersSent) response.setHeader('Connection', 'close');
    }
  }

  /** Closes what is idle now, and each other connection once it has its answer. */
  closeWhenIdle(): void {
    this.#closing = true;
    for (const [socket, connection] of this.#connections) this.#closeIfIdle(socket, connection);
  }

  /** Closes what is left, with or without an answer; gives the number of connections. */
  destroyAll(): number {
    const count = this.#connections.size;
    for (const socket of this.#connections.keys()) socket.destroy();
    return count;
  }

  #closeIfIdle(socket: Socket, connection: Connection): void {
    if (connection.answers.size > 0 || socket.bytesRead > connection.bytesWhenIdle) return;
    // Ends once what is still being written has gone out.
    socket.destroySoon();
  }
}
