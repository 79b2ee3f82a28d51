import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadScript } from '../../src/cli/compiled-script.js';

let folder: string;
let script: string;
let kept: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-compiled-'));
  script = join(folder, 'program.cjs');
  kept = join(folder, 'compiled');
  writeFileSync(
    script,
    `const { sep } = require('node:path'); exports.answer = () => sep + __filename.slice(-11); exports.node = () => import('node:os');`,
  );
});

afterEach(() => rmSync(folder, { recursive: true }));

const answer = (exports: unknown): string => (exports as { answer(): string }).answer();
const keptFile = (): string => join(kept, readdirSync(kept)[0] ?? '');

it('runs a script as require() does', async () => {
  const { exports, keep } = loadScript(script, null);
  expect(answer(exports)).toBe('/program.cjs');
  expect(await (exports as { node(): Promise<object> }).node()).toHaveProperty('homedir');
  expect(keep).toBeNull();
});

it('keeps what was compiled, and needs it once', () => {
  loadScript(script, kept).keep?.();
  expect(readdirSync(kept)).toEqual([`program.cjs-${process.version}-${process.arch}`]);
  const again = loadScript(script, kept);
  expect(again.keep).toBeNull();
  expect(answer(again.exports)).toBe('/program.cjs');
});

it.each(['cut off', 'changed', 'empty'])('does not run what is %s, and keeps it anew', (how) => {
  loadScript(script, kept).keep?.();
  const content = readFileSync(keptFile());
  const last = content.length - 1;
  if (how === 'changed') content[last] = (content[last] ?? 0) ^ 1;
  const damaged = how === 'empty' ? '' : how === 'cut off' ? content.subarray(0, last) : content;
  writeFileSync(keptFile(), damaged);
  const { exports, keep } = loadScript(script, kept);
  expect(answer(exports)).toBe('/program.cjs');
  keep?.();
  expect(loadScript(script, kept).keep).toBeNull();
});

it('keeps nothing of other versions', () => {
  loadScript(script, kept).keep?.();
  writeFileSync(join(kept, 'program.cjs-v1.2.3-x64'), 'of another Node.js');
  rmSync(keptFile());
  loadScript(script, kept).keep?.();
  expect(readdirSync(kept)).toEqual([`program.cjs-${process.version}-${process.arch}`]);
});

it('says what keeps it from keeping', () => {
  writeFileSync(kept, 'no directory');
  const { exports, keep } = loadScript(script, kept);
  expect(answer(exports)).toBe('/program.cjs');
  expect(keep).toThrow(/ENOTDIR|EEXIST/);
});
