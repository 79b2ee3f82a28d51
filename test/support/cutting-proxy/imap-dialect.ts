import { Bytes, type Dialect, type Part } from './dialect.js';

const commands: readonly (readonly [RegExp, string])[] = [
  [/^(?:LOGIN|AUTHENTICATE) /i, 'login'],
  [/^SELECT /i, 'select'],
  [/^NOOP/i, 'noop'],
  [/^UID FETCH \S*:\*/i, 'list'],
  [/^UID FETCH /i, 'fetch'],
  [/^UID (?:STORE|MOVE) /i, 'mark'],
  [/^IDLE/i, 'idle'],
];

/**
 * IMAP of a client that has one command under way, whose own words have no literals. Steps: `greeting`, those above, `done`,
 * which ends IDLE, and `news`, which the server tells meanwhile. Lists and mails are parts of the answer to their command.
 */
export class ImapDialect implements Dialect {
  readonly #client = new Bytes();
  readonly #server = new Bytes();
  /** Steps by the tag of their command. */
  readonly #tags = new Map<string, string | null>();
  #isGreeted = false;
  #isIdle = false;
  /** Of an answer that is not whole yet. */
  #answer: Buffer[] = [];
  #literalBytes = 0;

  fromClient(chunk: Buffer): readonly Part[] {
    this.#client.add(chunk);
    const parts: Part[] = [];
    for (;;) {
      const bytes = this.#client.upTo('\r\n');
      if (bytes === null) return parts;
      const line = bytes.toString('latin1');
      if (/\{\d+\+?\}\r\n$/.test(line)) throw new Error(`A literal of the client: ${line}`);
      const [, tag = '', words = ''] = /^(\S+) (.*)/.exec(line) ?? [];
      const step = /^DONE\r/i.test(line)
        ? 'done'
        : (commands.find(([form]) => form.test(words))?.[1] ?? null);
      // The answer to IDLE is its continuation; the tagged one is that to DONE.
      if (tag !== '') this.#tags.set(tag, step === 'idle' ? 'done' : step);
      parts.push({ step, bytes });
    }
  }

  fromServer(chunk: Buffer): readonly Part[] {
    this.#server.add(chunk);
    const parts: Part[] = [];
    for (;;) {
      if (this.#literalBytes > 0) {
        const literal = this.#server.take(this.#literalBytes);
        if (literal === null) return parts;
        this.#answer.push(literal);
        this.#literalBytes = 0;
      }
      const bytes = this.#server.upTo('\r\n');
      if (bytes === null) return parts;
      this.#answer.push(bytes);
      const line = bytes.toString('latin1');
      this.#literalBytes = Number(/\{(\d+)\}\r\n$/.exec(line)?.[1] ?? 0);
      if (this.#literalBytes > 0) continue;
      const step = this.#ended(line);
      if (step === undefined) continue;
      parts.push({ step, bytes: Buffer.concat(this.#answer) });
      this.#answer = [];
    }
  }

  /** Gives the step that this line ends; undefined: more of the answer follows. */
  #ended(line: string): string | null | undefined {
    if (!this.#isGreeted) {
      this.#isGreeted = true;
      return 'greeting';
    }
    if (line.startsWith('+')) {
      this.#isIdle = [...this.#tags.values()].at(-1) === 'done';
      return this.#isIdle ? 'idle' : null;
    }
    const tag = line.slice(0, line.indexOf(' '));
    const step = this.#tags.get(tag);
    if (step !== undefined) {
      this.#tags.delete(tag);
      this.#isIdle &&= step !== 'done';
      return step;
    }
    if (this.#isIdle) return / EXISTS\r\n$/.test(line) ? 'news' : null;
    return undefined;
  }
}
