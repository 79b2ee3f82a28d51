import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { jsonFor, printable, shellWord, textFor } from '../../src/cli/terminal.js';

const terminal = { isTTY: true } as NodeJS.WriteStream;
const pipe = { isTTY: false } as NodeJS.WriteStream;
const hostile = 'a\u001b]0;taken over\u0007\n\tb\u009b2J\r\u007f ü';

describe('text from elsewhere', () => {
  it('steers no terminal', () => {
    expect(textFor(hostile, terminal)).toBe('a\\x1b]0;taken over\\x07\n\tb\\x9b2J\\x0d\\x7f ü');
    expect(printable(hostile)).toBe(textFor(hostile, terminal));
  });

  it('goes through a pipe as it is', () => {
    expect(textFor(hostile, pipe)).toBe(hostile);
    expect(jsonFor(JSON.stringify(hostile), pipe)).toBe(JSON.stringify(hostile));
  });

  it('as JSON is the same value, and steers no terminal', () => {
    const shown = jsonFor(JSON.stringify({ hostile }), terminal);
    expect(shown).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse(shown)).toEqual({ hostile });
  });
});

it.each(['/etc/plain.toml', '', '/srv/my conf.toml', "it's", '$HOME `id` "x" \\ \n*', '~', '#', 'ä'])(
  'a shell reads %j as one word',
  (word) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' })).toBe(word);
  },
);

it('leaves a plain word plain', () => {
  expect(shellWord('/etc/sd-gateway/sd-gateway.toml')).toBe('/etc/sd-gateway/sd-gateway.toml');
});
