import { expect, test } from 'vitest';
import { MessageEvents } from '../../src/gateway/events.js';

test('a turn is watched by who follows its session or waits for one of its messages, until that ends', () => {
  const events = new MessageEvents();
  const isWatched = () => events.isWatched('a', ['1', '2']);
  expect(isWatched()).toBe(false);
  const ends = [
    events.subscribe('2', () => undefined),
    events.subscribeSession('a', () => undefined),
    events.subscribeSession('a', () => undefined),
  ];
  for (const end of ends) {
    expect(isWatched()).toBe(true);
    end();
  }
  expect(isWatched()).toBe(false);
  events.subscribe('3', () => undefined);
  events.subscribeSession('b', () => undefined);
  expect(isWatched()).toBe(false);
});
