import { fieldOf, type JournalRecord } from '../manager/journal-reader.js';
import { printable, type Style, type Terminal } from './terminal.js';

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
