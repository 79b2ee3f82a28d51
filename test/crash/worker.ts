import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Machine } from '../machine/harness/machine.js';

/** A program in the machine that runs until its input ends, and may print what it saw then, a JSON line. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #program: string;
  readonly #ended: Promise<void>;
  readonly #firstLine: Promise<void>;
  #report: string | null = null;
  #told: 'to run' | 'to end' = 'to run';
  #end: string | null = null;

  constructor(machine: Machine, program: string, ...words: readonly string[]) {
    this.#program = program;
    const file = `/usr/lib/sd-gateway/test/crash/inside/${program}`;
    this.#child = spawn('nsenter', ['--target', String(machine.pid), '--all', 'node', file, ...words], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error(`${program} has no standard output.`);
    const lines = createInterface(stdout).on('line', (line) => {
      this.#report = line;
    });
    this.#firstLine = new Promise((resolve) => lines.once('line', () => resolve()));
    this.#ended = new Promise((resolve) =>
      this.#child.once('close', (status, signal) => {
        this.#end = signal ?? `exit status ${status}`;
        resolve();
      }),
    );
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Resolves once it has printed a line, or has ended; `end` throws then. */
  async firstLine(): Promise<void> {
    await Promise.race([this.#firstLine, this.#ended]);
  }

  /** Throws if it has ended by itself: without it nothing that the tester waits for would come. */
  mustRun(): void {
    if (this.#told === 'to run' && this.#end !== null) {
      throw new Error(`${this.#program} ended in the middle of the test (${this.#end}); it says why above.`);
    }
  }

  /** Ends its input and gives its last line. */
  async end<Report>(): Promise<Report | null> {
    this.mustRun();
    this.#told = 'to end';
    this.#child.stdin?.end();
    await this.#ended;
    return this.#report === null ? null : (JSON.parse(this.#report) as Report);
  }
}
