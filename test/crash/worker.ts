import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Machine } from '../systemd/harness/machine.js';

/** A program in the machine that counts something, a number on each line of its output, and may end with a JSON line. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #count = 0;
  #report: string | null = null;

  constructor(machine: Machine, program: string, ...words: readonly string[]) {
    const file = `/usr/lib/sd-gateway/test/crash/inside/${program}`;
    this.#child = spawn('nsenter', ['--target', String(machine.pid), '--all', 'node', file, ...words], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error(`${program} has no standard output.`);
    createInterface(stdout).on('line', (line) => {
      if (line.startsWith('{')) this.#report = line;
      else this.#count = Number(line);
      for (const check of [...this.#waiting]) check();
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  get count(): number {
    return this.#count;
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Resolves with true once the count is at least that, with false when it has not grown for `patience` ms. */
  reached(count: number, patience: number): Promise<boolean> {
    return new Promise((resolve) => {
      let last = this.#count;
      let timer = setTimeout(() => end(false), patience);
      const end = (outcome: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(outcome);
      };
      const check = () => {
        if (this.#count >= count) end(true);
        else if (this.#count > last) {
          last = this.#count;
          clearTimeout(timer);
          timer = setTimeout(() => end(false), patience);
        }
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Ends its input and gives its last line. */
  async end<Report>(): Promise<Report | null> {
    this.#child.stdin?.end();
    await this.#ended;
    return this.#report === null ? null : (JSON.parse(this.#report) as Report);
  }
}
