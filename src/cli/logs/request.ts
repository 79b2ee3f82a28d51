import { managerMessages, messageMatches, recordMatches, type UnitOfRecords } from '../../manager/journal.js';
import { type ParsedCommand, UsageError } from '../usage.js';

/** The records to show, as the command line asks for them. */
export interface LogsRequest {
  readonly follow: boolean;
  readonly since: string | null;
  readonly until: string | null;
  /** The newest so many; null: all. */
  readonly lines: number | null;
  /** An invocation's id is 32 lowercase hexadecimal digits. */
  readonly invocation: 'current' | 'previous' | { readonly id: string } | null;
  readonly session: string | null;
  readonly message: string | null;
  /** The least urgent priority to show, 0 to 7 (syslog(3)); null shows all. */
  readonly priority: number | null;
}

/** Number of records shown by default. */
export const defaultLines = 100;

/** Number of records that `--follow` begins with. */
const followLines = 10;

export const priorityNames = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const;

function linesOf(text: string | undefined, fail: (message: string) => never): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}$/.test(text)) fail(`--lines takes a number such as 50, not "${text}"`);
  return Number(text);
}

function invocationOf(text: string | undefined, fail: (message: string) => never): LogsRequest['invocation'] {
  if (text === undefined) return null;
  if (text === 'current' || text === 'previous') return text;
  const id = text.replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(id)) {
    fail(`--invocation takes "current", "previous" or an id of 32 hexadecimal digits, not "${text}"`);
  }
  return { id };
}

function priorityOf(text: string | undefined, fail: (message: string) => never): number | null {
  if (text === undefined) return null;
  const aliases: Readonly<Record<string, string>> = { error: 'err', warn: 'warning', critical: 'crit' };
  const name = aliases[text] ?? text;
  const level = /^[0-7]$/.test(text) ? Number(text) : priorityNames.indexOf(name as 'err');
  if (level < 0) fail(`--priority takes one of ${priorityNames.join(', ')} or 0 to 7, not "${text}"`);
  return level;
}

/** Reads the options. Throws a UsageError. */
export function logsRequest({ values, flags, command }: ParsedCommand): LogsRequest {
  const fail = (message: string): never => {
    throw new UsageError(message, command.name);
  };
  for (const [name, value] of Object.entries(values)) {
    if (value.trim() === '' || value.includes('\0')) fail(`--${name} is empty`);
  }
  const follow = flags.has('follow');
  const { since = null, until = null, session = null, message = null } = values;
  const lines = linesOf(values['lines'], fail);
  const invocation = invocationOf(values['invocation'], fail);
  if (follow && until !== null) fail('--follow has no end; leave out --until');
  if (follow && since !== null && lines !== null) fail('with --follow, take either --since or --lines');
  if (follow && invocation !== null && invocation !== 'current') {
    fail('--follow is about what comes; only --invocation current goes with it');
  }
  const isNarrow = [since, until, invocation, session, message].some((limit) => limit !== null);
  const unasked = follow ? (since === null ? followLines : null) : isNarrow ? null : defaultLines;
  return {
    follow,
    since,
    until,
    lines: lines ?? unasked,
    invocation,
    session,
    message,
    priority: priorityOf(values['priority'], fail),
  };
}

export interface Narrowing {
  /** 32 hexadecimal digits. */
  readonly invocation: string | null;
  readonly session: string | null;
  readonly message: string | null;
  /** 0 to 7. */
  readonly priority: number | null;
}

/** Matches for journalctl: fields side by side are "and", the same field twice is "or", "+" parts groups. */
export function logsMatches(unit: UnitOfRecords, narrowing: Narrowing): readonly string[] {
  const { own, manager, managerInvocation } = recordMatches(unit);
  const { invocation, session, message, priority } = narrowing;
  const levels =
    priority === null ? [] : Array.from({ length: priority + 1 }, (_, level) => `PRIORITY=${level}`);
  const ofOwn = [
    ...own,
    ...(invocation === null ? [] : [`_SYSTEMD_INVOCATION_ID=${invocation}`]),
    ...(session === null ? [] : [`SD_GATEWAY_SESSION=${session}`]),
    ...(message === null ? [] : [`SD_GATEWAY_MESSAGE=${message}`]),
    ...levels,
  ];
  // The manager knows nothing of sessions and messages.
  if (session !== null || message !== null) return ofOwn;
  const ofManager = [
    ...manager,
    ...(invocation === null ? [] : [`${managerInvocation}=${invocation}`]),
    ...levels,
  ];
  return [...ofOwn, '+', ...ofManager];
}

/** One or two records of each start, by which the invocations are told without reading all that they wrote. */
export function startMatches(unit: UnitOfRecords): readonly string[] {
  const { starting, started } = managerMessages;
  return [...recordMatches(unit).manager, ...messageMatches([starting, started])];
}
