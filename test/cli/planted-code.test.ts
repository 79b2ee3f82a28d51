import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Place } from './foreground.js';

const bundle = fileURLToPath(new URL('../../dist/bundle/', import.meta.url));

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => {
  place.remove();
});

/**
 * Code that writes the file `mark`, as V8 keeps it compiled: V8 takes it for any script of as many characters, and
 * version 0.1.0 looked at nothing but its digest.
 */
function compiledCode(mark: string, length: number): Buffer {
  const opening = '(function (exports, require, module, __filename, __dirname) {';
  const closing = '\n})';
  const code = `require('node:fs').writeFileSync(${JSON.stringify(mark)}, '');`;
  const text = opening + code.padEnd(length) + closing;
  const data = new Script(text).createCachedData();
  return Buffer.concat([createHash('sha256').update(data).digest(), data]);
}

it('runs no code that somebody has put where version 0.1.0 kept its own compiled code', async () => {
  const mark = join(place.directory, 'planted-code-has-run');
  const planted = join(place.directory, 'state', 'compiled');
  mkdirSync(planted, { recursive: true });
  for (const name of readdirSync(bundle)) {
    const file = join(planted, `${name}-${process.version}-${process.arch}`);
    writeFileSync(file, compiledCode(mark, readFileSync(join(bundle, name)).length));
  }
  const before = readdirSync(planted);
  const gateway = await place.start();
  await place.run(['stop']);
  expect((await gateway.end).status).toBe(0);
  expect(existsSync(mark)).toBe(false);
  // Nothing is kept there, nor beside it, that a later start would run.
  expect(readdirSync(planted)).toEqual(before);
  const state = readdirSync(join(place.directory, 'state'));
  expect(
    state.filter(
      (name) =>
        !/^(compiled|fatal-signal|last-words\.json|gateway\.db.*|token|webhook-secret|lock)$/.test(name),
    ),
  ).toEqual([]);
});
