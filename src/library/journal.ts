import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import { type JournalField, type JournalOutcome, journalFlush, journalSend } from '../systemd/journal.js';
import { readFields, readList, unreadable } from './read-arguments.js';

/** A field's value, or several: then the field comes more than once. Undefined and null ones are left out. */
export type JournalValue = string | number | bigint | boolean | Uint8Array | null | undefined;

/** Fields of one entry by their names: `MESSAGE`, `PRIORITY`, `MESSAGE_ID`, and any own (systemd.journal-fields(7)). */
export type JournalFields = Readonly<Record<string, JournalValue | readonly JournalValue[]>>;

/** INT_MAX, milliseconds. */
const longestFlushMs = 2 ** 31 - 1;

/** Fields whose form is known, with it. */
const knownForms: Readonly<Record<string, readonly [form: RegExp, wanted: string]>> = {
  PRIORITY: [/^[0-7]$/, 'a number from 0 (emerg) to 7 (debug)'],
  MESSAGE_ID: [/^[0-9a-f]{32}$/i, '32 hexadecimal digits'],
};

/** A copy, so that nobody changes them meanwhile; null for what isn't bytes. */
function bytesOf(name: string, value: unknown): Uint8Array | null {
  if (!ArrayBuffer.isView(value)) return null;
  try {
    return value instanceof Uint8Array ? new Uint8Array(value) : null;
  } catch (error) {
    throw unreadable(`fields.${name}`, error);
  }
}

function checkedValue(name: string, value: unknown): string | Uint8Array {
  const bytes = bytesOf(name, value);
  if (bytes === null && !['string', 'number', 'bigint', 'boolean'].includes(typeof value)) {
    throw new ArgumentError(
      `fields.${name}`,
      `The journal field ${name} takes text, numbers and bytes, not ${showValue(value)}`,
    );
  }
  const field = bytes ?? String(value);
  const form = Object.hasOwn(knownForms, name) ? knownForms[name] : undefined;
  if (form !== undefined && !(typeof field === 'string' && form[0].test(field))) {
    throw new ArgumentError(
      `fields.${name}`,
      `The journal field ${name} must be ${form[1]}, not ${showValue(value)}`,
    );
  }
  return field;
}

/** The field as often as it has values; none for undefined and null. */
function entriesOf(name: string, value: unknown): JournalField[] {
  return (readList(`fields.${name}`, value) ?? [value])
    .filter((one) => one !== undefined && one !== null)
    .map((one): JournalField => [name, checkedValue(name, one)]);
}

/**
 * The journal, written to without a process in between.
 *
 * @see sd_journal_send(3), systemd.journal-fields(7)
 */
export const journal = {
  /**
   * Writes one entry without ever blocking. Text of several lines and bytes arrive as they are; a large entry goes as a
   * sealed memfd.
   *
   * @param fields values by the names of their fields: 1 to 64 of A-Z, 0-9 and _, the first a letter
   * @returns `sent`, `queued` while journald is busy, `unavailable`, or `failed` with errno
   * @throws {@link ArgumentError} for another name, a value that isn't text, a number or bytes, and for no field at all
   * @see sd_journal_send(3)
   */
  send(fields: JournalFields): JournalOutcome {
    const given = Object.entries(readFields('fields', fields));
    return journalSend(given.flatMap(([name, value]) => entriesOf(name, value)));
  },

  /**
   * Waits, blocking this thread, until journald has all that is queued.
   *
   * @param timeoutMilliseconds the longest wait, in milliseconds
   * @returns false if it took longer
   * @throws {@link ArgumentError} for a timeout that isn't a time
   * @see sd_journal_send(3)
   */
  flush(timeoutMilliseconds: number): boolean {
    const isTime =
      typeof timeoutMilliseconds === 'number' &&
      timeoutMilliseconds >= 0 &&
      timeoutMilliseconds <= longestFlushMs;
    if (!isTime) {
      throw new ArgumentError(
        'timeoutMilliseconds',
        `${showValue(timeoutMilliseconds)} ms is not a time that a flush can wait`,
      );
    }
    return journalFlush(timeoutMilliseconds);
  },
};
