import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { EventStreams } from '../../src/channels/http/event-streams.js';
import type { Message } from '../../src/store/store.js';

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
    seq,
    acceptedAt: 0,
    changedAt: 0,
    reply: null,
    delivery: null,
    collectedIn: null,
  }) as unknown as Message;

test('a client that is waited for again and again is listened to once at a time', async () => {
  const count = 50;
  const response = new SlowResponse();
  const streams = new EventStreams({
    store: {
      settledMessages: async (_session, after) => {
        if (after === count) streams.end();
        return after === count ? { items: [], more: false } : { items: [message(after + 1)], more: true };
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
