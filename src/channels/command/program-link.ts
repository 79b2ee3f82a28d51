import { ByteLines } from '../../text/byte-lines.js';
import { errorMessage } from '../../text/failure-text.js';
import type { ChannelContext } from '../channel.js';
import type { ChannelProgram } from '../channel-program.js';
import type { TextRules } from './command-parts.js';
import {
  type Capability,
  capabilities,
  type DeletedLine,
  encodeLine,
  type GatewayLine,
  gatewayCapabilities,
  type InboundLine,
  longestLineBytes,
  type ProgramLine,
  parseLine,
  protocolVersion,
  type SendAnswer,
  type StartOrder,
} from './protocol.js';

/** Longest wait for "ready", and for the answer to "health", in milliseconds. */
const readyTimeoutMs = 30_000;
const healthTimeoutMs = 10_000;
/** Time that a program has to end by itself once its input has, in milliseconds. */
const gentleEndMs = 1_000;
/** Bytes that may wait for the program to read them. */
const mostUnreadBytes = 4 * longestLineBytes;

export interface LinkOptions {
  /** Once its signal is aborted, the program is ended. */
  readonly context: Pick<ChannelContext, 'host' | 'clock' | 'signal'>;
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly start: StartOrder;
  /** Silence after which the program is asked for its health, in milliseconds. */
  readonly healthIntervalMs: number;
  /** Takes a message in; resolves when another one may come. */
  readonly inbound: (line: InboundLine | DeletedLine, link: ProgramLink) => Promise<void>;
  /** The program says how its platform is: null if it is well. */
  readonly health: (trouble: string | null) => void;
  /** Notes a line that says nothing, in words that don't repeat it. */
  readonly complain: (kind: string, text: string) => void;
}

/** The end of an order: its answer, or why there is none. */
export type OrderEnd =
  | SendAnswer
  | { readonly type: 'gone'; readonly reason: string }
  | { readonly type: 'late' }
  | { readonly type: 'aborted' }
  /** The program was not given the order. */
  | { readonly type: 'not_given'; readonly reason: string };

/** One run of the channel's program, from its start message on. */
export class ProgramLink {
  readonly #options: LinkOptions;
  readonly #program: ChannelProgram;
  readonly #lines = new ByteLines(longestLineBytes);
  readonly #pending = new Map<string, (end: OrderEnd) => void>();
  #capabilities: ReadonlySet<Capability> = new Set();
  #textRules: TextRules | null = null;
  #onReady: (() => void) | null = null;
  #failure: string | null = null;
  #isOver = false;
  #cancelHealth = () => {};
  #healthRequests = 0;
  /** A message waits for room in the store: what the program says behind it is not read yet. */
  #waitsForRoom = false;
  /** Resolves with the reason when nothing of the program runs any more. */
  readonly ended: Promise<string>;

  private constructor(options: LinkOptions, program: ChannelProgram) {
    this.#options = options;
    this.#program = program;
    this.ended = this.#program.ended.then((how) => this.#end(how));
  }

  /** Resolves once the program is ready. Rejects with the reason if it does not get there; nothing of it runs then. */
  static async open(options: LinkOptions): Promise<ProgramLink> {
    const { context, command, env } = options;
    let made: (link: ProgramLink) => void = () => undefined;
    const linked = new Promise<ProgramLink>((resolve) => {
      made = resolve;
    });
    const take = async (bytes: Buffer) => (await linked).#take(bytes);
    const link = new ProgramLink(options, await context.host.startProgram({ command, env, take }));
    made(link);
    await link.#begin();
    return link;
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** The texts that it takes; null before it is ready. */
  get textRules(): TextRules | null {
    return this.#textRules;
  }

  can(capability: Capability): boolean {
    return this.#capabilities.has(capability);
  }

  /** Writes one line, if the program still runs. */
  tell(line: GatewayLine): void {
    if (this.#isOver) return;
    this.#program.write(encodeLine(line));
    if (this.#program.unreadBytes > mostUnreadBytes)
      this.fail('it was ended, as it does not read what it is told');
  }

  /** Gives an order that has an id, and awaits its answer. */
  order(
    line: Extract<GatewayLine, { readonly type: 'send' | 'reconcile' }>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<OrderEnd> {
    const reason = this.#isOver ? 'the program of the channel has ended' : 'the gateway stops';
    if (this.#isOver || signal.aborted) return Promise.resolve({ type: 'not_given', reason });
    return new Promise((resolve) => {
      const end = (outcome: OrderEnd) => {
        cancel();
        signal.removeEventListener('abort', abort);
        this.#pending.delete(line.id);
        resolve(outcome);
      };
      const abort = () => end({ type: 'aborted' });
      const cancel = this.#options.context.clock.after(timeoutMs, () => end({ type: 'late' }));
      signal.addEventListener('abort', abort);
      this.#pending.set(line.id, end);
      this.tell(line);
    });
  }

  /** Ends the program, which has failed; `reason` takes the place of how it ends. */
  fail(reason: string): void {
    this.#failure ??= reason;
    this.#program.end(0);
  }

  /** Ends its input, on which it should end by itself. */
  close(): void {
    this.#program.end(gentleEndMs);
  }

  async #begin(): Promise<void> {
    const { clock, signal } = this.#options.context;
    const ready = new Promise<void>((resolve) => {
      this.#onReady = resolve;
    });
    const cancel = clock.after(readyTimeoutMs, () =>
      this.fail(`it was ended, as it had not said "ready" after ${readyTimeoutMs / 1_000} s`),
    );
    const abort = () => this.fail('was ended with the channel');
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    const capabilities = gatewayCapabilities;
    this.tell({ type: 'start', protocol: protocolVersion, capabilities, ...this.#options.start });
    const failure = await Promise.race([ready.then(() => null), this.ended]);
    cancel();
    signal.removeEventListener('abort', abort);
    if (failure !== null) throw new Error(`the program ${failure}`);
    this.#awaitHealth();
  }

  #end(how: string): string {
    const reason = this.#failure ?? how;
    this.#isOver = true;
    this.#cancelHealth();
    for (const end of [...this.#pending.values()]) end({ type: 'gone', reason });
    return reason;
  }

  async #take(bytes: Buffer): Promise<void> {
    for (const line of this.#lines.push(bytes)) {
      if (line.text === null) {
        this.#options.complain(
          'long',
          `it has ${line.sizeBytes} bytes, and ${longestLineBytes} are the most`,
        );
        continue;
      }
      if (line.text.trim() === '') continue;
      const parsed = parseLine(line.text);
      if (parsed.ok) await this.#hear(parsed.line);
      else {
        this.#options.complain('line', parsed.problem);
        if (parsed.refuses !== null)
          this.tell({ type: 'refused', id: parsed.refuses, reason: `invalid: ${parsed.problem}` });
      }
    }
  }

  async #hear(line: ProgramLine): Promise<void> {
    if (line.type === 'ready') return this.#becomeReady(line);
    if (this.#onReady !== null) {
      this.#options.complain('early', `"${line.type}" came before "ready"`);
      return;
    }
    this.#awaitHealth();
    switch (line.type) {
      case 'inbound':
      case 'deleted':
        this.#waitsForRoom = true;
        try {
          await this.#options.inbound(line, this);
        } catch (error) {
          this.#options.complain('inbound', errorMessage(error));
        } finally {
          this.#waitsForRoom = false;
        }
        return;
      case 'healthy':
        this.#options.health(null);
        return;
      case 'unhealthy':
        this.#options.health(line.reason);
        return;
      default: {
        const end = this.#pending.get(line.id);
        if (end === undefined)
          this.#options.complain('answer', `"${line.type}" answers nothing, or came late`);
        else end(line);
      }
    }
  }

  #becomeReady(ready: Extract<ProgramLine, { readonly type: 'ready' }>): void {
    const { protocol, capabilities: told } = ready;
    if (this.#onReady === null) {
      this.#options.complain('early', '"ready" came twice');
    } else if (protocol !== protocolVersion) {
      this.fail(`speaks version ${protocol} of the protocol, and this gateway version ${protocolVersion}`);
    } else {
      this.#capabilities = new Set(capabilities.filter((each) => told.includes(each)));
      this.#textRules = { limit: ready.text_limit, unit: ready.text_unit, form: ready.text_form };
      this.#onReady();
      this.#onReady = null;
    }
  }

  /** Asks for its health after a silence; one that does not answer hangs. */
  #awaitHealth(): void {
    const { context, healthIntervalMs } = this.#options;
    this.#cancelHealth();
    if (this.#isOver) return;
    this.#cancelHealth = context.clock.after(healthIntervalMs, () => {
      this.#healthRequests += 1;
      this.tell({ type: 'health', id: `health.${this.#healthRequests}` });
      this.#cancelHealth = context.clock.after(healthTimeoutMs, () => {
        if (this.#waitsForRoom) this.#awaitHealth();
        else this.fail(`it was ended, as it did not answer "health" within ${healthTimeoutMs / 1_000} s`);
      });
    });
  }
}
