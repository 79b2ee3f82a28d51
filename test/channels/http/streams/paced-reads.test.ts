import { expect, test } from 'vitest';
import { pacedReads } from '../../../../src/channels/http/streams/paced-reads.js';
import type { Message, SessionSummary } from '../../../../src/store/messages.js';

const message = (size: number) => ({ text: 'x'.repeat(size), reply: null }) as unknown as Message;

const summary: SessionSummary = {
  session: 'a',
  lastSeq: 1,
  waiting: 0,
  running: false,
  lastAcceptedAt: 0,
  policy: null,
  agent: null,
  generation: 1,
};

/** A store that answers all that it was asked at once, when it is told to. */
function storeOf(answer: Message) {
  const asked: (() => void)[] = [];
  const ask = <Result>(result: Result) =>
    new Promise<Result>((resolve) => {
      asked.push(() => resolve(result));
    });
  const store: Parameters<typeof pacedReads>[0] = {
    message: () => ask(answer),
    sessions: () => ask({ items: Array.from({ length: 1_000 }, () => summary), next: null }),
    sessionMessages: () => ask({ items: [answer], next: null }),
    deadMessages: () => ask({ items: [answer], next: null }),
    settledMessages: () => ask({ items: [answer], more: false, next: null }),
    deltas: () => ask({ items: [{ position: 1, attempt: 1, text: answer.text }], more: false }),
  };
  const answerAll = () => {
    for (const resolve of asked.splice(0)) resolve();
  };
  return { store, asked, answerAll };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Counts the reads that have come back, turn by turn, until all have. */
async function progressOf(reads: readonly Promise<unknown>[], answerAll: () => void): Promise<number[]> {
  let done = 0;
  for (const read of reads) void read.then(() => done++);
  const progress: number[] = [];
  while (done < reads.length) {
    answerAll();
    const before = done;
    await nextTurn();
    progress.push(done - before);
  }
  return progress;
}

test.each(['message', 'sessions', 'sessionMessages', 'deadMessages', 'settledMessages'] as const)(
  'large texts come one in a turn of the event loop: %s',
  async (name) => {
    const { store, answerAll } = storeOf(message(100_000));
    const paced = pacedReads(store);
    const read: () => Promise<unknown> = {
      message: () => paced.message('id'),
      sessions: () => paced.sessions({ limit: 1_000, after: null }),
      sessionMessages: () => paced.sessionMessages('a', { limit: 1, after: null }),
      deadMessages: () => paced.deadMessages({ limit: 1, after: null }),
      settledMessages: () => paced.settledMessages('a', 0, 1),
    }[name];
    const progress = await progressOf(Array.from({ length: 10 }, read), answerAll);
    expect(Math.max(...progress)).toBe(1);
  },
);

test('small ones come as they are answered, and so many are asked for at once', async () => {
  const { store, asked, answerAll } = storeOf(message(10));
  const paced = pacedReads(store);
  const messages = Array.from({ length: 100 }, () => paced.message('id'));
  expect(asked.length).toBe(32);
  expect(Math.max(...(await progressOf(messages, answerAll)))).toBe(32);
  const pages = Array.from({ length: 100 }, () => paced.settledMessages('a', 0, 1));
  expect(asked.length).toBe(8);
  expect(Math.max(...(await progressOf(pages, answerAll)))).toBe(8);
});

test('one that fails lets the next one through', async () => {
  const failing = { ...storeOf(message(1)).store, message: () => Promise.reject(new Error('no disk')) };
  const paced = pacedReads(failing);
  const reads = Array.from({ length: 100 }, () => paced.message('id'));
  const outcomes = await Promise.allSettled(reads);
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
});
