import fc from 'fast-check';
import { repeatedKeys, settings } from '../../src/config/settings.js';
import { near } from '../fuzz/near.js';

/** A value as it is written, which a setting may have or not. */
export const tomlValue = fc.constantFrom(
  '1',
  '"5min"',
  '"256K"',
  'true',
  '[]',
  '["127.0.0.0/8", "fe80::/10"]',
  '"[::1]:0"',
  '"command"',
  "'/srv/x'",
  '0.5',
  'inf',
  '-nan',
  '1e400',
  '9223372036854775807',
  '0xffffffffffffffffffff',
  '1979-05-27T07:32:00Z',
  '{}',
  '{ drain = 1, __proto__ = 2 }',
  '{ a.b = 1, a.c = { d = [{ e = 2 }] } }',
  '[[1], [{ a = 1 }]]',
  `${'['.repeat(120)}${']'.repeat(120)}`,
  `${'{ a = '.repeat(50)}1${' }'.repeat(50)}`,
  '"\\u0000"',
  '"\\ud800"',
  '"""\n\n"""',
  '"1 constructor"',
  '"fe80::1%eth0/64"',
);

const strangeKeys = [
  'x',
  '""',
  '"a.b"',
  '__proto__',
  'constructor',
  'toString',
  'stop.__proto__',
  '__proto__.x',
];

const key = fc.constantFrom(
  ...strangeKeys,
  ...[...settings, ...repeatedKeys()].flatMap(({ path }) => [
    path.join('.').replace('NAME', 'fast'),
    path.at(-1) ?? '',
    path.at(-1) ?? '',
  ]),
);
const table = fc.constantFrom(
  ...strangeKeys,
  ...settings.flatMap(({ path }) => path.slice(0, -1)),
  'agents.fast',
  'agents.default',
  'channels.x',
  'route',
);

const line = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(key, tomlValue).map((parts) => parts.join(' = ')) },
  { weight: 1, arbitrary: table.map((name) => `[${name}]`) },
  { weight: 1, arbitrary: table.map((name) => `[[${name}]]`) },
);

/** A configuration file that is right or nearly so. */
export const nearToml: fc.Arbitrary<string> = fc.oneof(
  fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n')),
  near(
    '[stop]\ndrain = "1min 30s"\n[agent]\ntype = "command"\ncommand = [\n  "/bin/cat",\n]\n',
    'a.b = 1\n[[c.d]]\ne = { f = [1, 2] }\n[c.d.g]\n[[c.d]]\n"h" = 1979-05-27\n',
  ),
);
