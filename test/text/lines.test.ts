import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ArchiveItem, formatArchive, parseArchive } from '../../src/store/archive.js';
import { EncodingError, LineSplitter, linesOf } from '../../src/text/lines.js';

async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('lines', () => {
  test('end at line feeds alone, wherever the chunks do', async () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'ü', '🦀', '\r', '\u0085', '\u2028', '\u2029') });
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.integer({ min: 1, max: 20 }), async (lines, size) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        expect(await all(linesOf(chunksOf(bytes, size)))).toEqual(lines);
      }),
    );
  });

  test('are read to the end, with or without a line feed there', async () => {
    const read = (text: string) => all(linesOf(chunksOf(Buffer.from(text), 2)));
    expect(await read('')).toEqual([]);
    expect(await read('\n\n')).toEqual(['', '']);
    expect(await read('a\nbcd')).toEqual(['a', 'bcd']);
  });

  test('are UTF-8, or have U+FFFD in place of it, or are refused by their number', async () => {
    const piece = fc.constantFrom(
      [0x61],
      [0x0a],
      [0xc3, 0xbc],
      [0xc3],
      [0xff],
      [0xed, 0xa0, 0x80],
      [0xef, 0xbb, 0xbf],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece), fc.integer({ min: 1, max: 5 }), async (pieces, size) => {
        const bytes = Buffer.from(pieces.flat());
        const text = bytes.toString().replace(/^\ufeff/, '');
        const lines = text.replace(/\n$/, '').split('\n');
        expect(await all(linesOf(chunksOf(bytes, size)))).toEqual(bytes.length === 0 ? [] : lines);
        const wrong = lines.findIndex((line) => line.includes('\ufffd'));
        const strict = await all(linesOf(chunksOf(bytes, size), { fatal: true })).catch((error) => error);
        if (wrong === -1) expect(strict).toEqual(bytes.length === 0 ? [] : lines);
        else expect(strict).toEqual(new EncodingError(wrong + 1, {}));
      }),
    );
  });
});

describe('an archive with U+2028 and U+2029 in its texts', () => {
  const session: ArchiveItem = {
    type: 'session',
    session: 'line\u2028paragraph\u2029',
    last_seq: 0,
    last_accepted_at: 0,
    policy: null,
    agent: null,
    generation: 1,
    first_seq: 1,
  };
  const written = [...formatArchive([session], 0)].join('');

  test('has them escaped, as others take them for ends of lines', () => {
    expect(written).not.toMatch(/[\u2028\u2029]/);
    expect(written).toContain('line\\u2028paragraph\\u2029');
  });

  test.each([
    ['as it is written', written],
    ['with line feeds as Windows has them', written.replaceAll('\n', '\r\n')],
    [
      'as another program may write it',
      written.replaceAll('\\u2028', '\u2028').replaceAll('\\u2029', '\u2029'),
    ],
  ])('is read %s', async (_what, text) => {
    expect(await all(parseArchive(linesOf(chunksOf(Buffer.from(text), 7))))).toEqual([session]);
  });
});

describe('lines of a protocol', () => {
  test('end at line feeds, wherever the chunks do', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'ü', '', '\n', 'b\nc', '\n\n'), { maxLength: 50 }),
        (chunks) => {
          const splitter = new LineSplitter(1_000);
          const lines = chunks.flatMap((chunk) => splitter.push(chunk));
          expect([...lines, ...splitter.push('\n')]).toEqual(chunks.join('').split('\n'));
        },
      ),
    );
  });

  // To look at all of the line for each character would take hours.
  test('may come character by character', () => {
    const splitter = new LineSplitter(3_000_000);
    const counts = new Set<number>();
    for (let at = 0; at < 3_000_000; at += 1) counts.add(splitter.push('x').length);
    expect([...counts]).toEqual([0]);
    expect(splitter.push('\n').map(({ length }) => length)).toEqual([3_000_000]);
  });

  test('are no longer than the limit', () => {
    const splitter = new LineSplitter(3);
    expect(splitter.push('abc\nab')).toEqual(['abc']);
    expect(splitter.push('c')).toEqual([]);
    expect(() => splitter.push('d')).toThrow(RangeError);
  });
});
