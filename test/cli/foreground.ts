import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GatewayClient } from '../../src/cli/client/http.js';

export const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Directories and an environment of its own for gateways that run in the foreground, and for the commands. */
export class Place {
  readonly directory = mkdtempSync(join(tmpdir(), 'sd-gateway-test-'));
  /** Its `dist/cli/main.js`; by default that of this checkout. */
  program = program;
  readonly #children: ChildProcess[] = [];

  get environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      HOME: this.directory,
      STATE_DIRECTORY: join(this.directory, 'state'),
      RUNTIME_DIRECTORY: join(this.directory, 'run'),
      CONFIGURATION_DIRECTORY: join(this.directory, 'etc'),
      SD_GATEWAY_HTTP_LISTEN: `unix:${this.directory}/http.sock`,
    };
  }

  /** A client of a gateway that has started here. */
  get client(): GatewayClient {
    const token = readFileSync(join(this.directory, 'state/token'), 'utf8').trim();
    return new GatewayClient(`unix:${this.directory}/http.sock`, token);
  }

  /** Runs a command to its end. */
  async run(
    argv: readonly string[],
    environment: NodeJS.ProcessEnv = {},
    input: string | Buffer = '',
  ): Promise<Ended> {
    const child = spawn(process.execPath, [this.program, ...argv], {
      env: { ...this.environment, ...environment },
    });
    this.#children.push(child);
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    return ended(child);
  }

  /** Starts a gateway; resolves when it says that it is ready. */
  async start(environment: NodeJS.ProcessEnv = {}, ...argv: readonly string[]): Promise<Gateway> {
    const child = spawn(process.execPath, [this.program, 'run', ...argv], {
      env: { ...this.environment, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    const gateway = new Gateway(child);
    await gateway.says('Ready after');
    return gateway;
  }

  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class Gateway {
  readonly child: ChildProcess;
  readonly end: Promise<Ended>;
  #said = '';

  constructor(child: ChildProcess) {
    this.child = child;
    this.end = ended(child);
    child.stderr?.on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** The log so far. */
  get said(): string {
    return this.#said;
  }

  /** Resolves once the log holds the text; rejects when the gateway ends without having said it. */
  says(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.#said.includes(text)) resolve();
      };
      look();
      this.child.stderr?.on('data', look);
      void this.end.then(({ stderr }) =>
        reject(new Error(`The gateway ended without "${text}":\n${stderr}`)),
      );
    });
  }
}

function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}
