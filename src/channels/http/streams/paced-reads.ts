import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Message } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';

type Reads = Pick<
  Store,
  'message' | 'sessions' | 'sessionMessages' | 'deadMessages' | 'settledMessages' | 'deltas'
>;

/** Reads that are under way at the same time: what they bring is in memory until its answer has been made. */
const mostMessagesAtOnce = 32;
const mostPagesAtOnce = 8;

/** Characters from which on to make the answer is work enough for a turn of the event loop. */
const largeText = 64 * 1024;
/** A session has so many in an answer. */
const textOfSession = 200;

/** Reads for answers so that many large ones, asked for at once, neither fill the memory nor hold up the event loop. */
export function pacedReads(store: Reads): Reads {
  const messages = new ReadTurns(mostMessagesAtOnce);
  const pages = new ReadTurns(mostPagesAtOnce);
  return {
    message: (id) =>
      messages.take(
        () => store.message(id),
        (message) => (message === null ? 0 : textOf([message])),
      ),
    sessions: (page) =>
      pages.take(
        () => store.sessions(page),
        ({ items }) => items.length * textOfSession,
      ),
    sessionMessages: (session, page) =>
      pages.take(
        () => store.sessionMessages(session, page),
        (found) => textOf(found?.items ?? []),
      ),
    deadMessages: (page) =>
      pages.take(
        () => store.deadMessages(page),
        ({ items }) => textOf(items),
      ),
    settledMessages: (session, seq, limit) =>
      pages.take(
        () => store.settledMessages(session, seq, limit),
        ({ items }) => textOf(items),
      ),
    deltas: (messageId, after, limit) =>
      messages.take(
        () => store.deltas(messageId, after, limit),
        ({ items }) => items.reduce((sum, { text }) => sum + text.length, 0),
      ),
  };
}

function textOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { text, reply }) => sum + text.length + (reply?.text.length ?? 0), 0);
}

class ReadTurns {
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];
  #afterLarge = Promise.resolve();

  constructor(private readonly mostAtOnce: number) {}

  async take<Result>(read: () => Promise<Result>, lengthOf: (result: Result) => number): Promise<Result> {
    if (this.#underWay < this.mostAtOnce) this.#underWay += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const result = await read();
      if (lengthOf(result) > largeText) {
        const turn = this.#afterLarge;
        this.#afterLarge = turn.then(() => nextTurn());
        await turn;
      }
      return result;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }
}
