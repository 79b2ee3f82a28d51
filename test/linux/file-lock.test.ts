import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockHolder, sharedLockHolders, tryLock } from '../../src/linux/file-lock.js';

const holder = fileURLToPath(new URL('./file-lock-holder.mjs', import.meta.url));

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-lock-'));
  path = join(folder, 'lock');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Releases a lock that has to be there. */
function release(lock: ReturnType<typeof tryLock>): void {
  if (!lock.locked) throw new Error(`held by ${lock.holderPid}`);
  lock.release();
}

describe('tryLock', () => {
  it.each([
    ['a directory', () => mkdirSync(path)],
    ['a symbolic link', () => symlinkSync(path, path)],
    ['a symbolic link', () => symlinkSync('/nonexistent/x', path)],
  ])('says what lies in the place of the file: %s', (kind, make) => {
    make();
    expect(() => tryLock(path)).toThrow(`is ${kind}, no regular file`);
  });

  it('locks a file of mode 0600 and leaves it there', () => {
    const lock = tryLock(path);
    expect(lock.locked).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    release(lock);
    expect(existsSync(path)).toBe(true);
    release(tryLock(path));
  });

  it('names the holder, also when that is this process', () => {
    const lock = tryLock(path);
    expect(tryLock(path)).toEqual({ locked: false, holderPid: process.pid });
    release(lock);
    release(lock);
    release(tryLock(path));
  });

  it('is free again when its holder was killed', async () => {
    const child = spawn(process.execPath, [holder, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [answer] = await once(child.stdout, 'data');
    expect(String(answer)).toBe('true\n');
    expect(tryLock(path)).toEqual({ locked: false, holderPid: child.pid });
    child.kill('SIGKILL');
    await once(child, 'exit');
    release(tryLock(path));
  });

  it('is not kept by a child of its holder', async () => {
    const lock = tryLock(path);
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    await once(child, 'spawn');
    release(lock);
    release(tryLock(path));
    child.kill();
  });

  it('does not count a removed file as the lock', () => {
    const old = tryLock(path);
    rmSync(path);
    const lock = tryLock(path);
    expect(lock.locked).toBe(true);
    release(old);
    expect(tryLock(path).locked).toBe(false);
    release(lock);
  });

  it('does not follow a symbolic link, and says what open(2) says', () => {
    symlinkSync('/etc/passwd', path);
    expect(() => tryLock(path)).toThrow('is a symbolic link, no regular file');
    expect(() => tryLock(join(folder, 'missing', 'lock'))).toThrow(/ENOENT/);
  });
});

describe('sharedLockHolders', () => {
  const locks = [
    '1: POSIX  ADVISORY  READ 11 08:01:100 123 123',
    '2: POSIX  ADVISORY  READ 12 08:01:100 127 127',
    '3: POSIX  ADVISORY  READ 12 08:01:100 124 124',
    '4: POSIX  ADVISORY  READ 13 08:01:100 128 128',
    '5: POSIX  ADVISORY  WRITE 14 08:01:100 124 124',
    '6: POSIX  ADVISORY  READ 15 08:01:200 124 124',
    '7: POSIX  ADVISORY  READ 16 08:02:100 124 124',
    '8: POSIX  ADVISORY  READ 0 08:01:100 125 125',
    '9: FLOCK  ADVISORY  READ 18 08:01:100 0 EOF',
    '9: -> POSIX  ADVISORY  READ 19 08:01:100 124 124',
    '',
  ].join('\n');

  it('finds who holds a shared lock in those bytes of that file', () => {
    const range = { first: 123, last: 127 };
    expect(sharedLockHolders(locks, { dev: 0x801n, ino: 100n }, range)).toEqual([11, 12]);
    expect(sharedLockHolders('', { dev: 0x801n, ino: 100n }, range)).toEqual([]);
  });
});

describe('lockHolder', () => {
  const locks = [
    '1: POSIX  ADVISORY  WRITE 11 08:01:100 0 EOF',
    '2: FLOCK  ADVISORY  WRITE 22 08:01:200 0 EOF',
    '2: -> FLOCK  ADVISORY  WRITE 23 08:01:200 0 EOF',
    '3: FLOCK  ADVISORY  WRITE 0 08:01:300 0 EOF',
    '4: FLOCK  ADVISORY  WRITE -1 08:01:400 0 EOF',
    '5: FLOCK  ADVISORY  WRITE 55 103:1f:500 0 EOF',
    '',
  ].join('\n');

  it.each([
    ['another kind of lock', 0x801n, 100n, null],
    ['a lock', 0x801n, 200n, 22],
    ['another device', 0x802n, 200n, null],
    ['a holder outside the PID namespace', 0x801n, 300n, null],
    ['a holder that the kernel does not tell', 0x801n, 400n, null],
    ['large device numbers', (0x103n << 8n) | 0x1fn, 500n, 55],
    ['no lock', 0x801n, 600n, null],
  ])('finds %s', (_what, dev, ino, pid) => {
    expect(lockHolder(locks, { dev, ino })).toBe(pid);
  });
});
