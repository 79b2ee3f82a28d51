import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Machine } from '../systemd/harness/machine.js';

/** A program in the machine that runs until its input ends, and may print what it saw then, a JSON line. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #report: string | null = null;

  constructor(machine: Machine, program: string, ...words: readonly string[]) {
    const file = `/usr/lib/sd-gateway/test/crash/inside/${program}`;
    this.#child = spawn('nsenter', ['--target', String(machine.pid), '--all', 'node', file, ...words], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error(`${program} has no standard output.`);
    createInterface(stdout).on('line', (line) => {
      this.#report = line;
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Ends its input and gives its last line. */
  async end<Report>(): Promise<Report | null> {
    this.#child.stdin?.end();
    await this.#ended;
    return this.#report === null ? null : (JSON.parse(this.#report) as Report);
  }
}
