import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endedByItself, takeCrashNote, writeCrashNote } from '../../../src/gateway/supervisor/run-history.js';

let directory: string;
let path: string;
const note = { run: 'a', at: 1, error: 'why' };
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'last-words-'));
  path = join(directory, 'last-words.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

it('are there for the next start, once', () => {
  writeCrashNote(directory, note);
  expect(takeCrashNote(directory)).toEqual(note);
  expect(takeCrashNote(directory)).toBeNull();
});

it('keep nobody waiting where an agent has put a pipe', () => {
  execFileSync('mkfifo', [path]);
  expect(() => writeCrashNote(directory, note)).toThrow(/ENXIO/);
  expect(takeCrashNote(directory)).toBeNull();
  expect(existsSync(path)).toBe(false);
});

it('are neither written nor read through a link', () => {
  const other = join(directory, 'other');
  writeFileSync(other, JSON.stringify(note));
  symlinkSync(other, path);
  expect(() => writeCrashNote(directory, { ...note, error: 'x' })).toThrow(/ELOOP/);
  expect(takeCrashNote(directory)).toBeNull();
  expect(readFileSync(other, 'utf8')).toBe(JSON.stringify(note));
});

const child = new URL('./fatal-signal-child.mjs', import.meta.url).pathname;
const run = (end: string) =>
  spawnSync(process.execPath, ['--max-old-space-size=20', child, directory, end], { stdio: 'ignore' });

it.each([
  ['an abort', 'abort', 'SIGABRT', true],
  ['its own end of memory', 'out of memory', 'SIGABRT', true],
  ['the watchdog, as it was blocked,', 'ABRT while it is blocked', 'SIGABRT', true],
  // As the watchdog does to a process that was stopped, and to one whose disk hangs.
  ['the watchdog, though it was not blocked,', 'ABRT', 'SIGABRT', false],
  ['a fault', 'SEGV', 'SIGSEGV', true],
  ['a kill from outside', 'KILL', 'SIGKILL', false],
  ['a signal from outside', 'TERM', 'SIGTERM', false],
  ['an exit', 'exit', null, false],
])('a run that %s ends has ended by itself or not', (_what, end, signal, expected) => {
  expect(run(end)).toMatchObject({ signal });
  expect(endedByItself(directory)).toBe(expected);
  // The next run begins anew.
  run('exit');
  expect(endedByItself(directory)).toBe(false);
});

it('a run that an exception ends has ended by itself, and one without a word has not', () => {
  expect(endedByItself(directory)).toBe(false);
  writeCrashNote(directory, note);
  expect(endedByItself(directory)).toBe(true);
  takeCrashNote(directory);
  expect(endedByItself(directory)).toBe(false);
});
