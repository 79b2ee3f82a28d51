import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endedByItself, readLastWords, writeLastWords } from '../../../src/gateway/supervisor/last-words.js';
import { completed, RunHistory } from '../../../src/gateway/supervisor/run-history.js';
import type { RunRecord, StopRecord } from '../../../src/store/open-store.js';
import { run as sampleRun } from '../../cli/operate/samples.js';
import { RecordingLog } from '../delivery/recording-log.js';

let directory: string;
let path: string;
const { stop } = sampleRun() as { readonly stop: StopRecord };
const crash: StopRecord = { ...stop, cause: 'crash', error: 'why' };
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'last-words-'));
  path = join(directory, 'last-words.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

it('are there for the next start', () => {
  writeLastWords(directory, { run: 'a', stop: crash });
  expect(readLastWords(directory)).toEqual({ run: 'a', stop: crash });
  writeLastWords(directory, { run: 'b', stop: null });
  expect(readLastWords(directory)).toEqual({ run: 'b', stop: null });
});

it('need no room but that of the start, whatever is said', () => {
  writeLastWords(directory, { run: 'a', stop: null });
  const { ino, size, blocks } = statSync(path);
  writeLastWords(directory, {
    run: 'a',
    stop: { ...crash, description: 'd'.repeat(10_000), error: 'é'.repeat(10_000) },
  });
  expect(statSync(path)).toMatchObject({ ino, size, blocks });
  expect(readLastWords(directory)?.stop?.error).toMatch(/^é+$/);
});

it.each(['', 'x', '{}\n', 'null\n'])('are none where the file has %j', (text) => {
  writeFileSync(path, text);
  expect(readLastWords(directory)?.stop ?? null).toBeNull();
});

it('keep nobody waiting where an agent has put a pipe', () => {
  execFileSync('mkfifo', [path]);
  expect(() => writeLastWords(directory, { run: 'a', stop: crash })).toThrow(/ENXIO/);
  expect(readLastWords(directory)).toBeNull();
  expect(existsSync(path)).toBe(false);
});

it('are neither written nor read through a link', () => {
  const other = join(directory, 'other');
  writeFileSync(other, JSON.stringify({ run: 'a', stop: crash }));
  symlinkSync(other, path);
  expect(() => writeLastWords(directory, { run: 'a', stop })).toThrow(/ELOOP/);
  expect(readLastWords(directory)).toBeNull();
  expect(readFileSync(other, 'utf8')).toBe(JSON.stringify({ run: 'a', stop: crash }));
});

const open = sampleRun({ stop: null, hasLastWords: true });
const endUnknown = expect.stringContaining('backup');

it.each([
  ['its words are there', open, { run: open.id, stop }, { ...open, stop }],
  ['it was killed', open, { run: open.id, stop: null }, null],
  [
    'another one ran since, which the database knows nothing of',
    open,
    { run: 'b', stop },
    { ...open, endUnknown },
  ],
  ['nothing else is there of the gateway', open, null, { ...open, endUnknown }],
  ['it was an earlier version', sampleRun({ stop: null }), null, null],
])('complete the record of a run without an end: %s', (_what, run, words, record) => {
  expect(completed(run, words)).toEqual(record);
});

it.each([
  [0, 0, '0 turns are run again'],
  [2, 0, '2 turns are run again'],
  [0, 1, '1 turn is run again'],
  [1, 2, '3 turns are run again'],
])('counts %i turns that were put back, and %i that were cut off', async (putBackTurns, cutOff, text) => {
  const log = new RecordingLog();
  const history = new RunHistory({ log, stateDirectory: directory, invocationId: null, startedAt: 0 });
  const previous = sampleRun({ stop: { ...stop, putBackTurns } });
  let kept: RunRecord | null = null;
  const store = {
    beginRun: async (current: RunRecord) => {
      kept = current;
      return [current, previous];
    },
    updateRun: async (current: RunRecord) => {
      kept = current;
    },
    runs: async () => [],
  };
  await history.begin(store, Promise.resolve({ resumedTurns: cutOff }));
  expect(kept).toMatchObject({ resumedTurns: cutOff });
  expect(log.records).toMatchObject([
    {
      message: expect.stringMatching(new RegExp(`^The last run ended cleanly: .*; ${text}$`)),
      fields: { SD_GATEWAY_RESUMED: putBackTurns + cutOff },
    },
  ]);
});

it('leaves it to who opens a store to say that it can’t be opened', async () => {
  const log = new RecordingLog();
  const history = new RunHistory({ log, stateDirectory: directory, invocationId: null, startedAt: 0 });
  const error = new Error('damaged');
  const failing = () => Promise.reject(error);
  const store = { beginRun: failing, updateRun: failing, runs: failing };
  await expect(history.begin(store, Promise.reject(error))).rejects.toBe(error);
  expect(log.records).toEqual([]);
  expect(readLastWords(directory)).toBeNull();
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
  writeLastWords(directory, { run: 'a', stop: crash });
  expect(endedByItself(directory)).toBe(true);
  writeLastWords(directory, { run: 'b', stop });
  expect(endedByItself(directory)).toBe(false);
});
