import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SignalDelivery } from '../../src/systemd/signals.js';

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** An event that fixtures/signal-child.mjs tells of. */
export interface ChildEvent extends Partial<SignalDelivery> {
  readonly event: string;
  readonly thread: 'main' | 'worker';
  readonly [name: string]: unknown;
}

export interface ChildOptions {
  /** Runs the child through this command, such as `unshare`. */
  readonly wrapper?: readonly string[];
  readonly uid?: number;
  readonly commands?: readonly object[];
}

/** A real process that watches signals (fixtures/signal-child.mjs). */
export class SignalChild {
  readonly process: ChildProcess;
  readonly events: ChildEvent[] = [];
  readonly ended: Promise<readonly [code: number | null, signal: string | null]>;
  #waiting: (() => void)[] = [];
  #over = false;

  constructor({ wrapper = [], uid, commands = [] }: ChildOptions = {}) {
    const [command = process.execPath, ...rest] = [
      ...wrapper,
      process.execPath,
      fixture('signal-child.mjs'),
      JSON.stringify(commands),
    ];
    this.process = spawn(command, rest, {
      stdio: ['pipe', 'pipe', 'inherit'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.ended = once(this.process, 'close').then(([code, signal]) => {
      this.#over = true;
      this.#wake();
      return [code, signal] as const;
    });
    if (this.process.stdout === null) throw new Error('The child has no standard output');
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      // A terminal shows the keys pressed, such as ^C.
      this.events.push(JSON.parse(line.slice(line.indexOf('{'))) as ChildEvent);
      this.#wake();
    });
  }

  /** The child's own number, which isn't the wrapper's. */
  async pid(): Promise<number> {
    const { pid } = await this.event('ready');
    return Number(pid);
  }

  command(...commands: readonly object[]): void {
    for (const command of commands) this.process.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** The first event of this name with these properties, waited for. */
  async event(name: string, properties: Record<string, unknown> = {}): Promise<ChildEvent> {
    const matches = (event: ChildEvent): boolean =>
      event.event === name && Object.entries(properties).every(([key, value]) => event[key] === value);
    for (;;) {
      const found = this.events.find(matches);
      if (found !== undefined) return found;
      if (this.#over) {
        throw new Error(`The child ended without "${name}": ${JSON.stringify(this.events.slice(-5))}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  named(name: string): ChildEvent[] {
    return this.events.filter((event) => event.event === name);
  }

  /** Ends the child in order and tells how that went. */
  async end(): Promise<readonly [code: number | null, signal: string | null]> {
    if (!this.#over) this.command({ do: 'exit' });
    return this.ended;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Runs a sender to its end. Throws when it fails. */
export async function send(
  command: string,
  arguments_: readonly string[],
  options: { uid?: number } = {},
): Promise<number> {
  const sender = spawn(command, arguments_, {
    stdio: ['ignore', 'inherit', 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  const { pid } = sender;
  let complaint = '';
  sender.stderr?.on('data', (data: Buffer) => {
    complaint += data;
  });
  const [code] = await once(sender, 'close');
  if (code !== 0 || pid === undefined) {
    throw new Error(`${command} ${arguments_.join(' ')} ended with ${code}: ${complaint}`);
  }
  return pid;
}
