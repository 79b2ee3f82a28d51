import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The code blocks of a page in this language. */
function blocks(page: string, language: string): readonly string[] {
  return [...read(page).matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, code = '']) => code,
  );
}

it('the first page shows the example that runs under real systemd', () => {
  const program = read('examples/http.mjs').replace(/^\/\/.*\n/, '');
  expect(blocks('docs/library/README.md', 'js')).toEqual([program]);
  expect(blocks('docs/library/README.md', 'ini')).toEqual([read('examples/http.service')]);
});

it('so does the page on socket units', () => {
  const program = read('examples/socket.cjs').replace(/^\/\/.*\n/, '');
  expect(blocks('docs/library/socket-activation.md', 'js')).toEqual([program]);
  const units = ['socket.socket', 'socket.service'].map((name) => read(`examples/${name}`));
  expect(blocks('docs/library/socket-activation.md', 'ini')).toEqual(units);
});
