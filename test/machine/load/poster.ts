import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Machine } from '../harness/machine.js';

/** Observations of the clients (poster.mjs). */
export interface PosterReport {
  readonly answers: number;
  /** Number of connections that they made. */
  readonly connections: number;
  readonly failures: readonly string[];
  /** Longest time until an answer, in milliseconds. */
  readonly longest: number;
  /** Number of messages of each session that were taken. */
  readonly sessions: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface PosterOptions {
  readonly address: string;
  readonly tokenFile: string;
  readonly clients: number;
  /** Posts a second, of all clients. */
  readonly rate: number;
  /** The prefix of their sessions' names; these must be new sessions. */
  readonly sessions?: string;
}

/** Clients in the machine that post at a rate over connections that they keep. */
export class Poster {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #answers = 0;
  #report: PosterReport | null = null;
  #awaited: () => void = () => undefined;

  constructor(machine: Machine, options: PosterOptions) {
    const program = '/usr/lib/sd-gateway/test/machine/load/poster.mjs';
    this.#child = spawn(
      'nsenter',
      [...['--target', String(machine.pid), '--all'], ...['node', program, JSON.stringify(options)]],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('The clients have no standard output.');
    createInterface(stdout).on('line', (line) => {
      if (line.startsWith('{')) this.#report = JSON.parse(line) as PosterReport;
      else this.#answers = Number(line);
      this.#awaited();
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  /** Resolves when at least `count` more posts have been answered. */
  async answered(count: number): Promise<void> {
    const wanted = this.#answers + count;
    while (this.#answers < wanted && this.#child.exitCode === null) {
      const more = new Promise<void>((resolve) => {
        this.#awaited = resolve;
      });
      await Promise.race([more, this.#ended]);
    }
  }

  /** Lets each client end what it is at. */
  async end(): Promise<PosterReport> {
    this.#child.stdin?.end();
    await this.#ended;
    if (this.#report === null) throw new Error(`The clients ended with ${this.#child.exitCode}.`);
    return this.#report;
  }
}
