import { mkdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { GatewayFacts } from '../../src/channels/control/facts.js';

/** A gateway's control socket that tells these facts to whoever asks anything. */
export class ControlDouble {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(facts: GatewayFacts) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write(`${JSON.stringify({ event: 'facts', facts })}\n`));
    });
  }

  static async listen(path: string, facts: GatewayFacts): Promise<ControlDouble> {
    const double = new ControlDouble(facts);
    mkdirSync(dirname(path), { recursive: true });
    await new Promise<void>((resolve) => double.#server.listen(path, resolve));
    return double;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
