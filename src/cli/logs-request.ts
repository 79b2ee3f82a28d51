import { type ParsedCommand, UsageError } from './usage.js';

/** What is to be shown, as it was asked for. */
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
  /** Of this priority (0 to 7, syslog(3)) or more urgent; null: all. */
  readonly priority: number | null;
}

/** How many records are shown where nothing limits them otherwise. */
export const defaultLines = 100;

/** How many records `--follow` begins with. */
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
