/** `SYSLOG_IDENTIFIER` of all records. */
export const identifier = 'sd-gateway';

/** Priorities of syslog(3) that the gateway uses. */
export const priorities = { crit: 2, err: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;
export type Priority = keyof typeof priorities;

/**
 * Fields of a record besides its message, by their names in the journal: `SD_GATEWAY_SESSION`, `MESSAGE_ID`, ….
 * Undefined and null ones are left out.
 */
export type LogFields = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>;

export interface Log {
  crit(message: string, fields?: LogFields): void;
  err(message: string, fields?: LogFields): void;
  warning(message: string, fields?: LogFields): void;
  notice(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

/** One record, before it takes the form of its destination. */
export interface LogRecord {
  readonly priority: Priority;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly at: Date;
}

/** Control characters would let a message forge lines or steer a terminal. Line feeds are left to the caller. */
function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** A line with the prefix of sd-daemon(3), which journald reads from a service's standard error. */
export function formatPrefixedLine(record: LogRecord): string {
  const prefix = `<${priorities[record.priority]}>`;
  return `${withoutControls(record.message)
    .split('\n')
    .map((line) => prefix + line)
    .join('\n')}\n`;
}

/** One JSON object a line (a pipe, a file). */
export function formatJsonLine(record: LogRecord): string {
  const { at, priority, message, fields } = record;
  return `${JSON.stringify({ time: at.toISOString(), priority, message, ...fields })}\n`;
}

const colours: Readonly<Record<Priority, string>> = {
  crit: '\u001b[1;31m',
  err: '\u001b[31m',
  warning: '\u001b[33m',
  notice: '\u001b[1m',
  info: '',
  debug: '\u001b[2m',
};
const plain = '\u001b[0m';

/** Fields that a person at a terminal wants to see with the message, and under which name. */
const shownFields: readonly (readonly [field: string, name: string])[] = [
  ['SD_GATEWAY_SESSION', 'session'],
  ['SD_GATEWAY_MESSAGE', 'message'],
  ['SD_GATEWAY_ATTEMPT', 'attempt'],
];

/** Lines for a person: time, message, and which session and message it is about. */
export function formatTerminalLines(record: LogRecord, colour: boolean): string {
  const time = record.at.toTimeString().slice(0, 8);
  const shown = shownFields
    .filter(([field]) => record.fields[field] !== undefined)
    .map(([field, name]) => `${name}=${record.fields[field]}`)
    .join(' ');
  const label = record.priority === 'info' || record.priority === 'notice' ? '' : `${record.priority}: `;
  const text = withoutControls(record.message).replaceAll('\n', '\n         ');
  const begin = colour ? colours[record.priority] : '';
  const end = begin === '' ? '' : plain;
  return `${time} ${begin}${label}${text}${end}${shown === '' ? '' : ` (${withoutControls(shown)})`}\n`;
}
