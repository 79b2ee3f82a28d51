/** Writes words as a command for a POSIX shell, which gets them back as they are. */
export function shellCommand(words: readonly string[]): string {
  return words.map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Splits a command into its words as a POSIX shell does; quotes and backslashes go, and nothing else has a meaning. Null: a
 * quote is not closed, or a backslash stands at the end.
 */
export function wordsOf(command: string): readonly string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (const [piece, single, double, escaped, plain] of command.matchAll(
    /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)|\s+|./gs,
  )) {
    const text = single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain;
    if (text !== undefined) {
      word = (word ?? '') + text;
      continue;
    }
    if (!/^\s/.test(piece)) return null;
    if (word !== null) words.push(word);
    word = null;
  }
  return word === null ? words : [...words, word];
}
