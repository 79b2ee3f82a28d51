import { describe, expect, it } from 'vitest';
import { JournalError, type JournalRecord, readJournal } from '../../src/manager/journal-reader.js';
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
