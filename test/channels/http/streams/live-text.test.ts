import { expect, test } from 'vitest';
import { LiveText } from '../../../../src/channels/http/streams/live-text.js';
import type { Deltas } from '../../../../src/store/turns.js';

/** @param stored pieces that are in the store */
function textOf(stored: string[], { hasBegun }: { readonly hasBegun: boolean }) {
  const written: string[] = [];
  let takesMore = true;
  let beforeRead = (): void => undefined;
  const text = new LiveText({
    messageId: 'm',
    hasBegun,
    read: async (after, limit): Promise<Deltas> => {
      const behind = stored
        .map((each, index) => ({ position: index + 1, attempt: 1, text: each }))
        .slice(after);
      beforeRead();
      return { items: behind.slice(0, limit), more: behind.length > limit };
    },
    write: (event) => {
      const [, name, data] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(event) ?? [];
      const { position, text: piece = '' } = JSON.parse(data ?? '{}');
      written.push(`${name} ${position} ${piece}`.trim());
      return takesMore;
    },
    takesMore: () => takesMore,
  });
  return {
    text,
    written,
    take: (now: boolean) => {
      takesMore = now;
    },
    whileReading: (callback: () => void) => {
      beforeRead = callback;
    },
  };
}

test('pieces come as they are written', async () => {
  const { text, written } = textOf([], { hasBegun: false });
  text.live({ position: 1, text: 'one' });
  text.live({ position: 2, text: 'two' });
  text.live({ position: 2, text: 'two' });
  expect(written).toEqual(['delta 1 one', 'delta 2 two']);
  expect(text.isBehind).toBe(false);
});

test('a client that comes in the middle gets what is stored, then what is live, without a gap', async () => {
  const { text, written, whileReading } = textOf(['one', 'two'], { hasBegun: true });
  text.live({ position: 3, text: 'three' });
  whileReading(() => text.live({ position: 4, text: 'four' }));
  expect(await text.catchUp()).toBe(false);
  text.live({ position: 5, text: 'five' });
  expect(written).toEqual(['delta 1 one', 'delta 2 two', 'delta 3 three', 'delta 4 four', 'delta 5 five']);
});

test('an empty piece says that the turn runs again', async () => {
  const { text, written } = textOf(['one', '', 'again'], { hasBegun: true });
  await text.catchUp();
  expect(written).toEqual(['delta 1 one', 'restart 2', 'delta 3 again']);
});

test('a client that does not read costs nothing, and gets the rest from the store', async () => {
  const stored: string[] = [];
  const { text, written, take } = textOf(stored, { hasBegun: false });
  text.live({ position: 1, text: 'piece 1' });
  take(false);
  for (let position = 2; position <= 100; position++) text.live({ position, text: `piece ${position}` });
  expect(written).toHaveLength(1);
  take(true);
  // It is not in the store yet: there is nothing to send, and it is known that there will be.
  expect(await text.catchUp()).toBe(false);
  expect(text.isBehind).toBe(true);
  for (let position = 1; position <= 100; position++) stored.push(`piece ${position}`);
  while (await text.catchUp());
  expect(text.isBehind).toBe(false);
  expect(written).toEqual(stored.map((piece, index) => `delta ${index + 1} ${piece}`));
});
