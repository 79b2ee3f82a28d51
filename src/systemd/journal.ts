import { fstatSync } from 'node:fs';
import { ArgumentError, type SystemCallFailure } from '../linux/errors.js';
import { failure, native } from '../linux/native.js';
import { showValue } from './arguments.js';

/** A field's name and value. A name may come more than once: then the field has several values. */
export type JournalField = readonly [name: string, value: string | Uint8Array];

export type JournalOutcome =
  /** It is in journald's queue. */
  | { readonly outcome: 'sent' }
  /** journald's queue is full: a thread sends it as soon as there is room, after what was queued before. */
  | { readonly outcome: 'queued' }
  /** There is no journald here. */
  | { readonly outcome: 'unavailable' }
  | SystemCallFailure;

/** journald's socket for entries; a unit with `LogNamespace=` finds its own at the same place. */
export const journalSocket = '/run/systemd/journal/socket';

const errnoNoEntry = 2;
const sent: JournalOutcome = Object.freeze({ outcome: 'sent' });
const queued: JournalOutcome = Object.freeze({ outcome: 'queued' });
const unavailable: JournalOutcome = Object.freeze({ outcome: 'unavailable' });

/** journald takes no other names; those with a leading underscore are its own (systemd.journal-fields(7)). */
const fieldNamePattern = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Names that were found to be right; a service has few. */
const checkedNames = new Set<string>();
const mostCheckedNames = 1_000;

function checkName(name: string): void {
  if (checkedNames.has(name)) return;
  if (!fieldNamePattern.test(name)) {
    throw new ArgumentError(
      `fields.${name}`,
      `${showValue(name)} can't be the name of a journal field: 1 to 64 of A-Z, 0-9 and _, first a letter`,
    );
  }
  if (checkedNames.size < mostCheckedNames) checkedNames.add(name);
}

/** The form for any bytes: the name, the value's length as 64 bits, little endian, and the value. */
function binaryField(name: string, value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const field = Buffer.allocUnsafe(name.length + 1 + 8 + bytes.length + 1);
  let end = field.write(`${name}\n`, 'latin1');
  end = field.writeBigUInt64LE(BigInt(bytes.length), end);
  field.set(bytes, end);
  field[end + bytes.length] = 0x0a;
  return field;
}

/**
 * One entry in the journal's native protocol (systemd.io, "Native Journal Protocol"): as a string where every value
 * is text of one line, else as bytes. Throws `ArgumentError` for a name that journald doesn't take, and for no field.
 */
export function formatJournalEntry(fields: readonly JournalField[]): string | Uint8Array {
  let lines = '';
  let chunks: Uint8Array[] | null = null;
  for (const [name, value] of fields) {
    checkName(name);
    if (typeof value === 'string' && !value.includes('\n')) {
      lines += `${name}=${value}\n`;
    } else {
      chunks ??= [];
      chunks.push(Buffer.from(lines), binaryField(name, value));
      lines = '';
    }
  }
  if (fields.length === 0) throw new ArgumentError('fields', 'A journal entry without a field says nothing');
  return chunks === null ? lines : Buffer.concat([...chunks, Buffer.from(lines)]);
}

/**
 * Writes one entry to the journal, without ever blocking; one that is too large for a datagram goes as a sealed
 * memfd. Throws `ArgumentError` as `formatJournalEntry` does.
 */
export function journalSend(fields: readonly JournalField[], socket: string = journalSocket): JournalOutcome {
  const result = native().journal_send(socket, formatJournalEntry(fields));
  if (result === 1) return sent;
  if (result > 0) return queued;
  return result === -errnoNoEntry ? unavailable : failure(result);
}

/**
 * Waits, blocking this thread, until journald has been sent all that is queued; for a process that is about to end.
 * False when that took longer than `timeoutMilliseconds`.
 */
export function journalFlush(timeoutMilliseconds: number): boolean {
  return native().journal_flush(Math.max(0, Math.ceil(timeoutMilliseconds)));
}

/** Counts the entries that wait, and those that could not be sent after having waited. */
export function journalQueue(): { readonly waiting: number; readonly failed: number } {
  const [waiting, failed] = native().journal_queue();
  return { waiting, failed };
}

/**
 * Returns true if descriptor `fd` is the stream to the journal that the service manager set up for this process's
 * output. Compares it with `$JOURNAL_STREAM` of systemd.exec(5). Returns false if it was redirected since, or is
 * closed.
 */
export function journalStreamMatches(
  fd: number,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const match = /^(\d+):(\d+)$/.exec(environment['JOURNAL_STREAM'] ?? '');
  if (match === null) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return dev === BigInt(match[1] ?? '') && ino === BigInt(match[2] ?? '');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EBADF') return false;
    throw error;
  }
}
