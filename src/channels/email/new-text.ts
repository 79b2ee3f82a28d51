/** Takes the quoted mail off the end of an answer. Text that could be the author's own stays. */

/** A line by which a program begins a copy of the mail that is answered. */
const separator =
  /^\s*-{3,}\s*(?:Original Message|Original-Nachricht|Ursprüngliche Nachricht|Message d'origine|Mensaje original|Messaggio originale|Oorspronkelijk bericht)\s*-{3,}\s*$/i;

/** The subject of a mail that was sent on: its copy of another mail is what it is about. */
const forwarded = /^\s*(?:fwd?|wg|tr|rv|i|doorst|vs)\s*:/i;

/** The line before a quotation, such as "On Mon, 30 Nov 2026 at 14:03, Ada <ada@example.org> wrote:". */
const attribution = /^(?:[^\n]*\n){0,2}[^\n]*:\s*$/;
const attributionMark =
  /[\w.+-]+@[\w.-]+|\d{1,2}:\d\d|\b(?:wrote|schrieb|écrit|escribió|ha scritto|schreef)\b/i;

/** The name of a field in the copy of a head. */
const copiedField =
  /^\s*\*?(?:From|Sent|To|Cc|Date|Subject|Von|Gesendet|An|Datum|Betreff|De|Envoyé|À|Objet)\s?:\*?\s/i;

/** Lines in which the copy of a mail may begin. It stands below the author's own words. */
const mostOwnLines = 10_000;

export interface AnswerText {
  readonly text: string;
  readonly subject: string;
  /** True if the mail answers another one: others have nothing to cut. */
  readonly isAnswer: boolean;
}

/** Gives the new part of an answer; all of it, if nothing else would be left. */
export function newText({ text, subject, isAnswer }: AnswerText): string {
  const whole = text.replace(/\r\n?/g, '\n').trim();
  if (!isAnswer || forwarded.test(subject)) return whole;
  const lines = whole.split('\n');
  const copied = lines
    .slice(0, mostOwnLines)
    .findIndex((line, at) => separator.test(line) || isCopiedHead(lines, at));
  const top = copied === -1 ? lines : lines.slice(0, copied);
  const cut = withoutQuotedEnd(top).join('\n').trim();
  return cut === '' ? whole : cut;
}

/** Four fields in a row, as they stand before the mail in an answer of Outlook. */
function isCopiedHead(lines: readonly string[], at: number): boolean {
  return [0, 1, 2, 3].every((offset) => copiedField.test(lines[at + offset] ?? ''));
}

/** A quotation within the text was answered in place, and stays. */
function withoutQuotedEnd(lines: readonly string[]): readonly string[] {
  let end = lines.length;
  let quotes = 0;
  for (; end > 0; end -= 1) {
    const line = lines[end - 1] ?? '';
    if (line.startsWith('>')) quotes += 1;
    else if (line.trim() !== '') break;
  }
  if (quotes === 0) return lines;
  for (const count of [1, 2, 3]) {
    const before = lines.slice(Math.max(0, end - count), end);
    const isBegin = (before[0] ?? '').trim() !== '' && (lines[end - count - 1] ?? '').trim() === '';
    const text = before.join('\n');
    if (isBegin && text.length < 500 && attribution.test(text) && attributionMark.test(text)) {
      return lines.slice(0, end - count);
    }
  }
  return lines.slice(0, end);
}
