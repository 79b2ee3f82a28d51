import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { printable, type Terminal } from '../terminal.js';
import { UsageError } from '../usage.js';

/** Ctrl-C, or the end of the input, in the middle of the questions. */
export class InterruptedError extends Error {}

/** An answer did not pass, and nobody is there to give another one. */
export class AnswerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AnswerError';
  }
}

export interface Question {
  /** The option that answers it. */
  readonly option: string;
  readonly text: string;
  /** All that may be answered, each with a word about it; left out: any text. */
  readonly choices?: readonly (readonly [answer: string, meaning: string])[];
  /** Left out: an answer is needed. Empty: none is. */
  readonly byDefault?: string;
}

/** Gets answers from the options or, on a terminal, from a person. */
export interface Asker {
  /** False: nobody is asked, the options say all. */
  readonly isTerminal: boolean;
  /** Aborted by Ctrl-C between two questions. */
  readonly interrupted: AbortSignal;
  ask(question: Question): Promise<string>;
  /** The value of an option that few need, so that nobody is asked for it; null: it is not given. */
  given(option: string): string | null;
  /** Shows nothing of what is typed. Empty: nobody is there, or nothing was typed. */
  askSecret(text: string): Promise<string>;
  confirm(text: string, byDefault: boolean): Promise<boolean>;
  say(text: string): void;
  close(): void;
}

export interface AskerOptions {
  /** By the names of options. */
  readonly values: Readonly<Record<string, string>>;
  readonly command: string;
  readonly terminal: Terminal;
}

/**
 * True: an answer did not pass, and is wanted all the same.
 *
 * @throws AnswerError if nobody can be asked
 */
export async function takesAnyway(asker: Asker, force: boolean, problem: string): Promise<boolean> {
  if (force) {
    asker.say(`! ${problem}`);
    return true;
  }
  if (!asker.isTerminal)
    throw new AnswerError(`${problem.replace(/\.$/, '')}; --force takes it all the same`);
  asker.say(`✗ ${problem}`);
  return asker.confirm('Take it all the same?', false);
}

/** Throws a UsageError for an answer that is none of the choices. */
function checkChoice({ option, choices }: Question, answer: string, command: string): string {
  if (choices === undefined || choices.some(([choice]) => choice === answer)) return answer;
  const known = choices.map(([choice]) => `"${choice}"`).join(', ');
  throw new UsageError(`--${option} is one of ${known}, not "${answer}"`, command);
}

/** Takes the options for answers, and defaults for the rest. */
export class OptionAsker implements Asker {
  readonly isTerminal = false;
  readonly interrupted = new AbortController().signal;

  constructor(private readonly options: Pick<AskerOptions, 'values' | 'command'>) {}

  async ask(question: Question): Promise<string> {
    const { values, command } = this.options;
    const answer = values[question.option] ?? question.byDefault;
    if (answer === undefined) {
      throw new UsageError(`--${question.option} is needed, as nobody can be asked`, command);
    }
    return checkChoice(question, answer, command);
  }

  given(option: string): string | null {
    return this.options.values[option] ?? null;
  }

  async askSecret(): Promise<string> {
    return '';
  }

  async confirm(_text: string, byDefault: boolean): Promise<boolean> {
    return byDefault;
  }

  say(text: string): void {
    process.stdout.write(`${printable(text)}\n`);
  }

  close(): void {}
}

/** Asks a person on the terminal for what the options don't say. */
export class TerminalAsker implements Asker {
  readonly isTerminal = true;
  readonly #interruption = new AbortController();
  readonly interrupted = this.#interruption.signal;
  readonly #options: AskerOptions;
  readonly #input: Interface;
  readonly #lines: AsyncIterator<string>;
  /** Options whose value was given as an answer. */
  readonly #taken = new Set<string>();
  #isMuted = false;

  constructor(options: AskerOptions) {
    this.#options = options;
    const output = new Writable({
      write: (text, _encoding, done) => {
        if (!this.#isMuted) process.stdout.write(text);
        done();
      },
    });
    this.#input = createInterface({ input: process.stdin, output, terminal: true });
    this.#input.on('SIGINT', () => {
      this.#interruption.abort();
      this.#input.close();
    });
    this.#lines = this.#input[Symbol.asyncIterator]();
  }

  async ask(question: Question): Promise<string> {
    const { values, command } = this.#options;
    const given = values[question.option];
    // One that did not pass is asked for.
    if (given !== undefined && !this.#taken.has(question.option)) {
      this.#taken.add(question.option);
      return checkChoice(question, given, command);
    }
    const { text, choices = [], byDefault } = question;
    this.#head(text);
    const width = Math.max(...choices.map(([choice]) => choice.length));
    for (const [choice, meaning] of choices) this.say(`  ${choice.padEnd(width)}  ${meaning}`);
    for (;;) {
      const answer = (await this.#line(byDefault ? `[${byDefault}] ` : '> ')).trim() || byDefault;
      if (answer === undefined) continue;
      if (choices.length === 0 || choices.some(([choice]) => choice === answer)) return answer;
      this.say(`It is one of ${choices.map(([choice]) => choice).join(', ')}.`);
    }
  }

  given(option: string): string | null {
    return this.#options.values[option] ?? null;
  }

  async askSecret(text: string): Promise<string> {
    this.#head(text, ' What you type is not shown.');
    process.stdout.write('> ');
    this.#isMuted = true;
    try {
      return (await this.#line('')).trim();
    } finally {
      this.#isMuted = false;
      process.stdout.write('\n');
    }
  }

  async confirm(text: string, byDefault: boolean): Promise<boolean> {
    const answer = await this.#line(`${text} ${byDefault ? '[Y/n]' : '[y/N]'} `);
    return answer.trim() === '' ? byDefault : /^y(es)?$/i.test(answer.trim());
  }

  say(text: string): void {
    process.stdout.write(`${printable(text)}\n`);
  }

  close(): void {
    this.#input.close();
  }

  /** Begins a question. */
  #head(text: string, hint = ''): void {
    process.stdout.write(`\n${this.#options.terminal.paint('bold', printable(text))}${hint}\n`);
  }

  async #line(prompt: string): Promise<string> {
    this.#input.setPrompt(printable(prompt));
    this.#input.prompt();
    const { value, done } = await this.#lines.next();
    if (done === true) throw new InterruptedError();
    return value;
  }
}
