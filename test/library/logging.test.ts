import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../src/library/index.js';
import { journalDestination, journalLog, pinoFields } from '../../src/library/logging.js';
import { formatJournalEntry, type JournalField } from '../../src/systemd/journal.js';
import { unicodeText } from '../fuzz/unicode-text.js';

describe('a record of pino', () => {
  it.each([
    [60, 2],
    [50, 3],
    [40, 4],
    [30, 6],
    [20, 7],
    [10, 7],
    [35, 6],
  ])('of level %i has the priority %i', (level, priority) => {
    expect(pinoFields({ level, msg: 'text' })).toEqual({ MESSAGE: 'text', PRIORITY: priority });
  });

  it('has its keys as fields, its error with the stack, and a message id', () => {
    const id = '0123456789abcdef0123456789abcdef';
    const record = {
      level: 50,
      time: 1,
      pid: 2,
      hostname: 'h',
      msg: 'a\nb',
      requestId: 7,
      message_id: id,
      user: { name: 'n' },
      err: { message: 'm', stack: 's\nt' },
    };
    expect(pinoFields(record)).toEqual({
      MESSAGE: 'a\nb',
      PRIORITY: 3,
      REQUEST_ID: '7',
      MESSAGE_ID: id,
      USER: '{"name":"n"}',
      ERROR_STACK: 's\nt',
    });
  });

  it('of any keys and values can be sent', () => {
    fc.assert(
      fc.property(fc.dictionary(unicodeText(), fc.jsonValue()), (record) => {
        const fields = Object.entries(pinoFields(record)).filter(([, value]) => value !== null);
        expect(() =>
          formatJournalEntry(fields.map(([name, value]) => [name, String(value)] as JournalField)),
        ).not.toThrow();
      }),
    );
  });
});

describe('journalLog', () => {
  it('refuses a priority that does not exist', () => {
    expect(() => journalLog('error' as never, 'text')).toThrow(ArgumentError);
  });
});

describe('the destination', () => {
  it('takes lines that are no JSON', async () => {
    const destination = journalDestination();
    await new Promise<void>((resolve, reject) => {
      destination.on('error', reject);
      destination.end('no JSON\n5\nnull\n{"level":30,"msg":"x"}\n', resolve);
    });
  });
});
