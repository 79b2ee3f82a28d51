import type { Log, LogFields } from '../../log/log.js';
import type { PipedProcess } from '../piped-process.js';
import type { ProcessTree } from '../process-tree.js';
import { readInTurns } from '../read-in-turns.js';
import { pauseWhenFullMs } from '../standard-error.js';
import { limitProgram, type ProgramToStart, startProgram } from '../start-program.js';
import { TerminalOutput } from './terminal-output.js';

/** The end of a terminal's command, in the protocol's words: one of both is null. */
export interface TerminalExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The output of a command that has exited has arrived within this time. */
const openOutputMs = 200;

/** A command that the gateway runs for an agent (ACP, "Terminals"). It has no terminal of the kernel's, and an empty input. */
export class AgentTerminal {
  readonly pid: number;
  /** Resolves once nothing of it runs and all of its output was read. */
  readonly ended: Promise<TerminalExit>;
  readonly #tree: ProcessTree;
  readonly #output: TerminalOutput;
  #hasExited = false;
  #exit: TerminalExit | null = null;

  private constructor(piped: PipedProcess, tree: ProcessTree, limitBytes: number) {
    this.pid = tree.pid;
    this.#tree = tree;
    this.#output = new TerminalOutput(limitBytes);
    this.ended = this.#follow(piped);
  }

  /**
   * Starts a command, of whose output the last `limitBytes` are kept.
   *
   * @throws AgentError of reason `unavailable` if it can't be started
   */
  static async start(
    program: ProgramToStart,
    limitBytes: number,
    log: Log,
    fields: LogFields,
  ): Promise<AgentTerminal> {
    const { pid, piped, tree } = await startProgram({ ...program, oneOutput: true });
    limitProgram(pid, log, fields);
    piped.child.on('error', (error) => log.warning(`The command in a terminal: ${error.message}`, fields));
    return new AgentTerminal(piped, tree, limitBytes);
  }

  read() {
    return { ...this.#output.read(), ...(this.#exit !== null && { exitStatus: this.#exit }) };
  }

  /** Ends all of it: SIGTERM now, SIGKILL in the end. */
  kill(): void {
    if (!this.#hasExited) this.#tree.end();
  }

  #follow({ child, stdin, stdout }: PipedProcess): Promise<TerminalExit> {
    for (const stream of [stdin, stdout]) stream.on('error', () => undefined);
    stdin.end();
    const readOn = readInTurns(
      stdout,
      (bytes) => {
        this.#output.write(bytes);
        return bytes.length;
      },
      () => (this.#output.isTruncated && !this.#hasExited ? pauseWhenFullMs : 0),
    );
    const closed = new Promise<void>((resolve) => stdout.once('close', resolve));
    return new Promise((resolve) => {
      child.once('exit', (exitCode, signal) => {
        this.#hasExited = true;
        readOn();
        this.#tree.sweep(async () => {
          // A process that got away may hold the output open for ever.
          const timer = setTimeout(() => stdout.destroy(), openOutputMs);
          await closed;
          clearTimeout(timer);
          this.#exit = { exitCode, signal };
          resolve(this.#exit);
        });
      });
    });
  }
}
