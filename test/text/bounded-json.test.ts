import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CostlyJsonError, parseJson } from '../../src/text/bounded-json.js';

/** The same, as slow as it is plain. */
const outside = (json: string) => json.replace(/"(?:\\.|[^"\\])*"/gs, '""').length;

describe('JSON from outside', () => {
  test('any value whose text is within the limit is read', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(parseJson(json, outside(json))).toStrictEqual(JSON.parse(json));
      }),
    );
  });

  test('any value with one character more outside its strings is refused', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const most = outside(json) - 1;
        fc.pre(json.length > most);
        expect(() => parseJson(json, most)).toThrow(CostlyJsonError);
      }),
    );
  });

  test.each([
    ['a long text', `{"text":${JSON.stringify('a,[{:'.repeat(1_000))}}`],
    ['quotation marks in a text', `{"text":${JSON.stringify('\\"'.repeat(1_000))}}`],
    ['a text that ends with backslashes', `{"text":${JSON.stringify('x'.repeat(1_000) + '\\'.repeat(7))}}`],
  ])('%s is read, however long it is', (_name, json) => {
    expect(parseJson(json, 16)).toStrictEqual(JSON.parse(json));
  });

  test.each([
    ['numbers', `[${'1,'.repeat(600_000)}1]`],
    ['empty arrays', `[${'[],'.repeat(400_000)}1]`],
    ['empty texts', `[${'"",'.repeat(400_000)}1]`],
    ['arrays in each other', '['.repeat(1_100_000)],
    ['spaces', `${' '.repeat(1_100_000)}1`],
  ])('%s of more than 1 MiB are refused', (_name, json) => {
    expect(() => parseJson(json)).toThrow(
      new CostlyJsonError('the JSON has more than 1048576 characters outside its strings'),
    );
  });

  test.each([
    ['arrays', '[', ']'],
    ['objects', '{"[":', '}'],
  ])('%s in each other are read up to 1500 levels', (_name, begin, end) => {
    const nested = (levels: number) => `${begin.repeat(levels)}0${end.repeat(levels)}`;
    expect(JSON.stringify(parseJson(nested(1_500)))).toBe(nested(1_500));
    expect(() => parseJson(nested(1_501))).toThrow(
      new CostlyJsonError('the JSON is nested deeper than 1500'),
    );
    expect(parseJson(`[${`${nested(100)},`.repeat(100)}0]`)).toHaveLength(101);
  });

  test.each(['{"text":"no end', '"\\', '"', '', '{"a":1'])('what is no JSON is told as that: %j', (json) => {
    expect(() => parseJson(json)).toThrow(SyntaxError);
  });
});
