import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));

const files = readdirSync(source, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name));

it('defines an exported type of one name in one file', () => {
  const definedIn = new Map<string, string[]>();
  for (const file of files) {
    const declarations = readFileSync(file, 'utf8').matchAll(
      /^export (?:declare )?(?:abstract )?(?:interface|type|class|enum) (\w+)/gm,
    );
    for (const [, name = ''] of declarations) {
      definedIn.set(name, [...(definedIn.get(name) ?? []), relative(source, file)]);
    }
  }
  const several = [...definedIn].filter(([, places]) => places.length > 1);
  expect(Object.fromEntries(several)).toEqual({});
  expect(definedIn.size).toBeGreaterThan(200);
});

it('begins a comment with a noun or a verb', () => {
  const openings = /^\s*(?:\/\/|\*|\/\*\*) (?:What|Whether|Of|Null|Who|How) .*$/gm;
  const found = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(openings)].map(
      ([line]) => `${relative(source, file)}: ${line.trim()}`,
    ),
  );
  expect(found).toEqual([]);
});
