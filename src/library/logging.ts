/**
 * The journal as a logger. Imported as `@sd-gateway/systemd/logging`.
 *
 * @packageDocumentation
 */
import { basename } from 'node:path';
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import type { JournalOutcome } from '../systemd/journal.js';
import { type JournalFields, type JournalValue, journal } from './journal.js';
import { readFields, unreadable } from './read-arguments.js';
import { printError } from './report.js';

/** Priorities of syslog(3), by the names that journalctl has for them. */
const priorities = { emerg: 0, alert: 1, crit: 2, err: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;

export type LogPriority = keyof typeof priorities;

/** pino's levels, the highest first; what is below the last is `debug`. */
const pinoLevels: readonly (readonly [label: string, atLeast: number, priority: number])[] = [
  ['fatal', 60, 2],
  ['error', 50, 3],
  ['warn', 40, 4],
  ['info', 30, 6],
];

/** Keys of pino's records; other keys become fields of their own. */
const notFields = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'v', 'err']);

/** A level's number, or its label where a formatter has put that into its place. */
function priorityOf(level: unknown): number {
  const number = typeof level === 'number' ? level : 0;
  return pinoLevels.find(([label, atLeast]) => label === level || number >= atLeast)?.[2] ?? 7;
}

function fieldName(key: string): string | null {
  const name = key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^[^A-Z]+/, '')
    .slice(0, 64);
  return name === '' ? null : name;
}

/** JSON's form of a Buffer, in which bytes arrive. */
function bytesIn(value: object): Uint8Array | null {
  const { type, data } = value as { readonly type?: unknown; readonly data?: unknown };
  const isBuffer = type === 'Buffer' && Array.isArray(data) && data.every((byte) => Number.isInteger(byte));
  return isBuffer ? Uint8Array.from(data) : null;
}

/** Any value as text; JSON where there is such a form. Never throws: a record is worth more than the form of a field. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return (typeof value === 'object' ? JSON.stringify(value) : undefined) ?? String(value);
  } catch {
    return showValue(value);
  }
}

function fieldValue(value: unknown): JournalValue {
  if (value === null || value === undefined || value instanceof Uint8Array) return value;
  return (typeof value === 'object' ? bytesIn(value) : null) ?? textOf(value);
}

/**
 * Writes a message to the journal, in the place of `console.log`. Without a journal it goes to standard error.
 *
 * @param priority `emerg`, `alert`, `crit`, `err`, `warning`, `notice`, `info` or `debug`
 * @param message text of any number of lines
 * @param fields further fields, as `journal.send` has them
 * @throws `ArgumentError` as `journal.send` does, and for a priority that doesn't exist
 * @see sd_journal_send(3), syslog(3)
 */
export function journalLog(
  priority: LogPriority,
  message: string,
  fields: JournalFields = {},
): JournalOutcome {
  if (typeof priority !== 'string' || !Object.hasOwn(priorities, priority)) {
    const known = Object.keys(priorities).join(', ');
    throw new ArgumentError('priority', `${showValue(priority)} is no priority; those are ${known}`);
  }
  if (typeof message !== 'string') {
    throw new ArgumentError('message', `A message is text, not ${showValue(message)}`);
  }
  return write({ ...readFields('fields', fields), MESSAGE: message, PRIORITY: priorities[priority] });
}

/** Sends a record to the journal, or writes it to standard error if that fails: no record is lost without a word. */
function write(fields: JournalFields): JournalOutcome {
  const identifier = basename(process.argv[1] ?? process.argv0);
  const outcome = journal.send({ SYSLOG_IDENTIFIER: identifier, ...fields });
  if (outcome.outcome === 'unavailable' || outcome.outcome === 'failed') {
    printError(textOf(fields['MESSAGE']));
  }
  return outcome;
}

/**
 * One record of pino as fields of the journal, for a transport of one's own.
 *
 * @param record as pino has written it, parsed
 * @throws `ArgumentError` for what is no object, or can't be read
 * @see systemd.journal-fields(7)
 */
export function pinoFields(record: Readonly<Record<string, unknown>>): JournalFields {
  const given = readFields('record', record);
  try {
    return fieldsOf(given);
  } catch (error) {
    throw unreadable('record', error);
  }
}

function fieldsOf(given: Readonly<Record<string, unknown>>): JournalFields {
  const fields: Record<string, JournalValue> = {};
  for (const [key, value] of Object.entries(given)) {
    const name = notFields.has(key) ? null : fieldName(key);
    if (name !== null) fields[name] = fieldValue(value);
  }
  const { message: reason, stack } = Object(given['err']) as {
    readonly message?: unknown;
    readonly stack?: unknown;
  };
  if (stack !== undefined) fields['ERROR_STACK'] = textOf(stack);
  // A wrong id must not cost the record.
  if (!/^[0-9a-f]{32}$/i.test(String(fields['MESSAGE_ID'] ?? ''))) delete fields['MESSAGE_ID'];
  const message = given['msg'] ?? fields['MESSAGE'] ?? reason ?? '';
  return { ...fields, MESSAGE: fieldValue(message), PRIORITY: priorityOf(given['level']) };
}

/**
 * A destination for pino that writes to the journal: `pino(journalDestination())`. Levels become priorities, and keys
 * fields: `requestId` becomes `REQUEST_ID`. A line that isn't JSON becomes a message. Without a journal the messages go
 * to standard error.
 *
 * @see sd_journal_send(3), systemd.journal-fields(7)
 */
export function journalDestination(): Writable {
  const decoder = new StringDecoder('utf8');
  let begun = '';
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const lines = (begun + (typeof chunk === 'string' ? chunk : decoder.write(chunk))).split('\n');
      // A pipe cuts lines anywhere.
      begun = lines.pop() ?? '';
      for (const line of lines) if (line !== '') write(parsed(line));
      done();
    },
    final(done) {
      const rest = begun + decoder.end();
      if (rest !== '') write(parsed(rest));
      done();
    },
  });
}

function parsed(line: string): JournalFields {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return { MESSAGE: line, PRIORITY: priorities.info };
  }
  if (typeof record !== 'object' || record === null) return { MESSAGE: line, PRIORITY: priorities.info };
  return pinoFields(record as Readonly<Record<string, unknown>>);
}
