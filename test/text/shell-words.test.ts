import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shellCommand, wordsOf } from '../../src/text/shell-words.js';

it('leaves plain words as they are', () => {
  expect(shellCommand(['env', 'HOME=/var/lib/x', '--cli', 'a@b:1'])).toBe('env HOME=/var/lib/x --cli a@b:1');
});

it('gives a shell the same words back', () => {
  const words = ['', "it's", '$HOME', 'a b', '; exit 1', '"', '\\', '*', '~', '`id`', 'ä\n', '#', '!x'];
  const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${shellCommand(words)}`], { encoding: 'utf8' });
  expect(printed.split('\0').slice(0, -1)).toEqual(words);
});

it('splits a command into the words that a shell makes of it', () => {
  const command = `a 'b c' "d \\"e\\" $f" g\\ h i'j'"k" '' it\\'s`;
  const printed = execFileSync('sh', ['-c', `f='$f'; printf '%s\\0' ${command}`], { encoding: 'utf8' });
  expect(wordsOf(command)).toEqual(printed.split('\0').slice(0, -1));
  expect(wordsOf('  ')).toEqual([]);
});

it.each(["it's", 'cat "unclosed', 'cat "a\\"', 'cat \\'])(
  'gives null for a command that goes on: %s',
  (command) => {
    expect(wordsOf(command)).toBeNull();
  },
);

it('gets the words back that were written as a command', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      expect(wordsOf(shellCommand(words))).toEqual(words);
    }),
  );
});
