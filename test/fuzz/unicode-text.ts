import fc from 'fast-check';

const firstSurrogate = 0xd800;
const surrogates = 0x800;

/**
 * Each code point that UTF-8 can carry. The unit "binary" of fast-check is the same, but makes a table of a million texts
 * at its first use, which takes a second.
 */
const codePoint = fc.nat({ max: 0x10ffff - surrogates }).map(
  (index) => String.fromCodePoint(index < firstSurrogate ? index : index + surrogates),
  (text) => {
    const [point = -1, ...others] =
      typeof text === 'string' ? [...text].map((one) => one.codePointAt(0)) : [];
    const isSurrogate = point >= firstSurrogate && point < firstSurrogate + surrogates;
    if (point < 0 || isSurrogate || others.length > 0) throw new Error('This is no code point.');
    return point < firstSurrogate ? point : point - surrogates;
  },
);

/** Any text that UTF-8 can carry. */
export function unicodeText(constraints: { readonly maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.string({ unit: codePoint, ...constraints });
}
