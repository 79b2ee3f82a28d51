import { Buffer } from 'node:buffer';
import type { FileContent } from '../../store/new-attachments.js';
import { ByteLines } from '../../text/byte-lines.js';
import { errorMessage } from '../../text/failure-text.js';
import { errorOf, type Failure, failureOf } from './failure.js';
import { borrowed, type LentPiece, LentStreams } from './lent-streams.js';

/** The calls that one process takes from the other, each with one argument of JSON. */
// biome-ignore lint/suspicious/noExplicitAny: each call has types of its own, which `call` looks up
export type Calls = Readonly<Record<string, (argument: any, signal: AbortSignal) => any>>;

type ArgumentOf<Call extends Calls[string]> = Parameters<Call>[0];
type AnswerOf<Call extends Calls[string]> = Awaited<ReturnType<Call>>;

/** One line. Undefined members are left out of it, and an answer without a value is null. */
type Frame =
  | { readonly call: string; readonly number?: number; readonly argument?: unknown }
  | { readonly answers: number; readonly value?: unknown; readonly failure?: Failure }
  | { readonly aborts: number };

export interface PeerOptions<Ours extends Calls> {
  readonly ours: Ours;
  readonly write: (line: string) => void;
  /** Longest lines that are taken, and that the other side takes, in bytes. */
  readonly longestTakenBytes: number;
  readonly longestGivenBytes: number;
  /** Calls of the other side that may be under way, and the bytes of their lines. Default: no bound. */
  readonly bounds?: { readonly calls: number; readonly bytes: number };
  /** The other side breaks a rule, and can't be relied on any more. `text` says how, and repeats nothing of it. */
  readonly onMistake: (text: string) => void;
  /** Called before each answer goes out. */
  readonly beforeAnswer?: () => void;
}

/** There is no answer: the other process is gone, or the call can't be given to it. */
export class UnansweredError extends Error {
  constructor(
    message: string,
    /** True if the call was on its way: nobody knows what came of it. */
    readonly wasGiven: boolean,
  ) {
    super(message);
    this.name = 'UnansweredError';
  }
}

/** Calls between two processes over lines of JSON, both ways at once. */
export class Peer<Ours extends Calls, Theirs extends Calls> {
  readonly #options: PeerOptions<Ours>;
  readonly #lines: ByteLines;
  readonly #lent = new LentStreams();
  readonly #waiting = new Map<number, (frame: Extract<Frame, { readonly answers: number }>) => void>();
  readonly #underWay = new Map<number, AbortController>();
  readonly #works = new Set<Promise<void>>();
  #heldBytes = 0;
  #numbers = 0;
  #goneFor: string | null = null;

  constructor(options: PeerOptions<Ours>) {
    this.#options = options;
    this.#lines = new ByteLines(options.longestTakenBytes);
  }

  /** Null: the other side is there. */
  get goneFor(): string | null {
    return this.#goneFor;
  }

  /**
   * Rejects with what the other side fails with, or with an UnansweredError.
   *
   * @param signal is aborted on the other side as well, which goes on to answer
   */
  call<Name extends keyof Theirs & string>(
    name: Name,
    argument: ArgumentOf<Theirs[Name]>,
    signal?: AbortSignal,
  ): Promise<AnswerOf<Theirs[Name]>> {
    return this.#ask(name, argument, signal) as Promise<AnswerOf<Theirs[Name]>>;
  }

  #ask(name: string, argument: unknown, signal?: AbortSignal): Promise<unknown> {
    if (this.#goneFor !== null) return Promise.reject(new UnansweredError(this.#goneFor, false));
    const number = ++this.#numbers;
    return new Promise((resolve, reject) => {
      const abort = () => this.#give({ aborts: number });
      this.#waiting.set(number, ({ value, failure }) => {
        this.#waiting.delete(number);
        signal?.removeEventListener('abort', abort);
        if (failure === undefined) resolve(value);
        else reject(this.#goneFor === null ? errorOf(failure) : new UnansweredError(failure.message, true));
      });
      try {
        this.#give({ call: name, number, argument });
      } catch (error) {
        this.#waiting.delete(number);
        reject(new UnansweredError(errorMessage(error), false));
        return;
      }
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort);
    });
  }

  /** Tells it without an answer, if the other side is still there. */
  tell<Name extends keyof Theirs & string>(name: Name, argument: ArgumentOf<Theirs[Name]>): void {
    if (this.#goneFor === null) this.#give({ call: name, argument });
  }

  /** Has the other side read this; gives the number under which it does. */
  lend(content: FileContent): number {
    return this.#lent.lend(content);
  }

  borrow(number: number): AsyncGenerator<Uint8Array> {
    return borrowed(number, {
      next: (of) => this.#ask('next', of) as Promise<LentPiece>,
      drop: (of) => this.#give({ call: 'drop', argument: of }),
    });
  }

  /** Takes bytes as they come. */
  take(bytes: Buffer): void {
    for (const line of this.#lines.push(bytes)) {
      if (line.text === null) {
        this.#options.onMistake(`it wrote a line of ${line.sizeBytes} bytes`);
      } else if (line.text.trim() !== '') this.#hear(line.text);
    }
  }

  /** The other side is gone: all calls to it fail, and those of its own are aborted. */
  end(reason: string): void {
    if (this.#goneFor !== null) return;
    this.#goneFor = reason;
    const failure: Failure = { kind: 'other', message: reason };
    for (const [number, settle] of [...this.#waiting]) settle({ answers: number, failure });
    for (const work of this.#underWay.values()) work.abort();
    this.#lent.dropAll();
  }

  /** Resolves once all calls of the other side have come to their end. */
  async idle(): Promise<void> {
    while (this.#works.size > 0) await Promise.all(this.#works);
  }

  #give(frame: Frame): void {
    if (this.#goneFor !== null) return;
    const line = JSON.stringify(frame);
    const sizeBytes = Buffer.byteLength(line);
    if (sizeBytes > this.#options.longestGivenBytes) {
      throw new Error(
        `it has ${sizeBytes} bytes, and ${this.#options.longestGivenBytes} may go to the other process at once`,
      );
    }
    this.#options.write(`${line}\n`);
  }

  #hear(text: string): void {
    let frame: Partial<Record<'call' | 'number' | 'argument' | 'answers' | 'aborts', unknown>> | null;
    try {
      frame = JSON.parse(text);
    } catch {
      frame = null;
    }
    if (typeof frame?.call === 'string') {
      const { call, number, argument } = frame;
      this.#perform(call, typeof number === 'number' ? number : null, argument, text.length);
    } else if (typeof frame?.answers === 'number') {
      this.#waiting.get(frame.answers)?.(frame as Extract<Frame, { readonly answers: number }>);
    } else if (typeof frame?.aborts === 'number') {
      this.#underWay.get(frame.aborts)?.abort();
    } else this.#options.onMistake('it wrote a line that is no call and no answer');
  }

  #perform(name: string, number: number | null, argument: unknown, sizeBytes: number): void {
    const { bounds, onMistake } = this.#options;
    this.#heldBytes += sizeBytes;
    if (bounds !== undefined && (this.#works.size >= bounds.calls || this.#heldBytes > bounds.bytes)) {
      this.#heldBytes -= sizeBytes;
      onMistake(`it asked for ${this.#works.size + 1} things at once`);
      return;
    }
    const abort = new AbortController();
    if (number !== null) this.#underWay.set(number, abort);
    const work = this.#answer(name, number, argument, abort.signal).finally(() => {
      this.#heldBytes -= sizeBytes;
      this.#works.delete(work);
      if (number !== null) this.#underWay.delete(number);
    });
    this.#works.add(work);
  }

  /** Never rejects. */
  async #answer(name: string, number: number | null, argument: unknown, signal: AbortSignal): Promise<void> {
    let frame: Extract<Frame, { readonly answers: number }>;
    try {
      const value = await this.#invoke(name, argument, signal);
      frame = { answers: number ?? 0, value: value ?? null };
    } catch (error) {
      if (number === null)
        this.#options.onMistake(`it told of something that is not so: ${failureOf(error).message}`);
      frame = { answers: number ?? 0, failure: failureOf(error) };
    }
    if (number === null) return;
    this.#options.beforeAnswer?.();
    try {
      this.#give(frame);
    } catch (error) {
      this.#give({ answers: number, failure: failureOf(error) });
    }
  }

  async #invoke(name: string, argument: unknown, signal: AbortSignal): Promise<unknown> {
    if (name === 'next') return this.#lent.next(Number(argument));
    if (name === 'drop') return this.#lent.drop(Number(argument));
    const { ours } = this.#options;
    const call = Object.hasOwn(ours, name) ? ours[name] : undefined;
    if (call === undefined) throw new Error(`there is no call "${name}"`);
    return call(argument, signal);
  }
}
