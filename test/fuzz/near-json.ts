import fc from 'fast-check';

/** Values as they are written, by their kind; some as no JSON.stringify writes them. */
const strange = {
  string: [
    '""',
    '" x "',
    '"abc"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\u2028\u2029"',
    '"\\u0022"',
    '"https://x/\\ud800"',
  ],
  number: ['0', '-0', '-1', '1.5', '1e3', '9007199254740991', '9007199254740992', '1e308', '1e400'],
  object: [
    '{}',
    '{"a": 1, "a": {"b": -0}}',
    '{"toString": null}',
    '{"a": "\\u0000", "\\udc00": "\\ud800"}',
    '{"a": [1e400]}',
    '{"__proto__": 1}',
    '{"constructor": {"prototype": 1}}',
    `{"a":${'['.repeat(20)}${']'.repeat(20)}}`,
    `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
  ],
  array: ['[]', '[1]', '[null, [{}]]'],
  other: ['null', 'true', 'false'],
} as const;

type Kind = keyof typeof strange;

const strangeNames = ['x', '', '__proto__', 'constructor', 'type', 'text', '\0', '\ud800', '\u2028'] as const;

/** A value within another. */
interface Place {
  /** Names and indices behind slashes. */
  readonly path: string;
  readonly kind: Kind;
}

interface Change {
  readonly path: string;
  readonly what: 'replace' | 'leave out' | 'add';
  /** The name of the member that is added, which may be there already. */
  readonly name: string;
  readonly written: string;
}

/**
 * The text of JSON that is nearly right: of a good value, with some within it replaced, mostly by such of the same kind,
 * left out, added, or there twice.
 */
export function nearJson(...good: readonly unknown[]): fc.Arbitrary<string> {
  return fc.constantFrom(...good).chain((value) => {
    const places = placesIn(value, '');
    const names = places.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
    const change = fc.constantFrom(...places).chain(({ path, kind }) =>
      fc.record<Change>({
        path: fc.constant(path),
        what: fc.constantFrom('replace', 'replace', 'replace', 'add', 'add', 'leave out'),
        name: fc.constantFrom(...strangeNames, ...names),
        written: fc.oneof(
          { weight: 3, arbitrary: fc.constantFrom(...strange[kind]) },
          { weight: 1, arbitrary: fc.constantFrom(...Object.values(strange).flat()) },
        ),
      }),
    );
    return fc.array(change, { maxLength: 2 }).map((changes) => write(value, '', changes));
  });
}

/** The value itself, and all within it. */
function placesIn(value: unknown, path: string): Place[] {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return [
    { path, kind: kindOf(value) },
    ...inner.flatMap(([name, item]) => placesIn(item, `${path}/${name}`)),
  ];
}

function kindOf(value: unknown): Kind {
  if (Array.isArray(value)) return 'array';
  if (value === null || typeof value === 'boolean') return 'other';
  return typeof value as 'string' | 'number' | 'object';
}

function write(value: unknown, path: string, changes: readonly Change[]): string {
  const here = changes.filter((change) => change.path === path);
  const replaced = here.find(({ what }) => what === 'replace');
  if (replaced !== undefined) return replaced.written;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const isLeftOut = (name: string) =>
    changes.some((change) => change.path === `${path}/${name}` && change.what === 'leave out');
  const kept = Object.entries(value)
    .filter(([name]) => !isLeftOut(name))
    .map(([name, item]) => ({ name, written: write(item, `${path}/${name}`, changes) }));
  const items = [...kept, ...here.filter(({ what }) => what === 'add')];
  if (Array.isArray(value)) return `[${items.map(({ written }) => written).join(',')}]`;
  return `{${items.map(({ name, written }) => `${JSON.stringify(name)}:${written}`).join(',')}}`;
}
