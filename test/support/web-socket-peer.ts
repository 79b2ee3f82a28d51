import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The server's side of one WebSocket connection, without extensions (RFC 6455). It can also be made to misbehave. */
export class WebSocketPeer {
  /** All that the client has sent as text. */
  readonly texts: string[] = [];
  /** Bodies of the client's pings. */
  pings = 0;
  /** The client's code of its end; null: it has said none. */
  closeCode: number | null = null;
  /** False leaves the client's word of its end, or its pings, without an answer. */
  answersClose = true;
  answersPings = true;
  onText: (text: string) => void = () => {};
  /** Resolves once there is no connection any more. */
  readonly gone: Promise<void>;
  #received = Buffer.alloc(0);
  #isPaused = false;

  /** Answers the handshake. Throws if the request is none for a WebSocket. */
  constructor(
    readonly request: IncomingMessage,
    private readonly socket: Duplex,
  ) {
    const { 'sec-websocket-key': key, 'sec-websocket-version': version, upgrade } = request.headers;
    if (key === undefined || Buffer.from(key, 'base64').length !== 16) throw new Error('no key of 16 bytes');
    if (version !== '13' || upgrade?.toLowerCase() !== 'websocket')
      throw new Error('no WebSocket of RFC 6455');
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    this.gone = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    // An HTTP server's connections stay half open.
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  }

  get isGone(): boolean {
    return this.socket.destroyed;
  }

  send(text: string): void {
    this.sendFrame(opcodes.text, Buffer.from(text));
  }

  sendFrame(opcode: number, body: Buffer, isLast = true): void {
    const { length } = body;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = (isLast ? 0x80 : 0) | opcode;
    head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
    if (head.length === 4) head.writeUInt16BE(length, 2);
    else if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    this.sendRaw(Buffer.concat([head, body]));
  }

  sendRaw(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  close(code: number, reason = ''): void {
    const body = Buffer.alloc(2 + Buffer.byteLength(reason));
    body.writeUInt16BE(code);
    body.write(reason, 2);
    this.sendFrame(opcodes.close, body);
    this.socket.end();
  }

  /** Breaks the connection without a word. */
  cut(): void {
    this.socket.destroy();
  }

  /** Hears nothing more: the connection stands, and nobody is there. */
  pause(): void {
    // A paused socket would never say that the client has ended it.
    this.#isPaused = true;
  }

  #read(chunk: Buffer): void {
    if (this.#isPaused) return;
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const frame = frameIn(this.#received);
      if (frame === null) return;
      this.#received = this.#received.subarray(frame.sizeBytes);
      this.#take(frame);
    }
  }

  #take({ opcode, body }: Frame): void {
    if (opcode === opcodes.text) {
      const text = body.toString();
      this.texts.push(text);
      this.onText(text);
    } else if (opcode === opcodes.ping) {
      this.pings += 1;
      if (this.answersPings) this.sendFrame(opcodes.pong, body);
    } else if (opcode === opcodes.close) {
      this.closeCode = body.length < 2 ? 1005 : body.readUInt16BE();
      if (!this.answersClose) return;
      this.sendFrame(opcodes.close, body.subarray(0, 2));
      this.socket.end();
    }
  }
}

interface Frame {
  readonly opcode: number;
  readonly body: Buffer;
  readonly sizeBytes: number;
}

/** Null: it is not whole yet. A client has to mask each frame, and this one's messages need one frame each. */
function frameIn(bytes: Buffer): Frame | null {
  if (bytes.length < 2) return null;
  const [first = 0, second = 0] = bytes;
  if ((second & 0x80) === 0) throw new Error('a frame of the client is not masked');
  if ((first & 0xf0) !== 0x80) throw new Error('a frame of the client is a part, or has an extension');
  const short = second & 0x7f;
  const maskAt = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < maskAt + 4) return null;
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const bodyAt = maskAt + 4;
  if (bytes.length < bodyAt + length) return null;
  const body = Buffer.from(bytes.subarray(bodyAt, bodyAt + length));
  for (let at = 0; at < length; at += 1) body[at] = (body[at] ?? 0) ^ (bytes[maskAt + (at % 4)] ?? 0);
  return { opcode: first & 0x0f, body, sizeBytes: bodyAt + length };
}
