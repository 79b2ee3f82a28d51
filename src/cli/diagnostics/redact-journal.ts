import { messageIds } from '../../log/fields.js';
import { fieldOf, invocationOf, type JournalRecord, managerMessages } from '../../manager/journal.js';
import type { Redaction } from './redact.js';

/** Fields that hold a number. */
const numbers = [
  'PRIORITY',
  '_PID',
  '_UID',
  'SD_GATEWAY_ATTEMPT',
  'SD_GATEWAY_SENDER_PID',
  'SD_GATEWAY_SENDER_UID',
  'SD_GATEWAY_DRAIN_USEC',
  'SD_GATEWAY_PUT_BACK',
  'SD_GATEWAY_FINISHED',
  'SD_GATEWAY_EXIT_STATUS',
  'SD_GATEWAY_RESUMED',
  'SD_GATEWAY_LEFT_OUT',
  'EXIT_STATUS',
] as const;

/** Fields whose values are words of the program or of systemd. */
const words = [
  'SD_GATEWAY_STOP_CAUSE',
  'SD_GATEWAY_SIGNAL',
  'SD_GATEWAY_SUPERVISION',
  'SD_GATEWAY_JOB',
  'SD_GATEWAY_PREVIOUS_OUTCOME',
  'UNIT_RESULT',
  'EXIT_CODE',
  'JOB_TYPE',
  'JOB_RESULT',
  'MESSAGE',
] as const;

/** Names that are told apart, and not told. */
const labels = [
  ['SD_GATEWAY_SESSION', 'session'],
  ['SD_GATEWAY_MESSAGE', 'message'],
  ['SD_GATEWAY_CHANNEL', 'channel'],
] as const;

/** The names of the known kinds of records, by their ids. */
const kinds: ReadonlyMap<string, string> = new Map(
  [...Object.entries(messageIds), ...Object.entries(managerMessages)].map(([name, id]) => [id, name]),
);

/** Writes a record as a line of JSON: the fields of these lists, and nothing of another one. */
export function journalLine(record: JournalRecord, redaction: Redaction): string {
  const shown: Record<string, unknown> = {
    at: new Date(Number(fieldOf(record, '__REALTIME_TIMESTAMP') ?? 0) / 1_000).toISOString(),
    from: fieldOf(record, 'SYSLOG_IDENTIFIER') === 'systemd' ? 'systemd' : 'unit',
  };
  const invocation = invocationOf(record);
  if (invocation !== null) shown['invocation'] = redaction.label('invocation', invocation);
  const kind = kinds.get(fieldOf(record, 'MESSAGE_ID') ?? '');
  if (kind !== undefined) shown['kind'] = kind;
  const put = (names: readonly string[], show: (value: string) => unknown) => {
    for (const name of names) {
      const value = fieldOf(record, name);
      if (value !== null) shown[name] = show(value);
    }
  };
  put(numbers, (value) => (/^\d{1,15}$/.test(value) ? Number(value) : null));
  put(['SD_GATEWAY_SENDER_COMM'], (value) => redaction.process(value));
  for (const [name, label] of labels) put([name], (value) => redaction.label(label, value));
  put(words, (value) => redaction.text(value));
  return `${JSON.stringify(shown)}\n`;
}
