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

it('names the gateway in each command that it tells an operator to type', () => {
  const folders = [
    'agents',
    'channels',
    'cli/client',
    'cli/logs',
    'cli/operate',
    'cli/status',
    'doctor',
    'gateway',
  ];
  const command =
    /^(?!\s*(?:\/\/|\*|\/\*\*)).*\bsd-gateway (?:approve|attachment|cancel|check-config|dead|deny|doctor|messages|people|run|session|sessions|show|token) ?/gm;
  const found = files
    .map((file) => relative(source, file))
    .filter(
      (file) => folders.some((folder) => file.startsWith(`${folder}/`)) && !file.endsWith('/commands.ts'),
    )
    .flatMap((file) =>
      [...readFileSync(join(source, file), 'utf8').matchAll(command)].map(
        ([line]) => `${file}: ${line.trim()}`,
      ),
    );
  // See text/own-command.ts.
  expect(found).toEqual([]);
});

it('checks the items of a list from outside only once their number is known to be small', () => {
  // zod makes one mistake for each item, of a line that may have a million of them. See channels/bounded-list.ts.
  const unbounded =
    /\bz\s*\.\s*(?:array|set|map|record)\s*\((?!\s*(?:z\.string\(\),\s*)?z\.unknown\(\)\s*,?\s*\))|\)\s*\.array\(\)/g;
  // The description of the HTTP interface has the answers, which nobody checks.
  const isDescription = (file: string) => /\/openapi\/|\.openapi\.ts$/.test(file);
  const found = files
    .map((file) => relative(source, file))
    .filter((file) => /^(?:channels|agents)\//.test(file) && !isDescription(file))
    .filter((file) => file !== 'channels/bounded-list.ts')
    .flatMap((file) => {
      const text = readFileSync(join(source, file), 'utf8');
      return [...text.matchAll(unbounded)].map(
        ({ index }) => `${file}:${text.slice(0, index).split('\n').length}`,
      );
    });
  expect(found).toEqual([]);
});
