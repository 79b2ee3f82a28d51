import { setTimeout as pause } from 'node:timers/promises';
import {
  fieldOf,
  invocationOf,
  JournalError,
  type JournalRecord,
  managerMessages,
  messageMatches,
  readJournal,
  recordMatches,
  type UnitOfRecords,
} from '../../manager/journal.js';
import { ProgramError } from '../../manager/program.js';
import type { UnitState } from './unit.js';

/** A record in short. */
export interface JournalLine {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** 0 (emerg) to 7 (debug), syslog(3). */
  readonly priority: number;
  readonly identifier: string;
  readonly message: string;
}

/**
 * journald looks up the unit of a sender in /proc: what a process wrote just before it ended may have come to be
 * without it, and is found by its process then.
 */
function processMatches(pid: number | null, fields: readonly string[] = []): string[] {
  return pid === null ? [] : ['+', `_PID=${pid}`, ...fields];
}

/** Matches the records of the unit's processes and the manager's about the unit; `fields` narrow both. */
export function unitMatches(unit: UnitOfRecords, fields: readonly string[] = []): string[] {
  const { own, manager } = recordMatches(unit);
  return [...own, ...fields, '+', ...manager, ...fields];
}

/** A time as journalctl's --since takes it. */
function since(milliseconds: number): string {
  return `@${(milliseconds / 1_000).toFixed(3)}`;
}

function lineOf(record: JournalRecord): JournalLine {
  return {
    at: Number(fieldOf(record, '__REALTIME_TIMESTAMP') ?? 0) / 1_000,
    priority: Number(fieldOf(record, 'PRIORITY') ?? 6),
    identifier: fieldOf(record, 'SYSLOG_IDENTIFIER') ?? fieldOf(record, '_COMM') ?? '',
    message: fieldOf(record, 'MESSAGE') ?? '',
  };
}

async function read(
  { logNamespace: namespace }: UnitOfRecords,
  matches: readonly string[],
  from: number,
  lines: number,
): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of readJournal({ namespace, matches, since: since(from), lines }))
    records.push(record);
  return records;
}

/**
 * The records that tell why a start failed: errors of the first start among them or, where it left none, the last that
 * its processes said. One that names no invocation belongs to it.
 * @param before the invocation that a restart ended; null: there was none
 * @param blameless the process of a gateway that did start; null: it did not. Its plain records tell of no failure
 */
export function tellingRecords(
  records: readonly JournalRecord[],
  before: string | null,
  limit: number,
  blameless: number | null = null,
): readonly JournalLine[] {
  const invocations = records.map(invocationOf).filter((id) => id !== null);
  // If the old one is the only one, it is the one that failed.
  const first = invocations.find((id) => id !== before) ?? invocations[0];
  const ofStart = records.filter((record) => [first, undefined].includes(invocationOf(record) ?? undefined));
  // The failure of the start is known; the manager's errors about what it could not execute are not.
  const skips = ofStart.filter(isSkip).map(lineOf);
  const lines = ofStart
    .filter((record) => fieldOf(record, 'MESSAGE_ID') !== managerMessages.unitFailed)
    .filter((record) => !isPlain(record) || fieldOf(record, '_PID') !== String(blameless))
    .map(lineOf);
  const errors = lines.filter(({ priority }) => priority <= 3);
  const ofProcesses = lines.filter(({ identifier }) => identifier !== 'systemd');
  const telling = errors.length > 0 ? errors : skips.length > 0 ? skips : ofProcesses;
  const stack = stackStart(telling);
  return stack === -1 ? telling.slice(-limit) : telling.slice(stack, stack + limit);
}

/** True for a record that is neither an error nor a warning. */
function isPlain(record: JournalRecord): boolean {
  return Number(fieldOf(record, 'PRIORITY') ?? 6) > 4;
}

/** Finds the line of an error with a stack, as Node.js prints one on standard error; -1 if there is none. */
function stackStart(lines: readonly JournalLine[]): number {
  const isFrame = (line: JournalLine | undefined) => /^\s+at \S/.test(line?.message ?? '');
  return lines.findIndex((line, index) => !isFrame(line) && isFrame(lines[index + 1]));
}

/** Says in one line why the journal could not be read. */
export function journalTrouble(error: unknown): string {
  if (error instanceof JournalError) return `the journal can’t be read: ${error.detail}`;
  if (error instanceof ProgramError) return `the journal can’t be read: ${error.message}`;
  throw error;
}

export interface Reasons {
  readonly records: readonly JournalLine[];
  /** The reason why records are missing; null if there are some, or none were to be expected. */
  readonly trouble: string | null;
  /** The manager would not start it, for it was started too often. */
  readonly startLimit: boolean;
}

/** Number of reads of the journal, and the pause between them in ms, until it has the manager's last record. */
const looks = 15;
/** The same for a unit with LogNamespace=, whose journald may have to start first. */
const looksApart = 40;
const lookPause = 100;

/** True for the manager's record of a start that it skipped; by its id it would be a start that succeeded. */
function isSkip(record: JournalRecord): boolean {
  return (
    fieldOf(record, 'SYSLOG_IDENTIFIER') === 'systemd' &&
    / (was|being) skipped\b/.test(fieldOf(record, 'MESSAGE') ?? '')
  );
}

/** Reads why the unit failed since then. The records may take a moment to get into the journal. */
export async function reasonsSince(
  unit: UnitOfRecords & Pick<UnitState, 'lastMain' | 'standardError' | 'failedCommand'>,
  from: number,
  before: string | null,
  limit = 5,
): Promise<Reasons> {
  try {
    let records: JournalRecord[] = [];
    const apart = unit.logNamespace != null;
    for (let look = 0; look < (apart ? looksApart : looks); look++) {
      if (look > 0) await pause(lookPause);
      records = await read(
        unit,
        [...unitMatches(unit), ...processMatches(unit.lastMain?.pid ?? null)],
        from,
        200,
      );
      const ids = records.map((record) => fieldOf(record, 'MESSAGE_ID'));
      // The unit's words and the manager's come to journals of their own then, in any order.
      const lacksWords =
        apart && records.every((record) => fieldOf(record, 'SYSLOG_IDENTIFIER') === 'systemd');
      if (records.some(isSkip)) break;
      if (lacksWords) continue;
      if (ids.includes(managerMessages.unitFailed) || ids.includes(managerMessages.failureResult)) break;
    }
    if (records.length === 0) {
      return {
        records: [],
        startLimit: false,
        trouble: /^(append|file|truncate|null)/.test(unit.standardError ?? '')
          ? `the unit's standard error goes to "${unit.standardError}", not to the journal: see StandardError= in its file and drop-ins`
          : 'the journal shows this user no record of it; root, and members of the group systemd-journal, may read all',
      };
    }
    return {
      records: tellingRecords(
        records,
        before,
        limit,
        unit.failedCommand === null ? null : (unit.lastMain?.pid ?? null),
      ),
      trouble: null,
      startLimit: records.some((record) =>
        fieldOf(record, 'MESSAGE')?.includes('Start request repeated too quickly'),
      ),
    };
  } catch (error) {
    return { records: [], trouble: journalTrouble(error), startLimit: false };
  }
}

/** The newest errors of the unit's present or last invocation, oldest first. */
export async function errorsOf(unit: UnitState, limit: number): Promise<readonly JournalLine[]> {
  const { invocationId, lastMain, logNamespace: namespace } = unit;
  if (invocationId === null) return [];
  const errors = ['PRIORITY=0', 'PRIORITY=1', 'PRIORITY=2', 'PRIORITY=3'];
  const { manager, managerInvocation } = recordMatches(unit);
  const matches = [
    `_SYSTEMD_INVOCATION_ID=${invocationId}`,
    ...errors,
    '+',
    ...manager,
    `${managerInvocation}=${invocationId}`,
    ...errors,
    ...processMatches(lastMain?.pid ?? null, errors),
  ];
  // A process id comes again some day.
  const from = lastMain?.startedAt ?? null;
  const span = from === null ? {} : { since: since(from) };
  const lines: JournalLine[] = [];
  // With --since, --lines of journalctl means the oldest so many; backwards it means the newest.
  for await (const record of readJournal({ namespace, matches, lines: limit + 1, reverse: true, ...span })) {
    // The failure of the start is known.
    if (fieldOf(record, 'MESSAGE_ID') !== managerMessages.unitFailed) lines.push(lineOf(record));
  }
  return lines.slice(0, limit).reverse();
}

/**
 * The unit's own newest record with one of the ids, since then if that is said; null when there is none, or the journal
 * may not be read. `fields` narrow the search; records of the invocation `except` are passed over.
 */
export async function lastRecord(
  unit: UnitOfRecords,
  messageIds: readonly string[],
  { from, fields = [], except }: { from?: number; fields?: readonly string[]; except?: string | null } = {},
): Promise<JournalRecord | null> {
  const matches = [...recordMatches(unit).own, ...fields, ...messageMatches(messageIds)];
  const span = from === undefined ? {} : { since: since(from) };
  try {
    for await (const record of readJournal({
      namespace: unit.logNamespace,
      matches,
      lines: 20,
      reverse: true,
      ...span,
    })) {
      if (except === undefined || except === null || invocationOf(record) !== except) return record;
    }
    return null;
  } catch (error) {
    if (error instanceof JournalError || error instanceof ProgramError) return null;
    throw error;
  }
}

const exitKinds = ['exited', 'killed', 'dumped'] as const;

/**
 * Reads from the manager's records how a run of the unit failed; null: they name no failure, or the journal may not be
 * read.
 */
export async function failureOf(
  unit: UnitOfRecords,
  invocationId: string,
): Promise<Pick<UnitState, 'result' | 'exit'> | null> {
  const { manager, managerInvocation } = recordMatches(unit);
  const ids = messageMatches([managerMessages.processExit, managerMessages.failureResult]);
  const matches = [...manager, `${managerInvocation}=${invocationId}`, ...ids];
  try {
    let result: string | null = null;
    let exit: UnitState['exit'] = null;
    for await (const record of readJournal({ namespace: unit.logNamespace, matches, lines: 20 })) {
      result = fieldOf(record, 'UNIT_RESULT') ?? result;
      const how = exitKinds.find((kind) => kind === fieldOf(record, 'EXIT_CODE'));
      // Commands beside the main process, such as ExecStopPost=, have records with this id, too.
      if (how === undefined || fieldOf(record, 'MESSAGE')?.includes('Main process') !== true) continue;
      exit = { how, status: Number(fieldOf(record, 'EXIT_STATUS')), at: lineOf(record).at };
    }
    return result === null ? null : { result, exit };
  } catch (error) {
    if (error instanceof JournalError || error instanceof ProgramError) return null;
    throw error;
  }
}

/**
 * Waits for a record of the unit's own with one of the ids; null when none has come within `timeout` ms, or the journal
 * may not be read.
 */
export async function awaitRecord(
  unit: UnitOfRecords,
  messageIds: readonly string[],
  from: number,
  timeout: number,
): Promise<JournalRecord | null> {
  const matches = [...recordMatches(unit).own, ...messageMatches(messageIds)];
  const signal = AbortSignal.timeout(timeout);
  const query = { namespace: unit.logNamespace, matches, since: since(from), follow: true, signal };
  try {
    for await (const record of readJournal(query)) return record;
    return null;
  } catch (error) {
    // The caller has another way to find out, and says which one it took.
    if (error instanceof JournalError || error instanceof ProgramError) return null;
    throw error;
  }
}
