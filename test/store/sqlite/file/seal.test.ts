import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { breakSeal, seal, sealPath } from '../../../../src/store/sqlite/file/seal.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-seal-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test.each([
  ['sealed', (path: string) => seal(path, 'closed')],
  ['unsealed', breakSeal],
])('through a link nothing is %s, as it may lead to a file of somebody else', (_what, change) => {
  const path = join(directory, 'gateway.db');
  const other = join(directory, 'other');
  writeFileSync(path, 'database');
  writeFileSync(other, 'as it was');
  symlinkSync(other, sealPath(path));
  expect(() => change(path)).toThrow('gateway.db-seal is a symbolic link: remove it.');
  expect(readFileSync(other, 'utf8')).toBe('as it was');
});

test('into a pipe nothing is sealed, and nobody is waited for who would read it', () => {
  const path = join(directory, 'gateway.db');
  writeFileSync(path, 'database');
  execFileSync('mkfifo', [sealPath(path)]);
  expect(() => seal(path, 'closed')).toThrow('gateway.db-seal is a named pipe: remove it.');
});
