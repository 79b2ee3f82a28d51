import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteLines } from '../../src/text/byte-lines.js';

describe('lines of bytes', () => {
  const limit = 20;
  /** Cuts the bytes wherever the numbers say. */
  function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
    const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
    return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
  }

  test('are the same, however they come in pieces, and a long one takes none with it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll('\n', ' '))),
        fc.array(fc.nat()),
        (texts, cuts) => {
          const lines = new ByteLines(limit);
          const whole = Buffer.from(texts.map((text) => `${text}\n`).join(''));
          const found = pieces(whole, cuts).flatMap((piece) => lines.push(piece));
          const wanted = texts.map((text) =>
            Buffer.byteLength(text) > limit ? { text: null, sizeBytes: Buffer.byteLength(text) } : { text },
          );
          expect(found).toEqual(wanted);
        },
      ),
    );
  });

  test('hold no more than one, though a line never ends', () => {
    const lines = new ByteLines(limit);
    for (let count = 0; count < 100; count += 1) expect(lines.push(Buffer.alloc(1_000, 'x'))).toEqual([]);
    expect(lines.push(Buffer.from('x\n{}\n'))).toEqual([{ text: null, sizeBytes: 100_001 }, { text: '{}' }]);
  });

  test('tell before it ends that a line is too long', () => {
    const lines = new ByteLines(4);
    expect(lines.push(Buffer.from('abcd\nabcd'))).toEqual([{ text: 'abcd' }]);
    expect(lines.isTooLong).toBe(false);
    lines.push(Buffer.from('e'));
    expect(lines.isTooLong).toBe(true);
    expect(lines.push(Buffer.from('\nab\n'))).toEqual([{ text: null, sizeBytes: 5 }, { text: 'ab' }]);
    expect(lines.isTooLong).toBe(false);
  });
});
