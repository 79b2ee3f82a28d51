import { ArgumentError, showValue } from '../systemd/arguments.js';
import { type JournalField, type JournalOutcome, journalFlush, journalSend } from '../systemd/journal.js';

/** A field's value, or several: then the field comes more than once. Undefined and null ones are left out. */
export type JournalValue = string | number | bigint | boolean | Uint8Array | null | undefined;

/** Fields of one entry by their names: `MESSAGE`, `PRIORITY`, `MESSAGE_ID`, and any own (systemd.journal-fields(7)). */
export type JournalFields = Readonly<Record<string, JournalValue | readonly JournalValue[]>>;

/** Fields whose form is known, with it. */
const knownForms: Readonly<Record<string, readonly [form: RegExp, wanted: string]>> = {
  PRIORITY: [/^[0-7]$/, 'a number from 0 (emerg) to 7 (debug)'],
  MESSAGE_ID: [/^[0-9a-f]{32}$/i, '32 hexadecimal digits'],
};

function* valuesOf(name: string, value: unknown): Generator<JournalField> {
  if (value === undefined || value === null) return;
  if (Array.isArray(value)) {
    for (const one of value) yield* valuesOf(name, one);
    return;
  }
  if (!(value instanceof Uint8Array) && !['string', 'number', 'bigint', 'boolean'].includes(typeof value)) {
    throw new ArgumentError(
      `fields.${name}`,
      `The journal field ${name} takes text, numbers and bytes, not ${showValue(value)}`,
    );
  }
  const field = value instanceof Uint8Array ? value : String(value);
  const form = Object.hasOwn(knownForms, name) ? knownForms[name] : undefined;
  if (form !== undefined && !(typeof field === 'string' && form[0].test(field))) {
    throw new ArgumentError(
      `fields.${name}`,
      `The journal field ${name} must be ${form[1]}, not ${showValue(value)}`,
    );
  }
  yield [name, field];
}

/** journald, spoken to without a daemon in between (sd_journal_send(3)). */
export const journal = {
  /**
   * Writes one entry without ever blocking. Text of several lines and bytes arrive as they are; a large entry goes as a
   * sealed memfd.
   *
   * @throws ArgumentError for a name that isn't 1 to 64 of A-Z, 0-9 and _ after a letter, a value that isn't text, a
   *   number or bytes, and for no field at all
   */
  send(fields: JournalFields): JournalOutcome {
    if (typeof fields !== 'object' || fields === null) {
      throw new ArgumentError(
        'fields',
        `A journal entry needs an object of fields, not ${showValue(fields)}`,
      );
    }
    const entry: JournalField[] = [];
    for (const [name, value] of Object.entries(fields)) entry.push(...valuesOf(name, value));
    return journalSend(entry);
  },

  /** Waits, blocking this thread, until journald has all that is queued; false after `timeoutMilliseconds`. */
  flush(timeoutMilliseconds: number): boolean {
    if (!(timeoutMilliseconds >= 0 && timeoutMilliseconds <= 2 ** 31 - 1)) {
      throw new ArgumentError(
        'timeoutMilliseconds',
        `${showValue(timeoutMilliseconds)} ms is not a time that a flush can wait`,
      );
    }
    return journalFlush(timeoutMilliseconds);
  },
};
