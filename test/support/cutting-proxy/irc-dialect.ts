import { Bytes, type Dialect, type Part } from './dialect.js';

/** IRC: each line is a step by its command. What the server passes on is `PRIVMSG of a person`. */
export class IrcDialect implements Dialect {
  readonly #client = new Bytes();
  readonly #server = new Bytes();

  fromClient(chunk: Buffer): readonly Part[] {
    return lines(this.#client, chunk);
  }

  fromServer(chunk: Buffer): readonly Part[] {
    return lines(this.#server, chunk).map((part) =>
      part.step === 'PRIVMSG' ? { ...part, step: 'PRIVMSG of a person' } : part,
    );
  }
}

function lines(bytes: Bytes, chunk: Buffer): readonly Part[] {
  bytes.add(chunk);
  const parts: Part[] = [];
  for (let line = bytes.upTo('\n'); line !== null; line = bytes.upTo('\n')) {
    const step = /^(?::\S+ )?(\S+)/.exec(line.toString('latin1'))?.[1] ?? null;
    parts.push({ step, bytes: line });
  }
  return parts;
}
