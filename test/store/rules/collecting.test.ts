import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Collectable, countParts } from '../../../src/store/rules/collecting.js';

const message: Collectable = {
  text: 'x',
  hasBegun: false,
  target: 'there',
  generation: 1,
};
const behind = fc.array(
  fc.record<Collectable>({
    text: fc.constantFrom('', 'x', 'x'.repeat(400_000)),
    hasBegun: fc.boolean(),
    target: fc.constantFrom('there', 'there', 'elsewhere'),
    generation: fc.constantFrom(1, 1, 2),
  }),
  { maxLength: 6 },
);

test('a turn is made of messages that never began and are answered to the same place, and is no longer than 1 MiB', () => {
  fc.assert(
    fc.property(behind, (waiting) => {
      const count = countParts(message, waiting);
      const fits = (parts: readonly Collectable[]) =>
        parts.every(
          (part) =>
            !part.hasBegun && part.target === message.target && part.generation === message.generation,
        ) && parts.reduce((length, { text }) => length + text.length, message.text.length) <= 1_048_576;
      expect(fits(waiting.slice(0, count))).toBe(true);
      if (count < waiting.length) expect(fits(waiting.slice(0, count + 1))).toBe(false);
    }),
  );
});

test('one that has begun stays made of what it was, and nothing behind it is read', () => {
  function* unread(): Generator<Collectable> {
    yield expect.fail('it was read');
  }
  expect(countParts({ ...message, hasBegun: true }, unread())).toBe(0);
});
