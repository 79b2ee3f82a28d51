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
