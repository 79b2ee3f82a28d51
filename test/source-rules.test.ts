import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));

const files = readdirSync(source, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name));

/** Each of them waits for a name of its own. */
const doubleStill = new Set([
  'CutOff',
  'DeliveryRow',
  'Failure',
  'Finding',
  'Interventions',
  'MessageChange',
  'ReplyUrlVerdict',
  'SessionRow',
]);

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
  const several = [...definedIn].filter(([name, places]) => places.length > 1 && !doubleStill.has(name));
  expect(Object.fromEntries(several)).toEqual({});
  expect(definedIn.size).toBeGreaterThan(200);
});
