import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFiles } from '../../src/linux/process.js';
import {
  formatJournalEntry,
  type JournalField,
  journalFlush,
  journalQueue,
  journalSend,
  journalStreamMatches,
} from '../../src/systemd/journal.js';
import { unicodeText } from '../fuzz/unicode-text.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

/**
 * Reads an entry as journald does: `NAME=value` lines, and `NAME` lines before a length and that many bytes. Gives each
 * value’s bytes as characters, which are quicker to compare.
 */
function parse(entry: Uint8Array): [name: string, value: string][] {
  const bytes = Buffer.from(entry);
  const fields: [string, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    const equals = bytes.indexOf(0x3d, at);
    if (equals >= 0 && equals < end) {
      fields.push([bytes.toString('latin1', at, equals), bytes.toString('latin1', equals + 1, end)]);
      at = end + 1;
      continue;
    }
    const length = Number(bytes.readBigUInt64LE(end + 1));
    const start = end + 9;
    fields.push([bytes.toString('latin1', at, end), bytes.toString('latin1', start, start + length)]);
    expect(bytes[start + length]).toBe(0x0a);
    at = start + length + 1;
  }
  return fields;
}

function bytesOf(value: string | Uint8Array): Buffer {
  return Buffer.from(value as string);
}

const fieldName = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,63}$/);
const fieldValue = fc.oneof(
  unicodeText(),
  fc.string({ unit: fc.constantFrom('\n', '=', '\0', 'A=b', '\ud800') }),
  fc.uint8Array(),
);

describe('formatJournalEntry', () => {
  it('keeps every field and every byte', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fieldName, fieldValue), { minLength: 1 }), (fields) => {
        const entry = formatJournalEntry(fields);
        expect(parse(bytesOf(entry))).toEqual(
          fields.map(([name, value]) => [name, bytesOf(value).toString('latin1')]),
        );
      }),
      { numRuns: 500 },
    );
  });

  it.each(['', 'message', '_PID', '1ST', 'A-B', 'A=B', 'A\nB', 'A\n', 'Ä', 'A'.repeat(65)])(
    'refuses %j as a name',
    (name) => {
      expect(() => formatJournalEntry([[name, 'x']])).toThrow(RangeError);
    },
  );

  it('refuses an entry without a field', () => {
    expect(() => formatJournalEntry([])).toThrow(RangeError);
  });
});

describe('with a journal', () => {
  let folder: string;
  let address: string;
  let receiver: DatagramReceiver;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sd-gateway-journal-'));
    address = join(folder, 'socket');
    receiver = await DatagramReceiver.open(address);
  });

  afterEach(async () => {
    await receiver.close();
    rmSync(folder, { recursive: true });
  });

  describe('journalSend', () => {
    it('sends an entry as one datagram', async () => {
      expect(
        journalSend(
          [
            ['MESSAGE', 'hello'],
            ['PRIORITY', '6'],
          ],
          address,
        ),
      ).toEqual({ outcome: 'sent' });
      expect(await receiver.next()).toMatchObject({ text: 'MESSAGE=hello\nPRIORITY=6\n', fds: [] });
    });

    it('sends several lines, bytes and half characters', async () => {
      const fields: JournalField[] = [
        ['MESSAGE', 'two\nlines'],
        ['BYTES', new Uint8Array([0, 255, 10])],
        ['HALF', 'a\ud800'],
      ];
      journalSend(fields, address);
      expect(parse((await receiver.next()).data)).toEqual([
        ['MESSAGE', 'two\nlines'],
        ['BYTES', '\0\xff\n'],
        ['HALF', 'a\xef\xbf\xbd'],
      ]);
      journalSend([['HALF', 'a\ud800']], address);
      expect(parse((await receiver.next()).data)).toEqual([['HALF', 'a\xef\xbf\xbd']]);
    });

    it.each([
      ['text', 'x'],
      ['several lines', 'x\n'],
    ])('seals an entry too large for a datagram (%s)', async (_what, unit) => {
      const fields: JournalField[] = [['MESSAGE', unit.repeat(1_000_000)]];
      expect(journalSend(fields, address)).toEqual({ outcome: 'sent' });
      const received = await receiver.next();
      expect(received.text).toBe('');
      // F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE of fcntl(2): journald takes nothing less.
      expect(received.fds).toMatchObject([{ kind: 'file', seals: 0xf }]);
      const [file] = received.fds;
      expect(file?.kind === 'file' && file.content.equals(bytesOf(formatJournalEntry(fields)))).toBe(true);
    });

    it('keeps the order when journald has no room, large entries among them', async () => {
      let count = 1;
      while (journalSend([['MESSAGE', String(count)]], address).outcome === 'sent') count++;
      expect(journalSend([['MESSAGE', 'x'.repeat(200_000)]], address)).toEqual({ outcome: 'queued' });
      expect(journalSend([['MESSAGE', 'last']], address)).toEqual({ outcome: 'queued' });
      expect(journalQueue().waiting).toBe(3);
      expect(journalFlush(0)).toBe(false);
      for (let n = 1; n <= count; n++) expect((await receiver.next()).text).toBe(`MESSAGE=${n}\n`);
      expect((await receiver.next()).fds).toMatchObject([{ kind: 'file', seals: 0xf }]);
      expect((await receiver.next()).text).toBe('MESSAGE=last\n');
    });

    it('holds few descriptors for large entries that wait, and takes small ones still', async () => {
      // The last one waits.
      let small = 1;
      while (journalSend([['MESSAGE', 'x']], address).outcome === 'sent') small += 1;
      const before = openFiles().open ?? 0;
      const large = Array.from(
        { length: 40 },
        () => journalSend([['MESSAGE', 'x'.repeat(200_000)]], address).outcome,
      );
      expect(large).toEqual([...Array(16).fill('queued'), ...Array(24).fill('failed')]);
      expect(openFiles().open).toBe(before + 16);
      expect(journalSend([['MESSAGE', 'small']], address)).toEqual({ outcome: 'queued' });
      const arrived = receiver.count(small + 16 + 1, '/dev/null');
      expect(journalFlush(10_000)).toBe(true);
      await arrived;
      expect(openFiles().open).toBe(before);
      expect(journalSend([['MESSAGE', 'x'.repeat(200_000)]], address)).toEqual({ outcome: 'sent' });
    });

    it('says when there is no journal, and what else is wrong', async () => {
      expect(journalSend([['MESSAGE', 'x']], join(folder, 'missing'))).toEqual({ outcome: 'unavailable' });
      await receiver.close();
      expect(journalSend([['MESSAGE', 'x']], address)).toMatchObject({
        outcome: 'failed',
        code: 'ECONNREFUSED',
      });
    });

    it('waits for the queue at the end of a process', async () => {
      while (journalSend([['MESSAGE', 'x']], address).outcome === 'sent');
      const emptied = receiver.pending();
      expect(journalFlush(10_000)).toBe(true);
      await emptied;
      expect(journalQueue().waiting).toBe(0);
    });

    it.each([
      ['Number.MAX_VALUE', true],
      ['Number.MAX_SAFE_INTEGER', true],
      ['-1', false],
      ['-Number.MAX_VALUE', false],
      ['Number.NaN', false],
    ])('ends whatever the time is that it may take: %s', async (timeout, isEmptied) => {
      const built = (file: string) => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);
      // A process of its own: this one could not go on if it did not end.
      const program = `
      import { native } from ${built('linux/native.js')};
      import { journalSend } from ${built('systemd/journal.js')};
      while (journalSend([['MESSAGE', 'x']], ${JSON.stringify(address)}).outcome === 'sent');
      process.stdout.write('full\\n', () => process.exit(native().journal_flush(${timeout}) ? 10 : 20));`;
      const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { timeout: 10_000 });
      const ended = once(child, 'exit');
      if (isEmptied) {
        await once(child.stdout, 'data');
        await receiver.pending();
      }
      expect((await ended)[0]).toBe(isEmptied ? 10 : 20);
    });
  });

  describe('journalStreamMatches', () => {
    it('compares device and inode', () => {
      const fd = openSync('/dev/null', 'r');
      const { dev, ino } = fstatSync(fd);
      expect(journalStreamMatches(fd, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe(true);
      expect(journalStreamMatches(fd, { JOURNAL_STREAM: `${dev}:${ino + 1}` })).toBe(false);
      expect(journalStreamMatches(fd, { JOURNAL_STREAM: `${dev + 1}:${ino}` })).toBe(false);
      expect(journalStreamMatches(fd, { JOURNAL_STREAM: 'x' })).toBe(false);
      expect(journalStreamMatches(fd, {})).toBe(false);
      expect(journalStreamMatches(999_999, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe(false);
    });
  });
});
