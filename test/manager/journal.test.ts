import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { JournalError, type JournalRecord, mayReadJournal, readJournal } from '../../src/manager/journal.js';
import { nearJson } from '../fuzz/near-json.js';
import { fakeProgram } from './fake-program.js';

const record = '{"MESSAGE":"first"}\n';
const cut = `${record}{"MESSAGE":"sec`;

function printing(text: string): string {
  return `require('node:fs').writeSync(1, ${JSON.stringify(text)});`;
}

async function readAll(signal = new AbortController().signal): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const found of readJournal({ matches: [], signal })) records.push(found);
  return records;
}

describe('a line of journalctl’s that is cut short', () => {
  it('ends what was aborted', async () => {
    // journalctl may end itself in good order when it is told to.
    fakeProgram(
      'journalctl',
      `process.once('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1_000); ${printing(cut)}`,
    );
    const ending = new AbortController();
    const records: JournalRecord[] = [];
    for await (const found of readJournal({ matches: [], signal: ending.signal })) {
      records.push(found);
      ending.abort();
    }
    expect(records).toEqual([{ MESSAGE: 'first' }]);
  });

  it('ends the records of a journalctl that was killed', async () => {
    fakeProgram('journalctl', `${printing(cut)} process.kill(process.pid, 'SIGKILL');`);
    expect(await readAll()).toEqual([{ MESSAGE: 'first' }]);
  });

  it.each([
    ['at the end', cut],
    ['between others', `${cut}\n${record}`],
  ])('is an error of a journalctl that nobody ended: %s', async (_where, text) => {
    fakeProgram('journalctl', printing(text));
    const error = await readAll().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(JournalError);
    expect((error as JournalError).detail).toContain('{"MESSAGE":"sec');
  });

  it('gives way to what journalctl itself says of its end', async () => {
    fakeProgram(
      'journalctl',
      `${printing(cut)} process.stderr.write('No space left'); process.exitCode = 1;`,
    );
    await expect(readAll()).rejects.toMatchObject({ detail: 'No space left' });
  });
});

describe('a line of journalctl’s', () => {
  it.each(['null', '7', '"text"', '[]'])('that is JSON, and no record, is an error: %s', async (line) => {
    fakeProgram('journalctl', printing(`${line}\n`));
    await expect(readAll()).rejects.toThrow(JournalError);
  });

  it('has the texts that its values stand for, and none for what is no value of journalctl’s', async () => {
    const values = {
      A: 'a',
      B: [98, 195, 188],
      C: ['c', [99], null],
      D: null,
      E: 7,
      F: { toString: null },
      G: [],
    };
    fakeProgram('journalctl', printing(`${JSON.stringify(values)}\n`));
    expect(await readAll()).toEqual([{ A: 'a', B: 'bü', C: ['c', 'c', ''], D: '', E: '7', F: '', G: '' }]);
  });

  it('that is nearly right is a record of texts, or an error', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-journal-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'lines');
    fakeProgram(
      'journalctl',
      `process.stdout.write(require('node:fs').readFileSync(${JSON.stringify(file)}));`,
    );
    const line = nearJson({
      MESSAGE: 'first',
      _PID: '7',
      BYTES: [103, 114, 252],
      TWICE: ['a', [98]],
      NONE: null,
    });
    const text = (value: unknown) => typeof value === 'string';
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 20 }), async (lines) => {
        writeFileSync(file, lines.map((one) => `${one}\n`).join(''));
        const records = await readAll().catch((error: unknown) => error);
        if (!Array.isArray(records)) {
          expect(records).toBeInstanceOf(JournalError);
          return;
        }
        expect(records.length).toBe(lines.length);
        for (const value of records.flatMap((record) => Object.values(record))) {
          expect(text(value) || (Array.isArray(value) && value.every(text))).toBe(true);
        }
      }),
      { numRuns: 6 },
    );
  });
});

vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  // As for a user who owns nothing, also where root runs the tests.
  accessSync: (path: string) => {
    if ((statSync(path).mode & 0o004) === 0) throw Object.assign(new Error(path), { code: 'EACCES' });
  },
}));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-journal-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const user = { scope: 'user', uid: 7 } as const;
const system = { scope: 'system', uid: 7 } as const;

it.each([
  ['no file', user, {}, null],
  ['the system’s alone', user, { 'persistent/1/system.journal': 0o640 }, false],
  [
    'their own, persistent',
    user,
    { 'persistent/1/system.journal': 0o640, 'persistent/1/user-7.journal': 0o644 },
    true,
  ],
  [
    'their own, until the next boot',
    user,
    { 'persistent/1/system.journal': 0o640, 'volatile/1/user-7.journal': 0o644 },
    true,
  ],
  [
    'somebody else’s',
    user,
    { 'persistent/1/system.journal': 0o640, 'persistent/1/user-8.journal': 0o644 },
    false,
  ],
  ['only their own', user, { 'persistent/1/user-7.journal': 0o644 }, true],
  ['their own, which they may not read', user, { 'persistent/1/user-7.journal': 0o640 }, false],
  ['the system’s, which all may read', user, { 'persistent/1/system.journal': 0o644 }, true],
  [
    'two machines’',
    user,
    { 'persistent/1/system.journal': 0o640, 'persistent/2/user-7.journal': 0o644 },
    true,
  ],
  [
    'those of this machine under two ids',
    system,
    { 'persistent/1/system.journal': 0o640, 'persistent/2/system.journal': 0o644 },
    true,
  ],
  [
    'their own, for a unit of the system',
    system,
    { 'persistent/1/system.journal': 0o640, 'persistent/1/user-7.journal': 0o644 },
    false,
  ],
  ['the system’s, for a unit of the system', system, { 'volatile/1/system.journal': 0o644 }, true],
] as const)('with %s', (_what, whose, files, mayRead) => {
  for (const [name, mode] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, '');
    chmodSync(path, mode);
  }
  const roots = ['persistent', 'volatile'].map((name) => join(directory, name));
  expect(mayReadJournal(whose, roots)).toBe(mayRead);
});
