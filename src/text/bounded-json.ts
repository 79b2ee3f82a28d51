/**
 * Characters that JSON from outside may have outside its strings. Each of them may be a value, which takes many times the
 * time and the memory of its text: "[[],[],…" of 80 MiB blocks the event loop for half a minute.
 */
const mostOutsideStrings = 1024 ** 2;

/**
 * Levels of it. JSON.stringify ends with a RangeError somewhere behind 2,000. Servers that pass on what people send them take
 * up to 1,000 (Python's `json`), so that nobody can stop a channel by more.
 */
const mostLevels = 1_500;

const code = { openingBracket: 0x5b, closingBracket: 0x5d, openingBrace: 0x7b, closingBrace: 0x7d } as const;

/** The text may be JSON. It is too costly to be read. */
export class CostlyJsonError extends Error {
  override name = 'CostlyJsonError';
}

/** Parses JSON from outside. Throws a SyntaxError if it is none, and a CostlyJsonError if it has too many values or levels. */
export function parseJson(text: string, most = mostOutsideStrings): unknown {
  if (text.length > Math.min(most, mostLevels)) checkOutsideStrings(text, most);
  return JSON.parse(text);
}

/** Counts characters, quotation marks among them, and levels; it goes on no further once there are too many. */
function checkOutsideStrings(text: string, most: number): void {
  let length = 0;
  let level = 0;
  let position = 0;
  while (position < text.length) {
    const opening = text.indexOf('"', position);
    const end = opening < 0 ? text.length : opening;
    length += end - position + (opening < 0 ? 0 : 2);
    if (length > most) {
      throw new CostlyJsonError(`the JSON has more than ${most} characters outside its strings`);
    }
    for (let at = position; at < end; at += 1) {
      const character = text.charCodeAt(at);
      if (character === code.openingBracket || character === code.openingBrace) level += 1;
      else if (character === code.closingBracket || character === code.closingBrace) level -= 1;
      if (level > mostLevels) throw new CostlyJsonError(`the JSON is nested deeper than ${mostLevels}`);
    }
    const closing = opening < 0 ? -1 : endOfString(text, opening);
    if (closing < 0) return;
    position = closing + 1;
  }
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
