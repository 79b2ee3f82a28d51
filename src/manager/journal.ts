import { spawn } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { linesOf } from '../text/lines.js';
import { ProgramError } from './program.js';
import type { Scope } from './service-manager.js';

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

/** Message ids of the manager's records, sd-messages(3). */
export const managerMessages = {
  starting: '7d4958e842da4a758f6c1cdc7b36dcc5',
  started: '39f53479d3a045ac8e11786248231fbf',
  unitFailed: 'be02cf6855d2428ba40df7e9d022f03d',
  failureResult: 'd9b373ed55a64feb8242e02dbe79a49c',
  processExit: '98e322203f7a4ed290d09fe03c09fe15',
} as const;

/** A unit whose records are wanted, by the fields that journald and the manager set (systemd.journal-fields(7)). */
export interface UnitOfRecords {
  readonly scope: Scope;
  readonly name: string;
  /** User of a user unit, this process’s if it is not known: units of several users' managers have the same name. */
  readonly uid?: number | null;
  /** LogNamespace=; null: the default journal. */
  readonly logNamespace?: string | null;
}

/** Matches for journalctl: fields side by side are "and", the same field twice is "or". */
export interface RecordMatches {
  /** Records of the unit's processes; journald sets these fields, no process can. */
  readonly own: readonly string[];
  /** Records of the service manager about the unit. */
  readonly manager: readonly string[];
  /** The field of the manager's records that has the unit's invocation. */
  readonly managerInvocation: string;
}

export function recordMatches({ scope, name, uid }: UnitOfRecords): RecordMatches {
  if (scope === 'system') {
    return {
      own: [`_SYSTEMD_UNIT=${name}`],
      manager: [`UNIT=${name}`, '_PID=1'],
      managerInvocation: 'INVOCATION_ID',
    };
  }
  const user = `_UID=${uid ?? process.getuid?.() ?? 0}`;
  return {
    own: [`_SYSTEMD_USER_UNIT=${name}`, user],
    manager: [`USER_UNIT=${name}`, user],
    managerInvocation: 'USER_INVOCATION_ID',
  };
}

/** Records with one of the ids. */
export function messageMatches(ids: readonly string[]): readonly string[] {
  return ids.map((id) => `MESSAGE_ID=${id}`);
}

/** The unit's invocation that a record is about; a user manager's own, which is a unit too, comes last. */
export function invocationOf(record: JournalRecord): string | null {
  return (
    fieldOf(record, 'USER_INVOCATION_ID') ??
    fieldOf(record, 'INVOCATION_ID') ??
    fieldOf(record, '_SYSTEMD_INVOCATION_ID')
  );
}

const journalDirectories = ['/var/log/journal', '/run/log/journal'];

/** True if this user can read one of the journal's files of that name; null if there is none. */
function mayReadFile(name: string, roots: readonly string[]): boolean | null {
  let refused = false;
  /** True if it can be done; a missing file is no error. */
  const can = (look: () => void): boolean => {
    try {
      look();
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EPERM') refused = true;
      else if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
      return false;
    }
  };
  for (const root of roots) {
    let machines: readonly string[] = [];
    can(() => {
      machines = readdirSync(root);
    });
    // Each machine that has written there has a directory of its own: this one under its id of before, say.
    const isReadable = (machine: string) => can(() => accessSync(join(root, machine, name), constants.R_OK));
    if (machines.some(isReadable)) return true;
  }
  return refused ? false : null;
}

/**
 * True if this user can read the journal file with the unit's records; null if there is none. The records of a
 * user's units are in that user's own file, where journald splits them off (journald.conf(5), SplitMode=).
 */
export function mayReadJournal(
  unit: Pick<UnitOfRecords, 'scope' | 'uid'>,
  roots: readonly string[] = journalDirectories,
): boolean | null {
  const own =
    unit.scope === 'user' ? mayReadFile(`user-${unit.uid ?? process.getuid?.() ?? 0}.journal`, roots) : null;
  if (own === true) return true;
  return mayReadFile('system.journal', roots) ?? own;
}
