import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./datagram-receiver.py', import.meta.url));
/** The system's, where there is one: a version manager's in the search path is a script that takes its time. */
const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';

export type ReceivedDescriptor =
  | { readonly kind: 'fifo' | 'socket' | 'other' }
  | { readonly kind: 'file'; readonly seals: number; readonly content: Buffer };

export interface ReceivedDatagram {
  readonly data: Buffer;
  readonly text: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly fds: readonly ReceivedDescriptor[];
}

interface ToldDatagram {
  readonly data: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly fds: readonly { kind: string; seals: number; content: string }[];
}

/**
 * The other end of a notification or journal socket, in a process of its own. It takes a datagram out of its queue
 * only when asked to, so that a test decides when the queue is full.
 */
export class DatagramReceiver {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;

  private constructor(address: string) {
    // Without what a sanitizer of the tests preloads, and without a site: it starts in a tenth of the time.
    const { LD_PRELOAD: _, ...env } = process.env;
    this.#process = spawn(python, ['-I', '-S', program, address], { env });
    this.#process.stderr.pipe(process.stderr);
    this.#interface = createInterface({ input: this.#process.stdout });
    this.#lines = this.#interface[Symbol.asyncIterator]();
  }

  static async open(address: string): Promise<DatagramReceiver> {
    const receiver = new DatagramReceiver(address);
    await receiver.#answer();
    return receiver;
  }

  async #answer(): Promise<unknown> {
    const line = await this.#lines.next();
    if (line.done) throw new Error('the receiver has ended; see its standard error');
    return JSON.parse(line.value);
  }

  #ask(command: string): Promise<unknown> {
    this.#process.stdin.write(`${command}\n`);
    return this.#answer();
  }

  /** The next datagram; waits for it. */
  async next(): Promise<ReceivedDatagram> {
    const told = (await this.#ask('read')) as ToldDatagram;
    const data = Buffer.from(told.data, 'base64');
    const fds = told.fds.map(
      (fd): ReceivedDescriptor =>
        fd.kind === 'file'
          ? { kind: 'file', seals: fd.seals, content: Buffer.from(fd.content, 'base64') }
          : { kind: fd.kind as 'fifo' },
    );
    return { ...told, data, text: data.toString(), fds };
  }

  /** Writes to `path`, which may be a FIFO, once `count` datagrams have arrived. */
  async count(count: number, path: string): Promise<void> {
    await this.#ask(`count ${count} ${path}`);
  }

  /** Takes out all that waits; how many that were. */
  async pending(): Promise<number> {
    return Number(await this.#ask('pending'));
  }

  /** Closes the descriptors received so far, as a manager does that has processed a barrier. */
  async closeDescriptors(): Promise<void> {
    await this.#ask('close-fds');
  }

  async close(): Promise<void> {
    this.#interface.close();
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}
