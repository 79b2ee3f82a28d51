import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { shellWord } from '../../src/cli/shell-word.js';

it.each(['/etc/plain.toml', '', '/srv/my conf.toml', "it's", '$HOME `id` "x" \\ \n*', '~', '#', 'ä'])(
  'a shell reads %j as one word',
  (word) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' })).toBe(word);
  },
);

it('leaves a plain word plain', () => {
  expect(shellWord('/etc/sd-gateway/sd-gateway.toml')).toBe('/etc/sd-gateway/sd-gateway.toml');
});
