import { printable } from './standard-error.js';

/** Longest line that tells people what an agent does, in characters. */
const longestStatus = 200;

/** A text as one line of at most so many characters, without what a terminal would act on. */
export function oneLine(text: string, longest = longestStatus): string {
  // All of a long text need not be looked at; it may have escape sequences, which go.
  const line = printable(text.slice(0, 20 * longest).replace(/\s+/g, ' ')).trim();
  if (line.length <= longest) return line;
  // A part of a text keeps all of the text in memory; a copy doesn't.
  return Buffer.from(`${line.slice(0, longest - 1)}…`).toString();
}
