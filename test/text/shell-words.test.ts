import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { shellCommand } from '../../src/text/shell-words.js';

it('leaves plain words as they are', () => {
  expect(shellCommand(['env', 'HOME=/var/lib/x', '--cli', 'a@b:1'])).toBe('env HOME=/var/lib/x --cli a@b:1');
});

it('gives a shell the same words back', () => {
  const words = ['', "it's", '$HOME', 'a b', '; exit 1', '"', '\\', '*', '~', '`id`', 'ä\n', '#', '!x'];
  const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${shellCommand(words)}`], { encoding: 'utf8' });
  expect(printed.split('\0').slice(0, -1)).toEqual(words);
});
