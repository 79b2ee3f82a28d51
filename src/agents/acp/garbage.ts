import type { Log, LogFields } from '../../log/log.js';
import { oneLine } from '../one-line.js';

/** Lines of garbage that are logged for each turn. */
const mostLines = 10;

/** Logs lines of an agent that are no messages. */
export class Garbage {
  #lines = 0;

  constructor(
    private readonly log: Log,
    private fields: LogFields,
  ) {}

  turnBegins(fields: LogFields): void {
    this.fields = fields;
    this.#lines = 0;
  }

  note(line: string): void {
    this.#lines += 1;
    if (this.#lines > mostLines) return;
    const last = this.#lines === mostLines ? ' Further ones are not logged.' : '';
    this.log.info(
      `The agent wrote a line that answers nothing and is no message of the protocol: ${oneLine(line)}.${last}`,
      this.fields,
    );
  }
}
