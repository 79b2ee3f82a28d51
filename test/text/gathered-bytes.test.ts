import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatheredBytes, gatheredFrom } from '../../src/text/gathered-bytes.js';

const chunks = fc.array(
  fc.oneof(fc.uint8Array({ maxLength: 5 }), fc.uint8Array({ minLength: 4_000, maxLength: 9_000 })),
  { maxLength: 40 },
);

describe('gathered bytes', () => {
  test('are those that came, in their order, each time anew', () => {
    fc.assert(
      fc.property(chunks, chunks, (first, second) => {
        const gathered = new GatheredBytes();
        for (const all of [first, second]) {
          for (const chunk of all) gathered.add(chunk);
          const expected = Buffer.concat(all);
          expect(gathered.sizeBytes).toBe(expected.length);
          expect(gathered.take().equals(expected)).toBe(true);
          expect(gathered.sizeBytes).toBe(0);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('take about the memory of their content, however small the chunks are', () => {
    const gathered = new GatheredBytes();
    const before = process.memoryUsage();
    for (let count = 0; count < 500_000; count += 1) gathered.add(Buffer.from([count]));
    globalThis.gc?.();
    const after = process.memoryUsage();
    const grownBytes = after.heapUsed + after.external - before.heapUsed - before.external;
    expect(gathered.sizeBytes).toBe(500_000);
    // Each in a Buffer of its own they took 60 MB and more.
    expect(grownBytes).toBeLessThan(20_000_000);
  });
});

test.each([
  [['ab', 'c'], 3, 'abc'],
  [['ab', 'cd'], 3, null],
  [[], 0, ''],
])('bytes of %j, at most %i', async (chunks, limitBytes, expected) => {
  async function* source() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  expect((await gatheredFrom(source(), limitBytes))?.toString() ?? null).toBe(expected);
});
