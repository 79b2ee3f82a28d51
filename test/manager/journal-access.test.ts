import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { mayReadJournal } from '../../src/manager/journal-access.js';

vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  // As for a user who owns nothing, also where root runs the tests.
  accessSync: (path: string) => {
    if ((statSync(path).mode & 0o004) === 0) throw Object.assign(new Error(path), { code: 'EACCES' });
  },
}));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-journal-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const user = { scope: 'user', uid: 7 } as const;
const system = { scope: 'system', uid: 7 } as const;

it.each([
  ['no file', user, {}, null],
  ['the system’s alone', user, { 'persistent/1/system.journal': 0o640 }, false],
  [
    'their own, persistent',
    user,
    { 'persistent/1/system.journal': 0o640, 'persistent/1/user-7.journal': 0o644 },
    true,
  ],
  [
    'their own, until the next boot',
    user,
    { 'persistent/1/system.journal': 0o640, 'volatile/1/user-7.journal': 0o644 },
    true,
  ],
  [
    'somebody else’s',
    user,
    { 'persistent/1/system.journal': 0o640, 'persistent/1/user-8.journal': 0o644 },
    false,
  ],
  ['only their own', user, { 'persistent/1/user-7.journal': 0o644 }, true],
  ['their own, which they may not read', user, { 'persistent/1/user-7.journal': 0o640 }, false],
  ['the system’s, which all may read', user, { 'persistent/1/system.journal': 0o644 }, true],
  [
    'two machines’',
    user,
    { 'persistent/1/system.journal': 0o640, 'persistent/2/user-7.journal': 0o644 },
    true,
  ],
  [
    'those of this machine under two ids',
    system,
    { 'persistent/1/system.journal': 0o640, 'persistent/2/system.journal': 0o644 },
    true,
  ],
  [
    'their own, for a unit of the system',
    system,
    { 'persistent/1/system.journal': 0o640, 'persistent/1/user-7.journal': 0o644 },
    false,
  ],
  ['the system’s, for a unit of the system', system, { 'volatile/1/system.journal': 0o644 }, true],
] as const)('with %s', (_what, whose, files, mayRead) => {
  for (const [name, mode] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, '');
    chmodSync(path, mode);
  }
  const roots = ['persistent', 'volatile'].map((name) => join(directory, name));
  expect(mayReadJournal(whose, roots)).toBe(mayRead);
});
