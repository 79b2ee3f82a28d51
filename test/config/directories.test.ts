import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isLeftoverLink } from '../../src/config/directories.js';

let run: string;
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'sd-gateway-run-'));
});
afterEach(() => {
  rmSync(run, { recursive: true });
});

it('is a link into private/ whose directory is gone, and nothing else', () => {
  const path = join(run, 'sd-gateway');
  expect(isLeftoverLink(path)).toBe(false);
  symlinkSync('private/sd-gateway', path);
  expect(isLeftoverLink(path)).toBe(true);
  mkdirSync(join(run, 'private/sd-gateway'), { recursive: true });
  expect(isLeftoverLink(path)).toBe(false);
});

it.each(['private/other', '/nowhere', '../private/sd-gateway'])('is no link to %s', (target) => {
  const path = join(run, 'sd-gateway');
  symlinkSync(target, path);
  expect(isLeftoverLink(path)).toBe(false);
});

it('is no directory, no file, and nothing below a file', () => {
  const path = join(run, 'sd-gateway');
  mkdirSync(path);
  expect(isLeftoverLink(path)).toBe(false);
  writeFileSync(join(run, 'file'), '');
  expect(isLeftoverLink(join(run, 'file'))).toBe(false);
  expect(isLeftoverLink(join(run, 'file/sd-gateway'))).toBe(false);
});
