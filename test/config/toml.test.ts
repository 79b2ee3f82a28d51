import fc from 'fast-check';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import { expect, test } from 'vitest';
import { readToml, TomlSyntaxError } from '../../src/config/toml.js';
import { nearToml } from './near-toml.js';

/** As the parser itself puts the values together, which takes "__proto__" for the prototype of all. */
function valuesOf(text: string): unknown {
  try {
    return getStaticTOMLValue(parseTOML(text));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

const read = (text: string): unknown => {
  try {
    return readToml(text).values;
  } catch (error) {
    expect(error).toBeInstanceOf(TomlSyntaxError);
    return null;
  }
};

test('a document has the values that it names, in the tables that it names', () => {
  const text = nearToml.filter((written) => !/__proto__|\[{120}/.test(written));
  fc.assert(
    fc.property(text, (written) => {
      expect(read(written)).toEqual(valuesOf(written));
    }),
    { numRuns: 1_000 },
  );
});

test('a key may have any name', () => {
  const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', ''));
  const path = fc.array(name, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(path, fc.nat(), (names, number) => {
      const quoted = names.map((part) => JSON.stringify(part).replaceAll('\x7f', '\\u007f'));
      const { values, positionOf } = readToml(`\n${quoted.join('.')} = ${number}`);
      const found = names.reduce<unknown>((table, part) => {
        expect(Object.keys(table as object)).toEqual([part]);
        return (table as Record<string, unknown>)[part];
      }, values);
      expect(found).toBe(number);
      expect(positionOf(names)).toEqual({ line: 2, column: 1 });
    }),
  );
});

test.each([
  ['listen = 127.0.0.1:8733', '1:15: this can’t follow on the same line; a text belongs in quotes'],
  ['drain = 30s', '1:11: this can’t follow on the same line; a text belongs in quotes'],
  ['type = command', '1:8: this can’t stand here; a text belongs in quotes'],
  ['listen "x"', '1:8: a "=" is missing behind the key'],
  ['a = "x', '1:7: a text has no end; close its quotes'],
  ['a = ["b" "c"]', '1:10: a comma is missing between two values'],
  ['a = ["b"', '1:9: a list has no end; close it with "]"'],
  ['[http', '1:6: the heading of a table has no end; close it with "]"'],
  ['[http]\n[http]', '2:2: this key or table is there twice; keep one of them'],
  [
    'path = "C:\\d"',
    '1:12: a "\\" begins an escape that there is none of; write "\\\\", or put the text in single quotes',
  ],
])('the mistake in %j is told in plain words', (text, expected) => {
  let told = '';
  try {
    readToml(text);
  } catch (error) {
    if (!(error instanceof TomlSyntaxError)) throw error;
    told = `${error.position?.line}:${error.position?.column}: ${error.message}`;
  }
  expect(told).toBe(expected);
});
