import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { EventStreams } from '../../../../src/channels/http/streams/event-streams.js';
import type { MessageChange } from '../../../../src/channels/surroundings.js';
import { newId } from '../../../../src/store/ids.js';
import type { Message } from '../../../../src/store/messages.js';

/** Takes each write, and says after it that it is to be waited for. */
class SlowResponse extends EventEmitter {
  readonly closed = false;
  readonly destroyed = false;
  writes = 0;
  mostListeners = 0;

  writeHead(): void {}

  write(): boolean {
    this.writes += 1;
    setImmediate(() => {
      const counts = ['drain', 'close', 'error'].map((event) => this.listenerCount(event));
      this.mostListeners = Math.max(this.mostListeners, ...counts);
      this.emit('drain');
    });
    return false;
  }

  end(): void {}
}

const message = (seq: number) =>
  ({
    id: newId(),
    seq,
    acceptedAt: 0,
    changedAt: 0,
    reply: null,
    delivery: null,
    collectedIn: null,
  }) as unknown as Message;

const longMessage = (seq: number) => ({ ...message(seq), text: 'x'.repeat(200_000) });

/** Takes everything, and has room for it when it is told so. */
class DeafResponse extends EventEmitter {
  readonly closed = false;
  readonly destroyed = false;
  readonly written: string[] = [];
  writableNeedDrain = false;

  writeHead(): void {}

  write(text: string): boolean {
    this.written.push(text);
    this.writableNeedDrain ||= text.length > 100_000;
    return !this.writableNeedDrain;
  }

  end(): void {}

  drain(): void {
    this.writableNeedDrain = false;
    this.emit('drain');
  }
}

const noText = {
  deltas: async () => ({ items: [], more: false }),
  message: async () => null,
};

test('for a client that does not read nothing is written, and no page is kept', async () => {
  const asked: number[] = [];
  let tell: (change: MessageChange) => void = () => undefined;
  const response = new DeafResponse();
  const streams = new EventStreams({
    store: {
      ...noText,
      settledMessages: async (_session, after) => {
        asked.push(after);
        if (after >= 4) return { items: [], more: false, next: null };
        return { items: [longMessage(after + 1), longMessage(after + 2)], more: true, next: null };
      },
    },
    changes: {
      subscribeSession: (_session, listener) => {
        tell = listener;
        return () => undefined;
      },
    },
    log: { err: (message) => expect.unreachable(message) },
  });
  const served = streams.serve('a', 0, response as unknown as ServerResponse);
  const seqs = () => response.written.flatMap((text) => /^id: (\d+)\.\d+\nevent/.exec(text)?.[1] ?? []);
  await vi.waitFor(() => expect(seqs()).toEqual(['1']));
  for (let index = 0; index < 1_000; index++) tell({ messageId: `id-${index}`, state: 'running' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(response.written.length).toBe(2);
  expect(asked).toEqual([0]);
  response.drain();
  await vi.waitFor(() => expect(seqs()).toEqual(['1', '2']));
  // The page of two was let go.
  expect(asked).toEqual([0, 1]);
  for (const last of ['3', '4']) {
    response.drain();
    await vi.waitFor(() => expect(seqs().at(-1)).toBe(last));
  }
  response.drain();
  streams.end();
  await served;
  expect(seqs()).toEqual(['1', '2', '3', '4']);
});

test('a client that reads late has held little memory, and misses nothing', async () => {
  const count = 200;
  const streams = new EventStreams({
    store: {
      ...noText,
      settledMessages: async (_session, after) => ({
        items: Array.from({ length: Math.min(5, count - after) }, (_, index) =>
          longMessage(after + index + 1),
        ),
        more: after + 5 < count,
        next: null,
      }),
    },
    changes: { subscribeSession: () => () => undefined },
    log: { err: (message) => expect.unreachable(message) },
  });
  const responses: ServerResponse[] = [];
  const server = createServer((_request, response) => {
    responses.push(response);
    void streams.serve('a', 0, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const client = connect({ host: '127.0.0.1', port: typeof address === 'object' ? (address?.port ?? 0) : 0 });
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await vi.waitFor(() => expect(responses[0]?.writableNeedDrain).toBe(true));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(responses[0]?.writableNeedDrain).toBe(true);
  // The rest of one event.
  expect(responses[0]?.writableLength).toBeLessThan(300_000);
  let text = '';
  client.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk.replaceAll('x', '');
  });
  await vi.waitFor(() => expect(text).toContain(`id: ${count}.`), 10_000);
  const seqs = [...text.matchAll(/^id: (\d+)\.\d+\nevent: message$/gm)].map(([, seq]) => Number(seq));
  expect(seqs).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  streams.end();
  client.destroy();
  server.close();
});

test('a client that is waited for again and again is listened to once at a time', async () => {
  const count = 50;
  const response = new SlowResponse();
  const streams = new EventStreams({
    store: {
      ...noText,
      settledMessages: async (_session, after) => {
        if (after === count) streams.end();
        return after === count
          ? { items: [], more: false, next: null }
          : { items: [message(after + 1)], more: true, next: null };
      },
    },
    changes: { subscribeSession: () => () => undefined },
    log: { err: (message) => expect.unreachable(message) },
  });
  await streams.serve('a', 0, response as unknown as ServerResponse);
  expect(response.writes).toBe(count + 1);
  // One that waits for what it waits for, and one for the end of the stream.
  expect(response.mostListeners).toBeLessThanOrEqual(2);
});

/** A stream of one session whose store answers when it is told to. */
function followed() {
  const reads: ((settled: readonly Message[]) => void)[] = [];
  let tell: (change: MessageChange) => void = () => undefined;
  const response = new DeafResponse();
  const streams = new EventStreams({
    store: {
      ...noText,
      settledMessages: () =>
        new Promise((resolve) => {
          reads.push((items) => resolve({ items, more: false, next: null }));
        }),
    },
    changes: {
      subscribeSession: (_session, listener) => {
        tell = listener;
        return () => undefined;
      },
    },
    log: { err: (text) => expect.unreachable(text) },
  });
  onTestFinished(() => streams.end());
  void streams.serve('a', 0, response as unknown as ServerResponse);
  const { id, ...rest } = message(1);
  return {
    ended: { id, ...rest } as Message,
    tell: (change: Pick<MessageChange, 'state' | 'progress'>) => tell({ messageId: id, ...change }),
    /** Answers the read that waits, and gives how many there were. */
    answer: async (...settled: readonly Message[]) => {
      reads.at(-1)?.(settled);
      await new Promise((resolve) => setImmediate(resolve));
      return reads.length;
    },
    sent: () => response.written.filter((text) => text.includes('event: message')).length,
  };
}

const ends = { state: null, progress: { type: 'ends' } } as const;

test('a reply is read together with its write, and only once', async () => {
  const { answer, ended, sent, tell } = followed();
  expect(await answer()).toBe(1);
  tell(ends);
  // The store answers both: the write first.
  await new Promise((resolve) => setImmediate(resolve));
  tell({ state: 'replied' });
  expect(await answer(ended)).toBe(2);
  expect(sent()).toBe(1);
  // Of a further message it is told as ever.
  tell({ state: 'replied' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(await answer()).toBe(3);
});

test.each([
  ['before the write is done', [ends, { state: 'replied' }]],
  ['while the write ends', [ends]],
] as const)('a reply that was read too early, %s, is read again', async (_, changes) => {
  const { answer, ended, sent, tell } = followed();
  expect(await answer()).toBe(1);
  for (const change of changes) tell(change);
  await new Promise((resolve) => setImmediate(resolve));
  const reads = await answer();
  if (changes.length === 1) tell({ state: 'replied' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(await answer(ended)).toBe(reads + (changes.length === 1 ? 1 : 0));
  expect(sent()).toBe(1);
});
