import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { toStoreError } from '../../../../src/store/sqlite/file/errors.js';

const require = createRequire(import.meta.url);

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}

it.each([
  // The error of better-sqlite3 12 if its binary was never built.
  ['is missing', () => require('bindings')({ bindings: 'nowhere.node', module_root: '/nonexistent' })],
  // The error of better-sqlite3 13 where it has no binary for the processor, and of a package that isn't there.
  ['is not for this processor', () => require('/nonexistent/better_sqlite3.node')],
  // The error of Node for a binary that is not for it.
  ['is another one’s', () => process.dlopen({ exports: {} }, new URL(import.meta.url).pathname)],
])('a native module that %s is told with what to run', (_name, load) => {
  const error = toStoreError(thrownBy(load), '/database');
  expect(error.reason).toBe('refused');
  expect(error.message).toMatch(
    Number(process.versions.napi) >= 10
      ? /^SQLite’s native module \(better-sqlite3\) .* Install sd-gateway again; .* "npm explore better-sqlite3 -- npm run build-release"/
      : /^SQLite’s native module \(better-sqlite3-12\) .* Run "npm rebuild better-sqlite3-12 --ignore-scripts=false"/,
  );
  expect(error.message).not.toContain('Tried:');
});

it('a quota that is used up is a full disk, though Node has no name for it', () => {
  const error = Object.assign(new Error('Unknown system error -122: write'), {
    errno: -122,
    code: 'Unknown system error -122',
  });
  expect(toStoreError(error, '/database')).toMatchObject({
    reason: 'full',
    message: expect.stringContaining('raise the quota'),
  });
});

it('says the code of a system call once', () => {
  const error = Object.assign(new Error("EACCES: permission denied, open '/database'"), { code: 'EACCES' });
  expect(toStoreError(error, '/database').message).toMatch(
    / \(EACCES: permission denied, open '\/database'\)$/,
  );
});
