import { writeSync } from 'node:fs';
import type { Configuration } from '../config/schema.js';
import { journalSend } from '../systemd/journal.js';
import { cutText } from '../text/copied-start.js';
import { bodyFields, messageIds } from './fields.js';
import {
  formatJsonLine,
  formatPrefixedLine,
  formatTerminalLines,
  type Log,
  type LogFields,
  type LogRecord,
  type Priority,
  priorities,
} from './log.js';
import { kindOf, RateLimit } from './rate-limit.js';

export type LogLevel = Configuration['log']['level'];

/** The destination of the records. */
export type LogDestination =
  /** To journald by its own protocol: standard error is the journal's. */
  | 'journal'
  /** Lines for a person. */
  | 'terminal'
  /** One JSON object a line. */
  | 'json-lines';

export interface LogOptions {
  readonly destination: LogDestination;
  /** Colours on a terminal. */
  readonly colour: boolean;
  readonly level: LogLevel;
  /** The descriptor of standard error. */
  readonly standardError: number;
  /** `SYSLOG_IDENTIFIER`. */
  readonly identifier: string;
  /** True to show texts of messages and replies. Default: false. */
  readonly bodies?: boolean;
  /** By default journald's own. */
  readonly journalSocket?: string;
}

export interface AdjustableLog extends Log {
  /** Changes what is written from now on. */
  configure(settings: Configuration['log']): void;
  /** Says what was left out for being too much, before the process ends. */
  settle(): void;
}

/** The destination that fits: the journal, a terminal, or a pipe. */
export function destinationFor(options: {
  readonly journal: boolean;
  readonly isTerminal: boolean;
}): LogDestination {
  if (options.journal) return 'journal';
  return options.isTerminal ? 'terminal' : 'json-lines';
}

function journalFields(record: LogRecord, identifier: string): (readonly [string, string])[] {
  const own = Object.entries(record.fields).map(([name, value]) => [name, value] as const);
  return [
    ['MESSAGE', record.message],
    ['PRIORITY', String(priorities[record.priority])],
    ['SYSLOG_IDENTIFIER', identifier],
    ...own,
  ];
}

/**
 * Longest message and field of a record, in characters. Others outside have a part in them, and wrote much of it in vain:
 * the bound is the last one, for what has none of its own. Texts of people and agents are whole, if they are on record.
 */
const longestMessage = 16_384;
const longestField = 4_096;

/** Values in text; what is undefined or null is left out. */
function presentFields(fields: LogFields): Record<string, string> {
  const present: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    const text = String(value);
    present[name] = isBody(name) ? text : cutText(text, longestField);
  }
  return present;
}

function isBody(name: string): boolean {
  return bodyFields.some((field) => field === name);
}

function hasBody(fields: LogFields): boolean {
  return bodyFields.some((name) => fields[name] !== undefined);
}

/** The same object where there is nothing to leave out. */
function withoutBodies(fields: LogFields): LogFields {
  if (!hasBody(fields)) return fields;
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !isBody(name)));
}

/** A record that somebody looks for by its id is never left out, unless there can be one for each message. */
function isLimited(priority: Priority, fields: LogFields): boolean {
  const id = fields['MESSAGE_ID'];
  return priority !== 'crit' && (id == null || id === messageIds.deliveryDead);
}

/**
 * Makes the log. Every record is written before the call returns, so that what is said before a crash is on record.
 */
export function createLog(options: LogOptions): AdjustableLog {
  let { level, bodies = false } = options;
  let journalFailed = false;
  let missing = 0;

  const toStandardError = (text: string): void => {
    try {
      writeSync(options.standardError, text);
    } catch {
      // A reader that went away (EPIPE), a full pipe or disk or whatever else must not end the gateway, and there is no
      // other place to say so.
    }
  };

  const sendToJournal = (record: LogRecord) =>
    journalSend(journalFields(record, options.identifier), options.journalSocket);

  const toJournal = (record: LogRecord): void => {
    if (missing > 0) {
      const message = `${missing} records are missing here: journald took nothing for a while.`;
      const fields = { SD_GATEWAY_LEFT_OUT: String(missing) };
      const told = sendToJournal({ priority: 'warning', message, fields, at: record.at });
      if (told.outcome === 'sent' || told.outcome === 'queued') missing = 0;
    }
    const outcome = sendToJournal(record);
    if (outcome.outcome === 'sent' || outcome.outcome === 'queued') return;
    // journald hangs, and the queue is full. A write to standard error would wait for journald as well.
    if (outcome.outcome === 'failed' && outcome.code === 'ENOBUFS') {
      missing += 1;
      return;
    }
    // Standard error is the journal's too: a line there arrives by another way, without the fields.
    if (!journalFailed) {
      journalFailed = true;
      const text = `The journal's socket refuses records (${outcome.outcome === 'failed' ? outcome.message : 'it is not there'}); they go to standard error without their fields. Said once.`;
      toStandardError(formatPrefixedLine({ priority: 'warning', message: text, fields: {}, at: new Date() }));
    }
    toStandardError(formatPrefixedLine(record));
  };

  const limit = new RateLimit({ interval: 0, burst: 0 });
  let timer: NodeJS.Timeout | null = null;
  /** Says what was left out in the intervals that ended before `time`. */
  const sayLeftOut = (time: number): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    for (const { kind, count } of limit.takeEnded(time)) {
      const text = `${count} more records were left out that begin “${kind}” (log.rate_limit_burst)`;
      if (priorities.warning <= priorities[level]) write('warning', text, { SD_GATEWAY_LEFT_OUT: count });
    }
    const next = limit.nextEnd();
    if (next === null) return;
    timer = setTimeout(() => sayLeftOut(performance.now()), next - performance.now());
    timer.unref();
  };

  const writeWithin = (priority: Priority, message: string, fields: LogFields = {}): void => {
    if (priorities[raised(priority, fields)] > priorities[level]) return;
    if (isLimited(priority, fields)) {
      const now = performance.now();
      const kind = kindOf(message);
      if (!limit.admit(kind, now)) {
        if (timer === null) sayLeftOut(now);
        return;
      }
    }
    write(priority, message, fields);
  };

  /** Raises a debug record that has texts: an operator who wants the texts on record wants its records too. */
  const raised = (priority: Priority, fields: LogFields): Priority =>
    bodies && priority === 'debug' && hasBody(fields) ? 'info' : priority;

  const write = (priority: Priority, message: string, fields: LogFields = {}): void => {
    const shown = bodies ? fields : withoutBodies(fields);
    const site = level === 'debug' && options.destination === 'journal' ? callSiteAbove(log[priority]) : {};
    const present = { ...presentFields(shown), ...site };
    const record: LogRecord = {
      priority: raised(priority, fields),
      message: cutText(message, longestMessage),
      fields: present,
      at: new Date(),
    };
    switch (options.destination) {
      case 'journal':
        toJournal(record);
        break;
      case 'terminal':
        toStandardError(formatTerminalLines(record, options.colour));
        break;
      case 'json-lines':
        toStandardError(formatJsonLine(record));
        break;
    }
  };

  const log: AdjustableLog = {
    crit: (message, fields) => writeWithin('crit', message, fields),
    err: (message, fields) => writeWithin('err', message, fields),
    warning: (message, fields) => writeWithin('warning', message, fields),
    notice: (message, fields) => writeWithin('notice', message, fields),
    info: (message, fields) => writeWithin('info', message, fields),
    debug: (message, fields) => writeWithin('debug', message, fields),
    configure(settings) {
      ({ level, bodies } = settings);
      limit.configure({ interval: settings.rate_limit_interval, burst: settings.rate_limit_burst });
    },
    settle: () => sayLeftOut(Number.POSITIVE_INFINITY),
  };
  return log;
}

/**
 * The place in the code that a record comes from: `CODE_FILE`, `CODE_LINE` and `CODE_FUNC`
 * (systemd.journal-fields(7)).
 */
type CallSite = Readonly<Partial<Record<'CODE_FILE' | 'CODE_LINE' | 'CODE_FUNC', string>>>;

/** The caller of `above`, by V8's stack trace (https://v8.dev/docs/stack-trace-api). */
export function callSiteAbove(above: (...parameters: never[]) => unknown): CallSite {
  const place: { stack?: string } = {};
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(place, above);
  Error.stackTraceLimit = before;
  const match = /\n\s+at (?:(.+) \()?(?:file:\/\/)?(\/.+?):(\d+):\d+\)?$/.exec(place.stack ?? '');
  if (match === null) return {};
  const [, name, file, line] = match;
  return {
    ...(file === undefined ? {} : { CODE_FILE: file }),
    ...(line === undefined ? {} : { CODE_LINE: line }),
    ...(name === undefined ? {} : { CODE_FUNC: name }),
  };
}
