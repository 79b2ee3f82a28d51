import fc from 'fast-check';

/** No UTF-8, ends of lines, NUL, and the byte order mark. */
const strange = [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x0a], [0x0d], [0], [0xef, 0xbb, 0xbf]] as const;

/** The bytes of a text as they are, cut off somewhere, or with some put in between. */
export function nearBytes(text: string): fc.Arbitrary<Buffer<ArrayBuffer>> {
  const good = Buffer.from(text);
  const at = fc.nat({ max: good.length });
  const between = fc
    .tuple(at, fc.constantFrom(...strange))
    .map(([place, put]) => Buffer.concat([good.subarray(0, place), Buffer.from(put), good.subarray(place)]));
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(null).map(() => shown(Buffer.from(text))) },
    { weight: 1, arbitrary: at.map((end) => shown(good.subarray(0, end))) },
    { weight: 1, arbitrary: between.map(shown) },
  );
}

/** The same bytes, which are text where a counterexample is told. */
export function shown<Bytes extends Buffer>(bytes: Bytes): Bytes {
  return Object.assign(bytes, { [fc.toStringMethod]: () => JSON.stringify(bytes.toString('latin1')) });
}
