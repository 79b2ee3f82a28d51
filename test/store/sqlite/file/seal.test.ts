import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LogMarker, readSeal, seal, sealPath } from '../../../../src/store/sqlite/file/seal.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-seal-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test.each([
  ['sealed', (path: string) => seal(path, 'closed')],
  ['noted', (path: string) => new LogMarker(path).seal('damaged')],
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

describe('a mark of the log', () => {
  const mark = (frames: number, isCopied = false) => ({ salts: '0123456789abcdef', frames, isCopied });
  let path: string;
  let marker: LogMarker;
  beforeEach(() => {
    path = join(directory, 'gateway.db');
    writeFileSync(path, 'database');
    marker = new LogMarker(path);
    seal(path, 'open', mark(1));
  });
  afterEach(() => marker.close());

  test('takes the place of the one before, and leaves the rest of the seal', () => {
    for (const log of [mark(2), mark(30, true), mark(4)]) {
      marker.mark(log);
      expect(readSeal(path)).toEqual({ intact: true, closed: false, log, isSameBoot: true });
    }
  });

  test.each([
    [0, true],
    [7, false],
  ])('of an earlier version is read: %i frames', (frames, isCopied) => {
    const [first] = readFileSync(sealPath(path), 'utf8').split('\n');
    writeFileSync(sealPath(path), `${first}\nlog 0123456789abcdef, frames 000000000${frames}\n`);
    expect(readSeal(path).log).toEqual(mark(frames, isCopied));
  });

  test('goes on behind a new seal in the same file, which stays open', () => {
    marker.mark(mark(2));
    seal(path, 'open', mark(3, true));
    expect(openedTimes(sealPath(path))).toBe(1);
    marker.mark(mark(4));
    expect(openedTimes(sealPath(path))).toBe(1);
    expect(readSeal(path)).toEqual({ intact: true, closed: false, log: mark(4), isSameBoot: true });
  });

  test('goes into the seal that lies there, if that took the place of another one', () => {
    marker.mark(mark(2));
    writeFileSync(`${path}-other`, readFileSync(sealPath(path)));
    renameSync(`${path}-other`, sealPath(path));
    marker.mark(mark(3));
    expect(readSeal(path).log).toEqual(mark(3));
  });

  test('holds while the log is copied, whatever becomes of the database', () => {
    marker.mark(mark(2));
    marker.beginCopy();
    writeFileSync(path, 'half of it');
    expect(readSeal(path)).toEqual({ intact: false, closed: false, log: mark(2), isSameBoot: true });
    marker.seal('open');
    expect(readSeal(path)).toEqual({ intact: true, closed: false, log: mark(2), isSameBoot: true });
  });

  test('holds for a database with damage, all of which the next start reads', () => {
    marker.seal('damaged');
    marker.mark(mark(2));
    expect(readSeal(path)).toEqual({ intact: false, closed: false, log: mark(2), isSameBoot: true });
    seal(path, 'damaged', mark(3, true));
    expect(readSeal(path)).toEqual({ intact: false, closed: false, log: mark(3, true), isSameBoot: true });
  });

  test('is refused without a seal, and makes none: it would stand for a database that nobody has sealed', () => {
    marker.mark(mark(2));
    rmSync(sealPath(path));
    expect(() => marker.mark(mark(3))).toThrow('ENOENT');
    expect(readSeal(path)).toEqual({ intact: false, closed: false, log: null, isSameBoot: false });
    seal(path, 'open', mark(3));
    marker.mark(mark(4));
    expect(readSeal(path).log).toEqual(mark(4));
  });
});

/** Counts this process's descriptors of a file. */
function openedTimes(file: string): number {
  const linkOf = (descriptor: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      // The descriptor of the listing itself.
      return null;
    }
  };
  return readdirSync('/proc/self/fd').filter((descriptor) => linkOf(descriptor) === file).length;
}
