import { Bytes, type Dialect, type Part } from './dialect.js';

/**
 * SMTP and LMTP with one recipient a mail. Steps: `greeting`, the commands, and `mail`, which is the text of a mail with the
 * dot at its end.
 */
export class SmtpDialect implements Dialect {
  readonly #client = new Bytes();
  readonly #server = new Bytes();
  readonly #unanswered: string[] = ['greeting'];
  #isMail = false;
  #answer: Buffer[] = [];

  fromClient(chunk: Buffer): readonly Part[] {
    this.#client.add(chunk);
    const parts: Part[] = [];
    for (;;) {
      const isEmptyMail = this.#isMail && this.#client.startsWith('.\r\n');
      const bytes = this.#client.upTo(this.#isMail && !isEmptyMail ? '\r\n.\r\n' : '\r\n');
      if (bytes === null) return parts;
      const step = this.#isMail ? 'mail' : bytes.toString('latin1').slice(0, 4).toUpperCase().trim();
      this.#isMail = false;
      this.#unanswered.push(step);
      parts.push({ step, bytes });
    }
  }

  fromServer(chunk: Buffer): readonly Part[] {
    this.#server.add(chunk);
    const parts: Part[] = [];
    for (;;) {
      const line = this.#server.upTo('\r\n');
      if (line === null) return parts;
      this.#answer.push(line);
      if (!/^\d{3} /.test(line.toString('latin1'))) continue;
      const step = this.#unanswered.shift() ?? null;
      if (step === 'DATA' && line.toString('latin1').startsWith('354')) this.#isMail = true;
      parts.push({ step, bytes: Buffer.concat(this.#answer) });
      this.#answer = [];
    }
  }
}
