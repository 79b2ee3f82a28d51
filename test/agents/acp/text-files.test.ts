import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { FileAccess } from '../../../src/agents/acp/text-files.js';
import { Place, said } from './fixture.js';

/** A directory of a session with something of each kind, and a secret beside it. */
function workplace(fs: FileAccess) {
  const directory = mkdtempSync(join(tmpdir(), 'acp-files-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const cwd = join(directory, 'session');
  mkdirSync(join(cwd, 'deep'), { recursive: true });
  writeFileSync(join(directory, 'secret'), 'token');
  mkdirSync(join(directory, 'session-of-another'));
  writeFileSync(join(directory, 'session-of-another/a.txt'), 'not mine');
  writeFileSync(join(cwd, 'a.txt'), 'one\ntwo\nthree\n');
  writeFileSync(join(cwd, 'deep/..b'), 'odd');
  writeFileSync(join(cwd, 'binary'), Buffer.from([0xff, 0xfe]));
  writeFileSync(join(cwd, 'large'), Buffer.alloc(4 * 1024 ** 2 + 1, 'a'));
  symlinkSync('a.txt', join(cwd, 'link'));
  symlinkSync('..', join(cwd, 'up'));
  symlinkSync('/proc/self', join(cwd, 'proc'));
  symlinkSync(join(directory, 'secret'), join(cwd, 'to-secret'));
  execFileSync('mkfifo', [join(cwd, 'pipe')]);
  const agent = new Place().agent({}, { cwd, fs });
  const asked = (method: 'read' | 'write', params: object) =>
    said(agent, `fs ${method} ${JSON.stringify(params)}`);
  return {
    cwd,
    directory,
    read: (path: string, params: object = {}) => asked('read', { path: join(cwd, path), ...params }),
    write: (path: string, content: unknown) => asked('write', { path: join(cwd, path), content }),
    asked,
  };
}

test('nothing is offered unless it is configured', async () => {
  const { read, write } = workplace('off');
  expect(await read('a.txt')).toMatch(/^-32601 /);
  expect(await write('new.txt', 'x')).toMatch(/^-32601 /);
});

test('"read" offers no more than that', async () => {
  const { read, write, cwd } = workplace('read');
  expect(JSON.parse(await read('a.txt'))).toEqual({ content: 'one\ntwo\nthree\n' });
  expect(await write('a.txt', 'x')).toMatch(/^-32601 /);
  expect(readFileSync(join(cwd, 'a.txt'), 'utf8')).toBe('one\ntwo\nthree\n');
});

test('lines are chosen by their number', async () => {
  const { read } = workplace('read');
  const cases: readonly [params: object, content: string][] = [
    [{ line: 2 }, 'two\nthree\n'],
    [{ limit: 2 }, 'one\ntwo'],
    [{ line: 2, limit: 1 }, 'two'],
    [{ line: 9 }, ''],
    [{ line: null, limit: null }, 'one\ntwo\nthree\n'],
    [{ limit: 0 }, ''],
  ];
  for (const [params, content] of cases) expect(JSON.parse(await read('a.txt', params))).toEqual({ content });
  for (const params of [{ line: 1.5 }, { limit: -1 }, { line: 'a' }]) {
    expect(await read('a.txt', params)).toMatch(/^-32602 .* must be a whole number$/);
  }
});

test('nothing outside, nothing by a link and nothing but text is read or written', async () => {
  const { read, write, directory } = workplace('write');
  const cases: readonly [path: string, message: RegExp][] = [
    ['link', /^-32002 .*\/link: is a symbolic link, no regular file/],
    ['to-secret', /symbolic link/],
    ['up/secret', /symbolic link/],
    ['up/session/a.txt', /symbolic link/],
    ['proc/root/etc/passwd', /symbolic link/],
    ['../secret', /it is not below the directory of the session/],
    ['../session-of-another/a.txt', /it is not below/],
    ['deep/../../secret', /it is not below/],
    ['', /it is not below/],
    ['deep', /(is a directory, no regular file|EISDIR)/],
    ['pipe', /(is a named pipe, no regular file|ENXIO)/],
    ['a.txt/b', /no directory/],
    ['a\0b', /it is not below/],
  ];
  for (const [path, message] of cases) {
    expect(await read(path)).toMatch(message);
    expect(await write(path, 'overwritten')).toMatch(/^-32002 /);
  }
  expect(readFileSync(join(directory, 'secret'), 'utf8')).toBe('token');
  expect(readFileSync(join(directory, 'session-of-another/a.txt'), 'utf8')).toBe('not mine');
  expect(await read('missing')).toMatch(/: ENOENT/);
  expect(await read('large')).toMatch(/it is larger than 4194304 bytes/);
  expect(await read('binary')).toMatch(/it is no text in UTF-8/);
});

test('a path that is none is refused', async () => {
  const { asked } = workplace('read');
  expect(await asked('read', {})).toMatch(/^-32602 "path" must be an absolute path/);
  expect(await asked('read', { path: 7 })).toMatch(/^-32602 /);
  expect(await asked('read', { path: 'a.txt' })).toMatch(/^-32602 /);
});

test('a file is written whole, or made for its owner alone', async () => {
  const { write, read, cwd } = workplace('write');
  expect(await write('a.txt', 'short')).toBe('{}');
  expect(readFileSync(join(cwd, 'a.txt'), 'utf8')).toBe('short');
  expect(await write('deep/new.txt', 'wörld')).toBe('{}');
  expect(JSON.parse(await read('deep/new.txt'))).toEqual({ content: 'wörld' });
  expect(statSync(join(cwd, 'deep/new.txt')).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await read('deep/..b'))).toEqual({ content: 'odd' });
  expect(await write('nowhere/new.txt', 'x')).toMatch(/^-32002 /);
  expect(await write('new.txt', 7)).toMatch(/^-32602 "content" must be a text/);
});
