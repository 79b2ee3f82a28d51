/** The fields at the head of a mail (RFC 5322, section 2.2), as they stand there: nothing is decoded but folding. */

/** Longest head that is read, in bytes. Servers end at a tenth of that. */
const longestHead = 256 * 1024;

export interface HeaderField {
  /** In lower case. */
  readonly name: string;
  /** In one line, without white space at its ends. Bytes that are no UTF-8 are U+FFFD. */
  readonly value: string;
}

export interface MailHead {
  readonly fields: readonly HeaderField[];
  /** The number of bytes before the body. */
  readonly endBytes: number;
  /** False if a line is no field, or the head is too long: nobody can rely on what other programs read in it. */
  readonly isSound: boolean;
}

const lineFeed = 0x0a;

/** Reads the fields in their order, the topmost first. */
export function readHead(mail: Uint8Array): MailHead {
  const { lines, endBytes, isWhole } = headLines(mail);
  const fields: { name: string; value: string }[] = [];
  let isSound = isWhole;
  for (const line of lines) {
    const last = fields.at(-1);
    if (/^[ \t]/.test(line) && last !== undefined) {
      last.value += ` ${line.trim()}`;
      continue;
    }
    // White space before the colon is an old form, which some programs read and some don't.
    const colon = /^([\x21-\x39\x3b-\x7e]+)([ \t]*):/.exec(line);
    if (colon === null || colon[2] !== '' || /[\r\0]/.test(line)) isSound = false;
    if (colon === null) continue;
    fields.push({ name: colon[1]?.toLowerCase() ?? '', value: line.slice(colon[0].length).trim() });
  }
  return { fields: fields.map(({ name, value }) => ({ name, value: value.trim() })), endBytes, isSound };
}

/** The values of all fields of a name, the topmost first. */
export function valuesOf({ fields }: MailHead, name: string): readonly string[] {
  return fields.filter((field) => field.name === name).map(({ value }) => value);
}

/** The value of the only field of a name; null if there is none, or several. */
export function onlyValue(head: MailHead, name: string): string | null {
  const values = valuesOf(head, name);
  return values.length === 1 ? (values[0] ?? null) : null;
}

function headLines(mail: Uint8Array): {
  readonly lines: readonly string[];
  readonly endBytes: number;
  readonly isWhole: boolean;
} {
  const lines: string[] = [];
  const decoder = new TextDecoder();
  let from = 0;
  while (from < mail.length) {
    if (from > longestHead) return { lines, endBytes: from, isWhole: false };
    const found = mail.indexOf(lineFeed, from);
    const end = found === -1 ? mail.length : found;
    const line = decoder.decode(mail.subarray(from, end)).replace(/\r$/, '');
    from = end + 1;
    if (line === '') return { lines, endBytes: Math.min(from, mail.length), isWhole: true };
    lines.push(line);
  }
  return { lines, endBytes: mail.length, isWhole: true };
}
