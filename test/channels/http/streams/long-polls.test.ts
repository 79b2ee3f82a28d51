import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LongPolls } from '../../../../src/channels/http/streams/long-polls.js';
import { MessageEvents } from '../../../../src/gateway/events.js';
import type { Message } from '../../../../src/store/messages.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('who waits for a message that is part of the turn of another hears of the end of that', async () => {
  let state = 'running';
  const events = new MessageEvents();
  const message = () =>
    Promise.resolve({ state: 'collected', collectedIn: { id: 'turn', state } } as unknown as Message);
  const polls = new LongPolls({ message }, events);
  const poll = polls.read('part', 60_000, new EventEmitter() as unknown as ServerResponse);
  await vi.advanceTimersByTimeAsync(100);
  expect(polls.count).toBe(1);
  state = 'cancelled';
  events.emit('turn', 'a');
  expect((await poll)?.collectedIn).toEqual({ id: 'turn', state: 'cancelled' });
  expect(polls.count).toBe(0);
});
