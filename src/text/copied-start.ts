/**
 * The first characters of a text from outside that is to be remembered. A slice would keep all of the text in memory.
 * A half of a character at the cut becomes U+FFFD.
 */
export function copiedStart(text: string, most: number): string {
  return text.length <= most ? text : Buffer.from(text.slice(0, most)).toString();
}

/** A text from outside for people to read: its first characters and "…" if it has more than `most`. */
export function cutText(text: string, most: number): string {
  return text.length <= most ? text : `${copiedStart(text, most)}…`;
}
