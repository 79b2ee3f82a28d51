import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { takeCrashNote, writeCrashNote } from '../../../src/gateway/supervisor/crash-note.js';

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
