import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A request as it arrived. */
export interface ModelRequest {
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers a request, well or badly. The connection is its own: it may write what it likes, and close it. */
export type Script = (socket: Socket, request: ModelRequest) => void | Promise<void>;

/** A server of chat completions that does what its scripts say, one for each request, the last one for ever. */
export class ModelServer {
  readonly received: ModelRequest[] = [];
  readonly #server = createServer({ allowHalfOpen: false }, (socket) => this.#serve(socket));
  readonly #sockets = new Set<Socket>();
  readonly #waiting: (() => void)[] = [];

  private constructor(private readonly scripts: Script[]) {}

  static async listen(...scripts: Script[]): Promise<ModelServer> {
    const server = new ModelServer(scripts);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Resolves once so many requests have arrived whole. */
  async arrived(count: number): Promise<void> {
    while (this.received.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves once no client is connected. */
  async disconnected(): Promise<void> {
    // A reset is an end, too.
    for (const socket of this.#sockets) await new Promise((resolve) => socket.once('close', resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    let bytes = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const request = parsed(bytes);
      if (request === null) return;
      socket.off('data', take);
      socket.resume();
      this.received.push(request);
      const script = this.scripts.length > 1 ? this.scripts.shift() : this.scripts[0];
      void script?.(socket, request);
      for (const resolve of this.#waiting.splice(0)) resolve();
    };
    socket.on('data', take);
  }
}

/** Null: it isn't there as a whole. */
function parsed(bytes: Buffer): ModelRequest | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const [line = '', ...fields] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => {
      const [name = '', ...value] = field.split(': ');
      return [name.toLowerCase(), value.join(': ')];
    }),
  );
  const body = bytes.subarray(end + 4);
  return body.length < Number(headers['content-length'] ?? 0)
    ? null
    : { line, headers, body: body.toString() };
}

/** Writes, and waits until there is room. False: the client has gone. */
export async function write(socket: Socket, data: string | Buffer): Promise<boolean> {
  if (socket.destroyed) return false;
  if (!socket.write(data)) {
    await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
  }
  return !socket.destroyed;
}

/** The head of an answer whose body ends with the connection. */
export function head(status: string, headers: Readonly<Record<string, string>> = {}): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${fields.join('')}connection: close\r\n\r\n`;
}

/** An answer as a whole. */
export function answer(
  status: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Script {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  return (socket) => {
    socket.end(
      head(status, { 'content-type': 'application/json', 'content-length': length, ...headers }) + text,
    );
  };
}

/** A stream's answer in chunks (RFC 9112, 7.1), one for each event. */
export function streamBytes(events: readonly string[]): Buffer {
  const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${events.map(chunk).join('')}0\r\n\r\n`,
  );
}

export function stream(...events: readonly string[]): Script {
  return (socket) => {
    socket.end(streamBytes(events));
  };
}

/** An event of a stream. */
export function event(data: unknown): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}

/** The event of a chunk with a piece of the reply. */
export function delta(content: string, finishReason: string | null = null): string {
  return event({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'small-1',
    choices: [{ index: 0, delta: { content }, finish_reason: finishReason }],
  });
}

export const usage = event({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [],
  usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
});

export const done = event('[DONE]');

/** A stream as it should be. */
export const goodStream = [delta('Hello '), delta('world'), delta('', 'stop'), usage, done];
