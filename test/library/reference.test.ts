import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const writer = fileURLToPath(new URL('../../tools/library/reference/', import.meta.url));
const committed = fileURLToPath(new URL('../../docs/library/reference/', import.meta.url));
const everythingMustRun = process.env['CI'] === 'true';

function pagesIn(folder: string): Readonly<Record<string, string>> {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** The sections of functions and methods, by page and name. */
function functionsIn(pages: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(pages).flatMap(([page, text]) =>
    text
      .split(/^(?=#{2,5} )/m)
      .reduce<string[]>((all, part) => {
        // A heading below a function's own belongs to it.
        if (/^#{2,5} `?[\w.]+\(\)/.test(part) || all.length === 0 || /^#{2,3} /.test(part)) all.push(part);
        else all.push(`${all.pop()}${part}`);
        return all;
      }, [])
      .filter((part) => /^#{2,5} `?[\w.]+\(\)/.test(part))
      .map((part) => [`${page}: ${part.split('\n', 1)[0]}`, part] as const),
  );
}

it.skipIf(!everythingMustRun && !existsSync(join(writer, 'node_modules')))(
  'the API reference is as the types are (npm ci --prefix tools/library/reference; tools/library/reference/write.sh)',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-reference-'));
    try {
      execFileSync('bash', [join(writer, 'write.sh'), folder], { stdio: 'pipe' });
      expect(pagesIn(folder)).toEqual(pagesIn(committed));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  60_000,
);

it('each function tells its man page, and its errors if it takes arguments', () => {
  const functions = functionsIn(pagesIn(committed));
  expect(functions.length).toBeGreaterThan(40);
  for (const [name, text] of functions) expect(text, name).toMatch(/\w\(\d\)/);
  const silent = functions.filter(([name, text]) => {
    const takesArguments = /Parameters/.test(text);
    return takesArguments && !name.startsWith('sd-notify') && !/Throws/.test(text);
  });
  expect(silent.map(([name]) => name)).toEqual([]);
});
