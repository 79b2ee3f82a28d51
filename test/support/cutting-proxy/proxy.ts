import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Dialect, Part } from './dialect.js';

/**
 * A moment of a step: the client has said it, and the server has none of it; the server has half of it; the server has
 * answered, and the client does not know; the client has half of the answer; the client has the answer.
 */
export type Moment = 'before' | 'half said' | 'during' | 'half answered' | 'after';

export interface Point {
  readonly step: string;
  readonly moment: Moment;
}

/** A step that was taken, for the account of who knows of what. */
export interface Exchange {
  readonly step: string;
  readonly said: string;
  /** True once all of it is on its way to the server. */
  isSent: boolean;
  /** Null: the server has not answered. */
  answer: string | null;
  /** True once the answer is on its way to the client. */
  isTold: boolean;
}

interface Trap extends Point {
  /** The connection is broken after `cut`, on both sides. */
  readonly spring: () => Promise<'cut' | 'go on'>;
  readonly sprung: () => void;
  readonly failed: (error: unknown) => void;
}

/** Stands between a client and a real server, and breaks in at a named step of their protocol. */
export class CuttingProxy {
  readonly #newDialect: () => Dialect;
  readonly #connect: () => Socket;
  readonly #server: Server;
  readonly #pairs = new Set<readonly Socket[]>();
  #trap: Trap | null = null;
  /** Steps of clients, in their order. */
  readonly exchanges: Exchange[] = [];

  constructor(newDialect: () => Dialect, connect: () => Socket) {
    this.#newDialect = newDialect;
    this.#connect = connect;
    this.#server = createServer((client) => this.#serve(client));
  }

  /** Gives the port of the loopback. */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async listenAt(path: string): Promise<void> {
    this.#server.listen(path);
    await once(this.#server, 'listening');
  }

  /** Resolves once the point was reached and all was done there, which happens once. */
  async at(point: Point, spring: Trap['spring']): Promise<void> {
    if (this.#trap !== null) throw new Error(`"${this.#trap.step}" was never reached`);
    await new Promise<void>((resolve, reject) => {
      this.#trap = { ...point, spring, sprung: resolve, failed: reject };
    });
  }

  disarm(): void {
    this.#trap = null;
  }

  /** Breaks all connections. */
  cut(): void {
    for (const pair of this.#pairs) {
      for (const socket of pair) {
        // A Unix socket knows no reset.
        if (socket.remoteAddress === undefined) socket.destroy();
        else socket.resetAndDestroy();
      }
    }
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #serve(client: Socket): void {
    const server = this.#connect();
    const pair = [client, server];
    this.#pairs.add(pair);
    client.on('error', () => undefined);
    server.on('error', () => client.destroy()).once('connect', () => this.#join(pair, client, server));
  }

  #join(pair: readonly Socket[], client: Socket, server: Socket): void {
    const dialect = this.#newDialect();
    const open: Exchange[] = [];
    const end = (error: unknown) => {
      for (const socket of pair) {
        if (error === null) socket.end();
        else socket.destroy();
      }
      this.#pairs.delete(pair);
    };
    // Each direction goes on while the other one waits at a point.
    void this.#pass(client, server, (chunk) => dialect.fromClient(chunk), {
      first: 'before',
      half: 'half said',
      begin: ({ step, bytes }) => {
        if (step === null) return;
        const exchange = { step, said: bytes.toString('latin1'), isSent: false, answer: null, isTold: false };
        open.push(exchange);
        this.exchanges.push(exchange);
      },
      passed: ({ step }) => {
        const exchange = open.find((each) => each.step === step && !each.isSent);
        if (exchange !== undefined) exchange.isSent = true;
      },
    }).then(() => end(null), end);
    void this.#pass(server, client, (chunk) => dialect.fromServer(chunk), {
      first: 'during',
      half: 'half answered',
      last: 'after',
      begin: ({ step, bytes }) => {
        const exchange = open.find((each) => each.step === step && each.answer === null);
        if (exchange !== undefined) exchange.answer = bytes.toString('latin1');
      },
      passed: ({ step }) => {
        const at = open.findIndex((each) => each.step === step && each.answer !== null);
        const [exchange] = at === -1 ? [] : open.splice(at, 1);
        if (exchange !== undefined) exchange.isTold = true;
      },
    }).then(() => end(null), end);
  }

  /** Resolves at the end of what comes; rejects if the connection is to be broken. */
  async #pass(from: Socket, to: Socket, parse: (chunk: Buffer) => readonly Part[], way: Way): Promise<void> {
    to.on('error', () => from.destroy());
    for await (const chunk of from) {
      for (const part of parse(chunk as Buffer)) {
        way.begin(part);
        await this.#reach(part.step, way.first);
        const half = this.#isArmed(part.step, way.half) ? part.bytes.length >> 1 : 0;
        if (half > 0) {
          to.write(part.bytes.subarray(0, half));
          await this.#reach(part.step, way.half);
        }
        to.write(part.bytes.subarray(half));
        way.passed(part);
        if (way.last !== undefined) await this.#reach(part.step, way.last);
      }
    }
  }

  #isArmed(step: string | null, moment: Moment): boolean {
    return this.#trap?.step === step && this.#trap?.moment === moment;
  }

  /** Rejects if the connection was cut. */
  async #reach(step: string | null, moment: Moment): Promise<void> {
    const trap = this.#trap;
    if (trap === null || !this.#isArmed(step, moment)) return;
    this.#trap = null;
    let verdict: 'cut' | 'go on' = 'cut';
    try {
      verdict = await trap.spring();
      trap.sprung();
    } catch (error) {
      trap.failed(error);
    }
    if (verdict === 'go on') return;
    this.cut();
    throw new Error(`cut at ${step}`);
  }
}

/** One direction of a connection. */
interface Way {
  readonly first: Moment;
  readonly half: Moment;
  readonly last?: Moment;
  readonly begin: (part: Part) => void;
  readonly passed: (part: Part) => void;
}
