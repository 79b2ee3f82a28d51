import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly path: string;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, received: Received) => void;

/** A webhook receiver on loopback. Gives its answers in turn, the last one for ever. */
export class Receiver {
  readonly received: Received[] = [];
  readonly #server = createServer((request, response) => this.#take(request, response));
  readonly #waiting: { count: number; resolve: () => void }[] = [];

  private constructor(private answers: Answer[]) {}

  static async listen(...answers: Answer[]): Promise<Receiver> {
    const receiver = new Receiver(answers);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/replies'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Resolves once so many requests have arrived whole. */
  arrived(count: number): Promise<void> {
    if (this.received.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = {
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString('utf8'),
        path: request.url ?? '',
      };
      this.received.push(received);
      const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
      answer?.(request, response, received);
      for (const waiting of this.#waiting.splice(0)) {
        if (this.received.length >= waiting.count) waiting.resolve();
        else this.#waiting.push(waiting);
      }
    });
  }
}

export function status(code: number, headers: Record<string, string> = {}, body = ''): Answer {
  return (_request, response) => response.writeHead(code, headers).end(body);
}

export const reset: Answer = (request) => request.socket.resetAndDestroy();
export const hang: Answer = () => undefined;
