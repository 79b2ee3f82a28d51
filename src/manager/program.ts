import { spawn } from 'node:child_process';

/** A program could not be run, or took too long. */
export class ProgramError extends Error {
  constructor(
    readonly file: string,
    readonly reason: 'missing' | 'timeout' | 'failed-to-start',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ProgramError';
  }
}

export interface ProgramResult {
  /** The exit status; null if a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Longest run time in milliseconds, 10 s by default; null sets no limit. */
  readonly timeout?: number | null;
  readonly input?: string;
  /** Added to this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** In the place of this process's own. */
  readonly wholeEnvironment?: Readonly<Record<string, string>>;
  /** Kills the program: that ends the wait, not necessarily what was asked for. */
  readonly signal?: AbortSignal;
}

const defaultTimeout = 10_000;

/**
 * Runs a program of the system to its end, without a shell, in the C.UTF-8 locale: its output is read, not shown.
 * Rejects with a ProgramError when it can't be run or takes too long; any exit status is an answer.
 */
export async function runProgram(
  file: string,
  parameters: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { timeout = defaultTimeout, input, environment, wholeEnvironment, signal } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...parameters], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      // SYSTEMD_COLORS, SYSTEMD_PAGER: what a person has set up for their terminal is not for us.
      env: {
        ...(wholeEnvironment ?? process.env),
        LC_ALL: 'C.UTF-8',
        SYSTEMD_COLORS: '0',
        SYSTEMD_PAGER: '',
        SYSTEMD_URLIFY: '0',
        ...environment,
      },
      ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' }),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const timer =
      timeout === null
        ? null
        : setTimeout(() => {
            late = true;
            child.kill('SIGKILL');
          }, timeout);
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (timer !== null) clearTimeout(timer);
      if (error.name === 'AbortError') reject(error);
      else if (error.code === 'ENOENT') {
        reject(new ProgramError(file, 'missing', `there is no ${file} here`, { cause: error }));
      } else {
        reject(
          new ProgramError(file, 'failed-to-start', `${file} can’t be run: ${error.message}`, {
            cause: error,
          }),
        );
      }
    });
    child.on('close', (status, ending) => {
      if (timer !== null) clearTimeout(timer);
      if (late) {
        reject(new ProgramError(file, 'timeout', `${file} did not answer within ${timeout} ms`));
        return;
      }
      resolve({
        status,
        signal: ending,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      });
    });
    if (input !== undefined) {
      // A program that ends before it has read everything has said enough by its status.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    }
  });
}
