import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SourceDirectory } from '../../../src/cli/import/source-directory.js';
import { directoryWith } from './tree.js';

it.each<[what: string, spoil: (path: string) => void, reason: string]>([
  ['a link to a file', (path) => symlinkSync('/etc/passwd', path), 'is a symbolic link, no regular file'],
  ['a pipe, without waiting', (path) => execFileSync('mkfifo', [path]), 'is a named pipe, no regular file'],
  ['a directory', (path) => mkdirSync(path), 'is a directory, no regular file'],
  ['a device', (path) => symlinkSync('/dev/zero', path), 'is a symbolic link'],
  [
    'a huge file, which takes no room',
    (path) => {
      writeFileSync(path, '');
      truncateSync(path, 2 ** 40);
    },
    'is larger than 1000 bytes',
  ],
  ['bytes that are no text', (path) => writeFileSync(path, Buffer.from([0xff, 0xfe])), 'is no text in UTF-8'],
  [
    'a file that everybody may write',
    (path) => {
      writeFileSync(path, '');
      chmodSync(path, 0o666);
    },
    'everybody may write the file',
  ],
])('refuses %s', (_what, spoil, reason) => {
  const path = directoryWith({ x: '' });
  spoil(join(path, 'config'));
  const directory = new SourceDirectory(path, path);
  expect(() => directory.read('config', 1_000)).toThrow(`${path}/config`);
  expect(() => directory.read('config', 1_000)).toThrow(reason);
});

it('refuses what lies behind a folder that is a link, or that everybody may write', () => {
  const path = directoryWith({ 'real/a.json': '{}', 'open/a.json': '{}' });
  symlinkSync('real', join(path, 'linked'));
  chmodSync(join(path, 'open'), 0o777);
  const directory = new SourceDirectory(path, path);
  expect(() => directory.read('linked/a.json', 10)).toThrow('linked is a symbolic link');
  expect(() => directory.read('open/a.json', 10)).toThrow('everybody may write the directory');
  expect(directory.read('real/a.json', 10)).toBe('{}');
  expect(directory.read('none/a.json', 10)).toBeNull();
});

it.skipIf(process.getuid?.() !== 0)('refuses what belongs to neither its owner nor root', () => {
  const path = directoryWith({ a: 'text' });
  chownSync(join(path, 'a'), 1234, 1234);
  expect(() => new SourceDirectory(path, path).read('a', 10)).toThrow('belongs to UID 1234, and not to');
  chownSync(path, 1234, 1234);
  expect(() => new SourceDirectory(path, path)).toThrow('belongs to UID 1234: run the command as that user');
});

it('may be a link itself, but is no file and not everybody’s', () => {
  const path = directoryWith({ a: 'text' });
  renameSync(path, `${path}-real`);
  symlinkSync(`${path}-real`, path);
  expect(new SourceDirectory(path, path).read('a', 10)).toBe('text');
  chmodSync(path, 0o707);
  expect(() => new SourceDirectory(path, path)).toThrow('everybody may write');
  chmodSync(path, 0o700);
  expect(() => new SourceDirectory(join(path, 'a'), join(path, 'a'))).toThrow('is no directory');
  expect(() => new SourceDirectory(join(path, 'b'), join(path, 'b'))).toThrow('is no directory');
  renameSync(`${path}-real`, `${path}-gone`);
  execFileSync('rm', ['-rf', '--', `${path}-gone`]);
});
