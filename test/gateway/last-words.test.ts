import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { leaveLastWords, takeLastWords } from '../../src/gateway/last-words.js';

let directory: string;
let path: string;
const words = { run: 'a', at: 1, error: 'why' };
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'last-words-'));
  path = join(directory, 'last-words.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

it('are there for the next start, once', () => {
  leaveLastWords(directory, words);
  expect(takeLastWords(directory)).toEqual(words);
  expect(takeLastWords(directory)).toBeNull();
});

it('keep nobody waiting where an agent has put a pipe', () => {
  execFileSync('mkfifo', [path]);
  expect(() => leaveLastWords(directory, words)).toThrow(/ENXIO/);
  expect(takeLastWords(directory)).toBeNull();
  expect(existsSync(path)).toBe(false);
});

it('are neither written nor read through a link', () => {
  const other = join(directory, 'other');
  writeFileSync(other, JSON.stringify(words));
  symlinkSync(other, path);
  expect(() => leaveLastWords(directory, { ...words, error: 'x' })).toThrow(/ELOOP/);
  expect(takeLastWords(directory)).toBeNull();
  expect(readFileSync(other, 'utf8')).toBe(JSON.stringify(words));
});
