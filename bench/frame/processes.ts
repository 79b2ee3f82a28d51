import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { folder } from './places.js';

/** As in its unit's control group, the gateway sees no process but its own: it looks through all for what a turn has left. */
export const ownProcesses = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child=SIGINT'];

/** A directory on the checkout’s own disk: the system’s temporary files may be in memory. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  mkdirSync(`${folder}build`, { recursive: true });
  const path = mkdtempSync(`${folder}build/data-`);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Runs a program to its end; gives the JSON that it printed. */
export async function runForJson<Shape>(argv: readonly string[]): Promise<Shape> {
  const [file = '', ...rest] = argv;
  const { stdout } = await promisify(execFile)(file, rest, { timeout: 300_000, maxBuffer: 64 * 1024 ** 2 });
  return JSON.parse(stdout) as Shape;
}

/** A program that runs until it is stopped. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #said = '';

  constructor(argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const [file = '', ...rest] = argv;
    this.#child = spawn(file, rest, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#said = (this.#said + chunk.toString()).slice(-8_000);
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#said += error.message;
        resolve();
      });
      this.#child.once('close', () => resolve());
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Null: it still runs, or a signal has ended it. */
  get exitStatus(): number | null {
    return this.#child.exitCode;
  }

  get said(): string {
    return this.#said;
  }

  /** Asks until it is so; rejects when the program ends before, or after a minute. */
  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 60_000;
    while (!(await holds())) {
      const gone = this.#child.exitCode !== null || this.#child.signalCode !== null || this.pid === 0;
      if (gone || performance.now() > deadline) {
        await this.stop();
        throw new Error(`${this.#child.spawnfile}: ${what} did not come. It said: ${this.#said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    await this.#ended;
  }
}
