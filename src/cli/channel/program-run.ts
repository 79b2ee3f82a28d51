import type { ChannelHost, ChannelProgram } from '../../channels/channel-program.js';
import {
  encodeLine,
  type GatewayLine,
  gatewayCapabilities,
  longestLineBytes,
  type ProgramLine,
  parseLine,
  protocolVersion,
} from '../../channels/command/protocol.js';
import type { JsonValue } from '../../store/messages.js';
import { ByteLines } from '../../text/byte-lines.js';

export interface ProgramRunOptions {
  readonly host: ChannelHost;
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly secret: string | null;
}

type LineOf<Type extends ProgramLine['type']> = Extract<ProgramLine, { readonly type: Type }>;

/** One run of a channel's program, whose lines are kept. */
export class ProgramRun {
  /** Lines that the protocol does not know, in words. */
  readonly mistakes: string[] = [];
  readonly #heard: ProgramLine[] = [];
  readonly #lines = new ByteLines(longestLineBytes);
  readonly #program: ChannelProgram;
  #waiting: (() => void)[] = [];
  #how: string | null = null;

  private constructor(program: ChannelProgram) {
    this.#program = program;
    void program.ended.then((how) => {
      this.#how = how;
      this.#wake();
    });
  }

  /** Starts the program, and tells it so. Rejects if it can't be started. */
  static async start(
    { host, command, env, secret }: ProgramRunOptions,
    cursor: JsonValue,
  ): Promise<ProgramRun> {
    let made: (run: ProgramRun) => void = () => undefined;
    const begun = new Promise<ProgramRun>((resolve) => {
      made = resolve;
    });
    const take = async (bytes: Buffer) => (await begun).#take(bytes);
    const run = new ProgramRun(await host.startProgram({ command, env, take }));
    made(run);
    const capabilities = gatewayCapabilities;
    run.tell({ type: 'start', protocol: protocolVersion, capabilities, channel: 'test', secret, cursor });
    return run;
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** The way in which it ended; null: it runs. */
  get how(): string | null {
    return this.#how;
  }

  tell(line: GatewayLine): void {
    this.#program.write(encodeLine(line));
  }

  /** Writes any text. */
  write(text: string): void {
    this.#program.write(text);
  }

  /** The first line of these types that fits, now or within the time. Null: none came, or the program ended before. */
  async hears<Type extends ProgramLine['type']>(
    types: readonly Type[],
    timeoutMs: number,
    fits: (line: LineOf<Type>) => boolean = () => true,
  ): Promise<LineOf<Type> | null> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const found = this.#heard.find(
        (line): line is LineOf<Type> =>
          (types as readonly string[]).includes(line.type) && fits(line as LineOf<Type>),
      );
      if (found !== undefined) return found;
      const leftMs = until - performance.now();
      if (leftMs <= 0 || this.#how !== null) return null;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#how === null) process.kill(this.pid, signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#program.ended;
  }

  /** Ends its input; gives how it ended, which is by a signal if it took longer than `gentleMs`. */
  end(gentleMs: number): Promise<string> {
    this.#program.end(gentleMs);
    return this.#program.ended;
  }

  async #take(bytes: Buffer): Promise<void> {
    for (const { text } of this.#lines.push(bytes)) {
      if (text?.trim() === '') continue;
      const parsed = text === null ? null : parseLine(text);
      if (parsed?.ok) this.#heard.push(parsed.line);
      else this.mistakes.push(parsed === null ? 'it is too long' : parsed.problem);
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
