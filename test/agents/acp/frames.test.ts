import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameSplitter } from '../../../src/agents/acp/frames.js';

describe('lines of an agent', () => {
  test('are whole however they are cut', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' ')));
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 7 }), (lines, size) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const splitter = new FrameSplitter();
        const found: string[] = [];
        for (let at = 0; at < bytes.length; at += size)
          found.push(...splitter.push(bytes.subarray(at, at + size)));
        expect(found).toEqual(lines.map((line) => Buffer.from(line).toString('utf8')));
      }),
    );
  });

  test('have a limit, which counts neither the line feed nor the lines before', () => {
    const splitter = new FrameSplitter(4);
    expect(splitter.push(Buffer.from('abcd\nab'))).toEqual(['abcd']);
    expect(splitter.push(Buffer.from('cd\n'))).toEqual(['abcd']);
    expect(() => splitter.push(Buffer.from('abcde\n'))).toThrow(RangeError);
    splitter.push(Buffer.from('abc'));
    expect(() => splitter.push(Buffer.from('de'))).toThrow('a line is longer than 4 bytes');
  });
});
