/**
 * Characters that JSON from outside may have outside its strings. Each of them may be a value, which takes many times the
 * time and the memory of its text: "[[],[],…" of 80 MiB blocks the event loop for half a minute.
 */
const mostOutsideStrings = 1024 ** 2;

/** The text may be JSON. It is too costly to be read. */
export class CostlyJsonError extends Error {
  override name = 'CostlyJsonError';
}

/** Parses JSON from outside. Throws a SyntaxError if it is none, and a CostlyJsonError if it has too many values. */
export function parseJson(text: string, most = mostOutsideStrings): unknown {
  if (text.length > most && lengthOutsideStrings(text, most) > most) {
    throw new CostlyJsonError(`the JSON has more than ${most} characters outside its strings`);
  }
  return JSON.parse(text);
}

/** Counts characters, quotation marks among them; it goes on no further once they are more than `most`. */
function lengthOutsideStrings(text: string, most: number): number {
  let length = 0;
  let position = 0;
  while (length <= most) {
    const opening = text.indexOf('"', position);
    if (opening < 0) return length + text.length - position;
    length += opening - position + 2;
    const closing = endOfString(text, opening);
    if (closing < 0) return length;
    position = closing + 1;
  }
  return length;
}

/** The index of the quotation mark that ends a string (RFC 8259, 7); -1: nothing ends it. */
function endOfString(text: string, opening: number): number {
  let closing = opening;
  for (;;) {
    closing = text.indexOf('"', closing + 1);
    if (closing < 0) return -1;
    let escapes = closing;
    while (text[escapes - 1] === '\\') escapes -= 1;
    if ((closing - escapes) % 2 === 0) return closing;
  }
}
