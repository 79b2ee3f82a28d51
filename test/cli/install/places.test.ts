import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findStoreDirectory, findUnreadable } from '../../../src/cli/install/places.js';

let root: string;
let installed: string;
let program: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sd-gateway-places-'));
  chmodSync(root, 0o755);
  installed = join(root, 'sd-gateway');
  program = join(installed, 'dist/cli/main.js');
  for (const file of [
    'package.json',
    'dist/cli/main.js',
    'dist/bundle/run-1.js',
    'node_modules/better-sqlite3/package.json',
    'node_modules/better-sqlite3/lib/index.js',
    'node_modules/better-sqlite3/prebuilds/linux-x64.node',
    'node_modules/better-sqlite3-12/package.json',
    'node_modules/better-sqlite3-12/build/Release/better_sqlite3.node',
  ]) {
    mkdirSync(join(installed, file, '..'), { recursive: true });
    writeFileSync(join(installed, file), '{}', { mode: 0o644 });
  }
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the files of the package', () => {
  it('are all readable as npm installs them', () => {
    expect(findUnreadable([program], program)).toEqual([]);
  });

  it.each([
    ['dist/bundle/run-1.js', ''],
    ['dist/bundle', ''],
    ['.', ''],
    ['node_modules/better-sqlite3/prebuilds/linux-x64.node', 'node_modules/better-sqlite3'],
    ['node_modules/better-sqlite3-12/build/Release/better_sqlite3.node', 'node_modules/better-sqlite3-12'],
  ])('%s that is closed to others is found, with what opens all', (closed, tree) => {
    const part = join(installed, closed);
    chmodSync(part, closed.includes('.js') || closed.endsWith('.node') ? 0o600 : 0o700);
    const found = findUnreadable([program], program);
    expect(found[0]).toMatchObject({ part, tree: join(installed, tree) });
  });

  it.each(['.', 'node_modules', 'dist/cli'])(
    'all below %s that is closed to others need one mend',
    (closed) => {
      chmodSync(join(installed, closed), 0o700);
      if (closed === 'node_modules') chmodSync(join(installed, 'node_modules/better-sqlite3'), 0o700);
      const found = findUnreadable([program], program);
      expect(found.map(({ tree }) => tree)).toEqual([installed]);
    },
  );

  it('are not blamed for a directory above', () => {
    chmodSync(root, 0o700);
    expect(findUnreadable([program], program)).toContainEqual({ path: program, part: root, tree: null });
  });
});

it('the directory of a store is there or not, and its user’s or not', async () => {
  const path = join(root, 'store');
  const me = userInfo().username;
  expect(await findStoreDirectory(null, null)).toBeNull();
  expect(await findStoreDirectory(path, null)).toEqual({ path, isThere: false, isOwned: false });
  mkdirSync(path);
  expect(await findStoreDirectory(path, null)).toEqual({ path, isThere: true, isOwned: true });
  expect(await findStoreDirectory(path, me)).toEqual({ path, isThere: true, isOwned: true });
  expect(await findStoreDirectory(path, 'no-such-user')).toEqual({ path, isThere: true, isOwned: false });
});
