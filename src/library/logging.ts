import { basename } from 'node:path';
import { Writable } from 'node:stream';
import { ArgumentError, showValue } from '../systemd/arguments.js';
import type { JournalOutcome } from '../systemd/journal.js';
import { type JournalFields, type JournalValue, journal } from './journal.js';

/** Priorities of syslog(3), by the names that journalctl has for them. */
const priorities = { emerg: 0, alert: 1, crit: 2, err: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;

export type LogPriority = keyof typeof priorities;

/** pino's levels, the highest first: 60 fatal, 50 error, 40 warn, 30 info; below is debug. */
const pinoLevels: readonly (readonly [atLeast: number, priority: number])[] = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
];

/** Keys of pino's records; other keys become fields of their own. */
const notFields = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'v', 'err']);

function fieldName(key: string): string | null {
  const name = key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^[^A-Z]+/, '')
    .slice(0, 64);
  return name === '' ? null : name;
}

function fieldValue(value: unknown): JournalValue {
  if (value === null || value === undefined || value instanceof Uint8Array) return value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/**
 * Writes a message to the journal, in the place of `console.log`. Without a journal it goes to standard error.
 *
 * @throws ArgumentError as `journal.send` does, and for a priority that doesn't exist
 */
export function journalLog(
  priority: LogPriority,
  message: string,
  fields: JournalFields = {},
): JournalOutcome {
  if (!Object.hasOwn(priorities, priority)) {
    const known = Object.keys(priorities).join(', ');
    throw new ArgumentError('priority', `${showValue(priority)} is no priority; those are ${known}`);
  }
  return write({ ...fields, MESSAGE: message, PRIORITY: priorities[priority] });
}

/** Sends a record to the journal, or writes it to standard error if that fails: no record is lost without a word. */
function write(fields: JournalFields): JournalOutcome {
  const identifier = basename(process.argv[1] ?? process.argv0);
  const outcome = journal.send({ SYSLOG_IDENTIFIER: identifier, ...fields });
  if (outcome.outcome === 'unavailable' || outcome.outcome === 'failed') {
    process.stderr.write(`${String(fields['MESSAGE'])}\n`);
  }
  return outcome;
}

/** One record of pino as fields of the journal. */
export function pinoFields(record: Readonly<Record<string, unknown>>): JournalFields {
  const level = Number(record['level']);
  const [, priority] = pinoLevels.find(([atLeast]) => level >= atLeast) ?? [0, 7];
  const fields: Record<string, JournalValue> = {};
  for (const [key, value] of Object.entries(record)) {
    const name = notFields.has(key) ? null : fieldName(key);
    if (name !== null) fields[name] = fieldValue(value);
  }
  const error = record['err'] as { readonly message?: unknown; readonly stack?: unknown } | null | undefined;
  const message = record['msg'] ?? error?.message ?? '';
  if (error?.stack !== undefined) fields['ERROR_STACK'] = String(error.stack);
  // A wrong id must not cost the record.
  if (!/^[0-9a-f]{32}$/i.test(String(fields['MESSAGE_ID'] ?? ''))) delete fields['MESSAGE_ID'];
  return { ...fields, MESSAGE: String(message), PRIORITY: priority };
}

/**
 * A destination for pino that writes to the journal: `pino(journalDestination())`. Levels become priorities, and keys
 * fields: `requestId` becomes `REQUEST_ID`. A line that isn't JSON becomes a message.
 */
export function journalDestination(): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      for (const line of String(chunk).split('\n')) if (line !== '') write(parsed(line));
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
