import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NoRegularFileError } from '../../src/linux/files.js';
import { OutsideError, openBelow } from '../../src/linux/open-below.js';

let root: string;
let below: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sd-gateway-below-'));
  below = join(root, 'session');
  mkdirSync(join(below, 'out'), { recursive: true });
  writeFileSync(join(root, 'secret'), 'secret');
  writeFileSync(join(below, 'a.txt'), 'a');
  writeFileSync(join(below, 'out/b.txt'), 'b');
  symlinkSync(join(root, 'secret'), join(below, 'link'));
  symlinkSync(root, join(below, 'up'));
  execFileSync('mkfifo', [join(below, 'pipe')]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function read(path: string): string {
  const descriptor = openBelow(below, path);
  try {
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

it('opens a file by a relative or an absolute path', () => {
  expect(read('a.txt')).toBe('a');
  expect(read('./out/../out//b.txt')).toBe('b');
  expect(read(join(below, 'out/b.txt'))).toBe('b');
});

it.each(['../secret', '/etc/passwd', '', '.', 'out/../../secret', 'a\0b'])(
  'opens nothing outside: %j',
  (path) => {
    expect(() => openBelow(below, path)).toThrow(OutsideError);
  },
);

it.each(['link', 'out', 'pipe'])('opens nothing that is no regular file: %s', (path) => {
  expect(() => openBelow(below, path)).toThrow(NoRegularFileError);
});

it('follows no link on the way', () => {
  expect(() => openBelow(below, 'up/secret')).toThrow(/ENOTDIR|ELOOP/);
});

it('leaves no descriptor open', () => {
  const count = () => readdirSync('/proc/self/fd').length;
  const before = count();
  for (const path of ['up/secret', 'link', 'out/missing', '../secret']) {
    expect(() => openBelow(below, path)).toThrow();
  }
  read('out/b.txt');
  expect(count()).toBe(before);
});
