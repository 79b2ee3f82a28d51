import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  fieldOf,
  invocationOf,
  JournalError,
  type JournalRecord,
  mayReadJournal,
  readJournal,
  type UnitOfRecords,
} from '../../manager/journal.js';
import { describeStopped, stoppedJournald } from '../../manager/journald.js';
import { ProgramError } from '../../manager/program.js';
import {
  otherScope,
  type Scope,
  ServiceManager,
  ServiceManagerError,
  unitName,
  unitNames,
} from '../../manager/service-manager.js';
import { ownCommand } from '../../text/own-command.js';
import { directoriesOf, instanceOf, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { printable, type Style, type Terminal, terminalOf, versionedLine } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { type LogsRequest, logsMatches, logsRequest, startMatches } from './request.js';

/** Facts that explain why the journal has no matching record. */
export interface Absence {
  readonly unit: string;
  readonly scope: 'system' | 'user';
  /** LoadState= of the unit; null: the manager could not be asked. */
  readonly loadState: string | null;
  readonly narrowed: boolean;
  /** True if this user may read the system's journal file; null if there is none. */
  readonly mayRead: boolean | null;
  /** True if the unit has ever run: its InvocationID= is set. */
  readonly hasRun: boolean;
  /** A gateway answers at the control socket without a unit. */
  readonly foreground: boolean;
  readonly otherScopeHasUnit: boolean;
  /** False: this user may not read the records of that one. */
  readonly mayReadOther: boolean;
}

function otherStep(other: Scope, mayRead: boolean): string {
  if (mayRead) return `add --${other}`;
  return 'put sudo before the command; only root and members of the group systemd-journal may read its records';
}

/** Says why there is nothing to show, nearest reason first, with a next step. */
export function explainAbsence(absence: Absence): readonly string[] {
  const { unit, scope, loadState, narrowed, mayRead, hasRun, foreground } = absence;
  const { otherScopeHasUnit, mayReadOther } = absence;
  const other = scope === 'system' ? 'user' : 'system';
  if (loadState === 'not-found') {
    if (foreground) {
      return [
        `There is no ${unit}: the gateway that runs here was started in the foreground, and writes to its own terminal or standard error, not to the journal.`,
      ];
    }
    return [
      `There is no ${unit} of the ${scope} manager, and the journal has no record of one.`,
      otherScopeHasUnit
        ? `The ${other} manager has one: ${otherStep(other, mayReadOther)}.`
        : `Install it: ${ownCommand('install')}. Another instance: --instance NAME.`,
    ];
  }
  if (mayRead === false) {
    return [
      `The journal shows this user no record of ${unit}: only root and members of the group systemd-journal may read all of it.`,
      'Have root run: usermod --append --groups systemd-journal "USER"; then log in again. Or put sudo before the command.',
    ];
  }
  if (mayRead === null) {
    return [
      'There is no journal file in /var/log/journal or /run/log/journal: journald keeps nothing, or does not run.',
      'See Storage= in /etc/systemd/journald.conf, and: systemctl status systemd-journald',
    ];
  }
  if (loadState === null && !narrowed) {
    return [
      `The journal has no record of ${unit}, and the ${scope} manager can’t be asked whether there is such a unit.`,
    ];
  }
  if (!hasRun && !narrowed) return [`The journal has no record of ${unit}: it has not been started yet.`];
  if (narrowed)
    return [`The journal has no record of ${unit} that matches; leave out an option to see more.`];
  return [
    `The journal has no record of ${unit} any more: it keeps what fits into SystemMaxUse= (journald.conf(5)).`,
  ];
}

interface FoundUnit {
  readonly name: string;
  /** The unit; null if the manager could not be asked. */
  readonly loadState: string | null;
  readonly invocationId: string | null;
  readonly logNamespace: string | null;
}

/** The unit of the instance, or one of the template; the journal may know it where the manager no longer does. */
async function findUnit(scope: Scope, instance: string | null): Promise<FoundUnit> {
  const own = unitName(instance);
  const manager = new ServiceManager(scope);
  try {
    for (const name of unitNames(instance)) {
      const {
        LoadState = 'not-found',
        InvocationID = '',
        LogNamespace = '',
      } = await manager.show(name, ['LoadState', 'InvocationID', 'LogNamespace']);
      const invocationId = InvocationID || null;
      const logNamespace = LogNamespace || null;
      if (LoadState !== 'not-found') return { name, loadState: LoadState, invocationId, logNamespace };
    }
    return { name: own, loadState: 'not-found', invocationId: null, logNamespace: null };
  } catch (error) {
    // The journal can be read without a manager: with --user after the last log-out, in a rescue shell.
    if (error instanceof ServiceManagerError || error instanceof ProgramError) {
      return { name: own, loadState: null, invocationId: null, logNamespace: null };
    }
    throw error;
  }
}

/** The unit's invocations from the journal, newest first, as many as wanted. */
async function newestInvocations(unit: UnitOfRecords, wanted: number): Promise<readonly string[]> {
  const found = new Set<string>();
  for await (const record of readJournal({
    namespace: unit.logNamespace,
    matches: startMatches(unit),
    reverse: true,
  })) {
    const id = invocationOf(record);
    if (id !== null) found.add(id);
    if (found.size >= wanted) break;
  }
  return [...found];
}

/** The id of the invocation that is asked for; undefined: the journal knows none. */
async function chosenInvocation(
  asked: LogsRequest['invocation'],
  unit: UnitOfRecords,
  present: string | null,
): Promise<string | null | undefined> {
  if (asked === null) return null;
  if (typeof asked === 'object') return asked.id;
  const newest = await newestInvocations(unit, 2);
  if (asked === 'current') return present ?? newest[0];
  return newest.find((id) => id !== (present ?? newest[0]));
}

async function absenceOf(parsed: ParsedCommand, unit: FoundUnit, narrowed: boolean): Promise<Absence> {
  const scope = scopeOf(parsed);
  const elsewhere = await findUnit(otherScope(scope), instanceOf(parsed));
  return {
    unit: unit.name,
    scope,
    loadState: unit.loadState,
    narrowed,
    mayRead: mayReadJournal({ scope, uid: process.getuid?.() ?? 0 }),
    hasRun: unit.invocationId !== null,
    foreground: existsSync(join(directoriesOf(parsed).runtime, 'control.sock')),
    mayReadOther: mayReadJournal({ scope: otherScope(scope), uid: process.getuid?.() ?? 0 }) !== false,
    otherScopeHasUnit: elsewhere.loadState !== null && elsewhere.loadState !== 'not-found',
  };
}

/** Resolves when the pipe has taken it: a slow reader holds the reading up instead of filling the memory. */
async function write(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  await new Promise<void>((resolve) => process.stdout.once('drain', () => resolve()));
}

/** In the order in which they were written. */
async function* recordsOf(
  namespace: string | null | undefined,
  matches: readonly string[],
  request: LogsRequest,
  signal: AbortSignal,
): AsyncGenerator<JournalRecord> {
  const { follow, since, until, lines } = request;
  const span = { ...(since === null ? {} : { since }), ...(until === null ? {} : { until }) };
  if (follow || lines === null) {
    yield* readJournal({ namespace, matches, ...span, follow, signal, ...(lines === null ? {} : { lines }) });
    return;
  }
  // With --since, --lines of journalctl means the oldest so many; backwards it means the newest.
  const newest: JournalRecord[] = [];
  for await (const record of readJournal({ namespace, matches, ...span, lines, reverse: true, signal }))
    newest.push(record);
  yield* newest.reverse();
}

async function show(records: AsyncIterable<JournalRecord>, parsed: ParsedCommand): Promise<number> {
  const terminal = terminalOf(parsed);
  let count = 0;
  let before: string | null = null;
  for await (const record of records) {
    count++;
    if (parsed.flags.has('json')) {
      await write(versionedLine(record));
      continue;
    }
    const invocation = invocationOf(record);
    if (invocation !== null && before !== null && invocation !== before)
      await write(formatInvocation(invocation, terminal));
    before = invocation ?? before;
    await write(formatRecord(record, terminal));
  }
  return count;
}

/** Shows the records of the unit. Ctrl-C ends `--follow` with status 0: it is how one ends it. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const request = logsRequest(parsed);
  const scope = scopeOf(parsed);
  const found = await findUnit(scope, instanceOf(parsed));
  const { name, logNamespace } = found;
  const unit: UnitOfRecords = { scope, name, uid: process.getuid?.() ?? 0, logNamespace };
  const stopped = await stoppedJournald(logNamespace);
  if (stopped !== null) process.stderr.write(`sd-gateway: ${describeStopped(stopped)}\n`);
  const ending = new AbortController();
  if (request.follow)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  try {
    const invocation = await chosenInvocation(request.invocation, unit, found.invocationId);
    const { session, message, priority } = request;
    let count = 0;
    if (invocation !== undefined) {
      const matches = logsMatches(unit, { invocation, session, message, priority });
      if (request.follow && found.loadState === 'not-found') {
        for (const line of explainAbsence(await absenceOf(parsed, found, false)))
          process.stderr.write(`sd-gateway: ${line}\n`);
        return commandStatus.noUnit;
      }
      const mayRead = mayReadJournal(unit);
      if (request.follow && mayRead !== true) {
        for (const line of explainAbsence({ ...(await absenceOf(parsed, found, false)), mayRead }))
          process.stderr.write(`sd-gateway: ${line}\n`);
      }
      count = await show(recordsOf(unit.logNamespace, matches, request, ending.signal), parsed);
    }
    if (count > 0 || request.follow || request.lines === 0) return commandStatus.success;
    const isNarrowed = [session, message, priority, request.since, request.until, request.invocation].some(
      (value) => value !== null,
    );
    const absence = await absenceOf(parsed, found, isNarrowed);
    for (const line of explainAbsence(absence)) process.stderr.write(`sd-gateway: ${line}\n`);
    if (absence.loadState === 'not-found') return commandStatus.noUnit;
    return absence.mayRead === true ? commandStatus.success : commandStatus.failure;
  } catch (error) {
    if (error instanceof JournalError && error.detail.startsWith('Failed to parse timestamp')) {
      throw new UsageError(
        `${error.detail}; times are such as "10 min ago", "today", "2026-11-23 17:00" (systemd.time(7))`,
        parsed.command.name,
      );
    }
    if (error instanceof JournalError || error instanceof ProgramError) {
      const reason = printable(error.message).replace(/\.$/, '');
      process.stderr.write(`sd-gateway: the journal can’t be read: ${reason}.\n`);
      if (error.message.includes('insufficient permissions')) {
        const step = `sudo ${ownCommand('logs')}`;
        process.stderr.write(`  Read it as root ("${step}"), or join the group systemd-journal.\n`);
      }
      return commandStatus.failure;
    }
    throw error;
  }
}

const styles: readonly (Style | null)[] = ['red', 'red', 'red', 'red', 'yellow', 'bold', null, 'dim'];

/** Local time, as a person compares it with their clock: 2026-11-23 17:40:28. */
function localTime(milliseconds: number): string {
  const at = new Date(milliseconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** One record as lines for a person; further lines of its text are indented. Ends with a line feed. */
export function formatRecord(record: JournalRecord, terminal: Pick<Terminal, 'paint'>): string {
  const time = localTime(Number(fieldOf(record, '__REALTIME_TIMESTAMP') ?? 0) / 1_000);
  const identifier = fieldOf(record, 'SYSLOG_IDENTIFIER') ?? fieldOf(record, '_COMM') ?? '';
  const style = styles[Number(fieldOf(record, 'PRIORITY') ?? 6)] ?? null;
  const [first = '', ...rest] = printable(fieldOf(record, 'MESSAGE') ?? '')
    .trimEnd()
    .split('\n')
    .map((line) => (style === null ? line : terminal.paint(style, line)));
  const about = ['SD_GATEWAY_SESSION', 'SD_GATEWAY_MESSAGE']
    .map((name) => fieldOf(record, name))
    .filter((value) => value !== null);
  // A field of a record may hold line feeds too; a name here may not.
  const shown = about.length === 0 ? '' : ` [${printable(about.join(' ')).replace(/\s+/g, ' ')}]`;
  const who =
    identifier === 'sd-gateway' || identifier === '' ? '' : `${printable(identifier).replace(/\s/g, ' ')}: `;
  const head = `${terminal.paint('dim', time)} ${terminal.paint('cyan', who)}${first}${terminal.paint('dim', shown)}`;
  return `${[head, ...rest.map((line) => `    ${line}`)].join('\n')}\n`;
}

/** Parts the records of one invocation from those of the next. */
export function formatInvocation(id: string, terminal: Pick<Terminal, 'paint'>): string {
  return `${terminal.paint('dim', `-- invocation ${printable(id)} --`)}\n`;
}
