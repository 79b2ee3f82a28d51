import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Gateway, Place } from '../cli/foreground.js';
import { peer } from '../peers/peers.js';

const folder = fileURLToPath(new URL('./', import.meta.url));
const require = createRequire(import.meta.url);

export const openAiClients = peer(
  existsSync(join(folder, 'node_modules/openai/package.json')),
  'the clients are not installed: npm ci --ignore-scripts --prefix test/openai-clients',
);

/** Loads a client's package. They have types of their own: the type check runs without them. */
export async function load<Package>(name: string): Promise<Package> {
  return (await import(pathToFileURL(require.resolve(name)).href)) as Package;
}

/** A gateway with the front, as a process that can be killed. */
export class Front {
  readonly place = new Place();
  readonly base: string;
  readonly #port: number;
  #gateway: Gateway | null = null;

  private constructor(port: number) {
    this.#port = port;
    this.base = `http://127.0.0.1:${port}/v1`;
  }

  static async start(): Promise<Front> {
    const front = new Front(await freePort());
    const { directory } = front.place;
    mkdirSync(join(directory, 'etc'));
    mkdirSync(join(directory, 'hold'));
    const command = [process.execPath, join(folder, 'agent.mjs')];
    const lines = [
      '[openai]',
      'enabled = true',
      '[agents.default]',
      'type = "command"',
      'output = "jsonl"',
      'env = ["HOLD"]',
      `command = ${JSON.stringify(command)}`,
      '[agents.other]',
      'type = "echo"',
      '[dispatch]',
      'max_attempts = 2',
      'retry_delay = "100ms"',
    ];
    writeFileSync(join(directory, 'etc/sd-gateway.toml'), `${lines.join('\n')}\n`);
    await front.run();
    return front;
  }

  /** Starts the gateway, after a kill too. */
  async run(): Promise<void> {
    this.#gateway = await this.place.start({
      SD_GATEWAY_HTTP_LISTEN: `127.0.0.1:${this.#port}`,
      HOLD: join(this.place.directory, 'hold'),
    });
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#gateway?.child.kill(signal);
    await this.#gateway?.end;
  }

  get token(): string {
    return readFileSync(join(this.place.directory, 'state/token'), 'utf8').trim();
  }

  /** Lets an agent go on that was asked to hold. */
  release(name: string): void {
    writeFileSync(join(this.place.directory, 'hold', name), '');
  }

  /** True once an agent holds that was asked to. */
  waits(name: string): boolean {
    return existsSync(join(this.place.directory, 'hold', `${name}.waits`));
  }

  remove(): void {
    this.place.remove();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
