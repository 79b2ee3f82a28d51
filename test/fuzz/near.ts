import fc from 'fast-check';

/** Text that is nearly right: a good one with some of it cut out, doubled, or replaced. */
export function near(...good: readonly string[]): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat({ max: 200 }),
    cut: fc.nat({ max: 6 }),
    put: fc.oneof(
      fc.string({ maxLength: 4 }),
      fc.constantFrom('"', "'", '\\', '\n', '\0', '=', '-', '9', '%', '/'),
    ),
  });
  return fc.tuple(fc.constantFrom(...good), fc.array(change, { maxLength: 4 })).map(([text, changes]) =>
    changes.reduce((now, { at, cut, put }) => {
      const from = at % (now.length + 1);
      return now.slice(0, from) + put + now.slice(from + cut);
    }, text),
  );
}
