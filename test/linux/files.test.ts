import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkRegularFile, NoRegularFileError, readRegularFile } from '../../src/linux/files.js';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'regular-file-'));
  path = join(directory, 'file');
});
afterEach(() => rmSync(directory, { recursive: true }));

it('reads a file, and through a link only where that is wanted', () => {
  const link = join(directory, 'link');
  writeFileSync(path, 'text');
  symlinkSync(path, link);
  expect(readRegularFile(path, 'links-refused').toString()).toBe('text');
  expect(readRegularFile(link, 'links-followed').toString()).toBe('text');
  expect(() => readRegularFile(link, 'links-refused')).toThrow(NoRegularFileError);
  expect(() => readRegularFile(link, 'links-refused')).toThrow('is a symbolic link, no regular file');
  expect(() => readRegularFile(join(directory, 'none'), 'links-refused')).toThrow(/ENOENT/);
  checkRegularFile(link);
  checkRegularFile(join(directory, 'none'));
});

it.each(['links-followed', 'links-refused'] as const)('waits for nobody at a pipe, %s', (links) => {
  execFileSync('mkfifo', [path]);
  expect(() => readRegularFile(path, links)).toThrow('is a named pipe, no regular file');
  expect(() => checkRegularFile(path)).toThrow('is a named pipe, no regular file');
});

it('names what else may lie there', async () => {
  mkdirSync(path);
  expect(() => readRegularFile(path, 'links-refused')).toThrow('is a directory, no regular file');
  expect(() => readRegularFile('/dev/null', 'links-followed')).toThrow('is a device, no regular file');
  const socket = join(directory, 'socket');
  const server = createServer();
  await once(server.listen(socket), 'listening');
  expect(() => readRegularFile(socket, 'links-refused')).toThrow('is a socket, no regular file');
  server.close();
});
