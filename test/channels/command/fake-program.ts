import type {
  ChannelHost,
  ChannelProgram,
  ChannelProgramOptions,
} from '../../../src/channels/channel-program.js';

export type Line = Readonly<Record<string, unknown>> & { readonly type: string };

/** A program of a channel that the test speaks for. */
export class FakeProgram implements ChannelProgram {
  static #pids = 0;
  readonly pid = ++FakeProgram.#pids;
  readonly ended: Promise<string>;
  unreadBytes = 0;
  /** All that the gateway has told it. */
  readonly told: Line[] = [];
  isEnding = false;
  #die: (how: string) => void = () => undefined;
  #waiting: (() => void)[] = [];
  /** Ends by itself when its input does. */
  isPolite = true;

  constructor(readonly options: ChannelProgramOptions) {
    this.ended = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  write(text: string): void {
    this.told.push(JSON.parse(text));
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  end(gentleMs: number): void {
    this.isEnding = true;
    if (this.isPolite || gentleMs === 0) this.die('was killed by SIGTERM');
  }

  die(how: string): void {
    this.#die(how);
  }

  /** Writes lines, all at once. Resolves when the gateway has taken them. */
  say(...lines: readonly object[]): Promise<void> {
    return this.writeText(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  writeText(text: string): Promise<void> {
    return this.options.take(Buffer.from(text));
  }

  /** Resolves with the first line that is so, now or later. */
  async hears(type: string, members: object = {}): Promise<Line> {
    for (;;) {
      const found = this.told.find(
        (line) =>
          line.type === type &&
          Object.entries(members).every(
            ([key, value]) => JSON.stringify(line[key]) === JSON.stringify(value),
          ),
      );
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  types(): readonly string[] {
    return this.told.map(({ type }) => type);
  }
}

/** Starts such programs. */
export class FakeHost implements ChannelHost {
  readonly credentialsDirectory = null;

  constructor(readonly directory = '/nonexistent') {}

  readonly programs: FakeProgram[] = [];
  /** What the next starts fail with. */
  readonly failures: Error[] = [];
  #waiting: (() => void)[] = [];

  async startProgram(options: ChannelProgramOptions): Promise<ChannelProgram> {
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const program = new FakeProgram(options);
    this.programs.push(program);
    for (const resolve of this.#waiting.splice(0)) resolve();
    return program;
  }

  /** The nth program, 1 for the first, once it runs. */
  async program(number: number): Promise<FakeProgram> {
    for (;;) {
      const found = this.programs[number - 1];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
