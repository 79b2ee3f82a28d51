import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { expect, it } from 'vitest';
import { asciiOnly } from '../../tools/ascii-only.js';
import { leftOutOf } from '../../tools/left-out.js';

/** The bundle of one script with these plugins, as what it exports. */
async function bundled(
  text: string,
  id: string,
  plugin: ReturnType<typeof asciiOnly>,
): Promise<{ readonly code: string; readonly exports: Record<string, unknown> }> {
  const script = {
    name: 'script',
    resolveId: (source: string) => (source === id ? id : null),
    load: (loaded: string) => (loaded === id ? text : null),
  };
  const bundle = await rolldown({ input: id, platform: 'node', plugins: [script, plugin] });
  const { output } = await bundle.generate({ format: 'cjs', minify: false });
  const { code } = output[0];
  const module = { exports: {} as Record<string, unknown> };
  new Function('module', 'exports', 'require', code)(module, module.exports, process.getBuiltinModule);
  return { code, exports: module.exports };
}

it('says in ASCII what means the same', async () => {
  const text = [
    '// A comment – with “signs”.',
    'export const text = "so – 😀";',
    'export const template = `1… 😀`;',
    'export const expression = /^[😀–]$/u.test("😀");',
  ].join('\n');
  const { code, exports } = await bundled(text, '/signs.mjs', asciiOnly());
  expect(code).toMatch(/^[\0-\x7f]*$/);
  expect(exports).toMatchObject({ text: 'so – 😀', template: '1… 😀', expression: true });
});

it('refuses what would show its escapes', async () => {
  const text = 'export const raw = String.raw`–`;';
  await expect(bundled(text, '/raw.mjs', asciiOnly())).rejects.toThrow('String.raw');
});

it('leaves modules out of one package, which throw when they are used', async () => {
  const plugin = leftOutOf('owner', ['node:dns']);
  const text = 'const dns = require("node:dns"); exports.lookup = () => dns.lookup("localhost");';
  const { exports } = await bundled(text, '/node_modules/owner/index.cjs', plugin);
  expect(exports['lookup']).toThrow('node:dns is left out of owner');
});

it('has nothing but ASCII in what is built', () => {
  const folder = fileURLToPath(new URL('../../dist/bundle/', import.meta.url));
  for (const name of readdirSync(folder)) {
    expect(/^[\0-\x7f]*$/.test(readFileSync(`${folder}${name}`, 'utf8')), name).toBe(true);
  }
});
