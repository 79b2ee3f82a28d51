import { spawn } from 'node:child_process';
import { linesOf } from '../text/lines.js';
import { ProgramError } from './program.js';

/** A record of the journal by its fields (systemd.journal-fields(7)). A field with several values has a list. */
export type JournalRecord = Readonly<Record<string, string | readonly string[]>>;

export interface JournalQuery {
  /** As journalctl(1) takes them: FIELD=VALUE, and "+" for "or". */
  readonly matches: readonly string[];
  /** LogNamespace= of a unit, whose journal is read beside the default one. */
  readonly namespace?: string | null | undefined;
  /** As journalctl's --since and --until take them. */
  readonly since?: string;
  readonly until?: string;
  /** The newest so many only. */
  readonly lines?: number;
  /** Newest first. */
  readonly reverse?: boolean;
  /** Goes on with what is written from now on. */
  readonly follow?: boolean;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** journalctl could not read the journal; `detail` is what it printed. */
export class JournalError extends Error {
  constructor(readonly detail: string) {
    super(`journalctl: ${detail}`);
    this.name = 'JournalError';
  }
}

function parametersOf(query: JournalQuery): string[] {
  return [
    '--output=json',
    '--all',
    '--no-pager',
    // Hints for a person, such as which groups may read the journal, are said by who asks.
    '--quiet',
    ...(query.namespace == null ? [] : [`--namespace=+${query.namespace}`]),
    ...(query.since === undefined ? [] : [`--since=${query.since}`]),
    ...(query.until === undefined ? [] : [`--until=${query.until}`]),
    ...(query.lines === undefined ? [] : [`--lines=${query.lines}`]),
    ...(query.reverse === true ? ['--reverse'] : []),
    ...(query.follow === true ? ['--follow'] : []),
    ...query.matches,
  ];
}

/** A field that the record has more than once is a list of its values. */
function readField(field: unknown): string | readonly string[] {
  return isBytes(field) || !Array.isArray(field) ? readValue(field) : field.map(readValue);
}

/** Text of a value; journalctl gives one that is no UTF-8, or holds control characters, as a list of bytes. */
function readValue(value: unknown): string {
  if (isBytes(value)) return Buffer.from(value).toString('utf8');
  // journalctl writes null for a value that is too long, and no objects.
  return typeof value === 'object' ? '' : String(value);
}

function isBytes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number');
}

/** The first value of a field; null when the record doesn't have it. */
export function fieldOf(record: JournalRecord, name: string): string | null {
  const value = record[name];
  if (value === undefined) return null;
  return typeof value === 'string' ? value : (value[0] ?? null);
}

/** The record in a line; null: it is none. */
function recordIn(line: string): JournalRecord | null {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return null;
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, readField(field)]));
}

function noRecord(line: string): JournalError {
  const shown = line.length > 80 ? `${line.slice(0, 80)}…` : line;
  return new JournalError(`it printed a line that is no record in JSON: ${shown}`);
}

/**
 * Reads the journal through `journalctl --output=json`. Throws a JournalError when journalctl fails, and a
 * ProgramError when it isn't there. The end of the iteration ends journalctl. What a journalctl that was ended had not
 * printed to the end is left out.
 */
export async function* readJournal(query: JournalQuery): AsyncGenerator<JournalRecord, void, undefined> {
  const child = spawn('journalctl', parametersOf(query), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0' },
  });
  const started = new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      const message = missing ? 'there is no journalctl here' : `journalctl can’t be run: ${error.message}`;
      reject(
        new ProgramError('journalctl', missing ? 'missing' : 'failed-to-start', message, { cause: error }),
      );
    });
  });
  let complaint = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (chunk: string) => {
    complaint = `${complaint}${chunk}`.slice(-4_096);
  });
  const ended = new Promise<{ readonly status: number | null; readonly signal: NodeJS.Signals | null }>(
    (resolve) => child.once('close', (status, signal) => resolve({ status, signal })),
  );
  const stop = () => child.kill('SIGTERM');
  query.signal?.addEventListener('abort', stop, { once: true });
  try {
    await started;
    if (query.signal?.aborted === true) stop();
    let broken: string | null = null;
    for await (const line of linesOf(child.stdout)) {
      if (line === '') continue;
      // Only the last line can be half of one.
      if (broken !== null) throw noRecord(broken);
      const record = recordIn(line);
      if (record === null) broken = line;
      else yield record;
    }
    const { status, signal } = await ended;
    // journalctl says 1 for a journal without a matching record.
    if (status !== 0 && status !== null && complaint.trim() !== '') throw new JournalError(complaint.trim());
    if (broken !== null && signal === null && query.signal?.aborted !== true) throw noRecord(broken);
  } finally {
    query.signal?.removeEventListener('abort', stop);
    if (child.exitCode === null && child.signalCode === null) stop();
  }
}
