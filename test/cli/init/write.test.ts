import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keptName, writeNewFiles } from '../../../src/cli/init/write.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-init-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const now = new Date('2026-11-30T14:05:06.789Z');

function files(...secrets: readonly string[]) {
  return {
    configuration: { path: join(directory, 'etc/a.toml'), text: 'new', mode: 0o600 },
    secrets: secrets.map((name) => ({ path: join(directory, 'etc', name), text: name })),
  };
}

it('writes all, and nothing beside it', () => {
  expect(writeNewFiles(files('one', 'two'), now)).toBeNull();
  expect(readdirSync(join(directory, 'etc')).sort()).toEqual(['a.toml', 'one', 'two']);
});

it('keeps the configuration that was there', () => {
  writeNewFiles(files(), now);
  writeFileSync(join(directory, 'etc/a.toml'), 'old');
  const kept = writeNewFiles(files(), now);
  expect(kept).toBe(keptName(join(directory, 'etc/a.toml'), now));
  expect(kept).toMatch(/a\.toml\.20261130T140506$/);
  expect(readFileSync(kept ?? '', 'utf8')).toBe('old');
  expect(readFileSync(join(directory, 'etc/a.toml'), 'utf8')).toBe('new');
});

it('keeps each of two that were there within one second', () => {
  const path = join(directory, 'etc/a.toml');
  writeNewFiles(files(), now);
  const kept = ['first', 'second'].map((text) => {
    writeFileSync(path, text);
    return writeNewFiles(files(), now) ?? '';
  });
  expect(kept[1]).toBe(`${kept[0]}-2`);
  expect(kept.map((each) => readFileSync(each, 'utf8'))).toEqual(['first', 'second']);
});

it('writes over no secret, and takes back what it has written if one is there', () => {
  writeNewFiles(files('two'), now);
  rmSync(join(directory, 'etc/a.toml'));
  expect(() => writeNewFiles({ ...files('one', 'two') }, now)).toThrow('EEXIST');
  expect(readdirSync(join(directory, 'etc'))).toEqual(['two']);
  expect(readFileSync(join(directory, 'etc/two'), 'utf8')).toBe('two\n');
});

it('leaves nothing where the place can’t be written to', () => {
  writeFileSync(join(directory, 'etc'), 'a file');
  expect(() => writeNewFiles(files('one'), now)).toThrow();
  expect(readdirSync(directory)).toEqual(['etc']);
  expect(existsSync(join(directory, 'etc/one'))).toBe(false);
});
