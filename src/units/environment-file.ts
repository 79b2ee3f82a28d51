/**
 * Reads a file for EnvironmentFile= as systemd.exec(5) has it: NAME=VALUE lines, comments that begin with "#" or ";",
 * values in single or double quotes, a backslash before a line feed that goes on with the value.
 */
export function parseEnvironmentFile(text: string): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  let at = 0;
  while (at < text.length) {
    const end = (text.indexOf('\n', at) + 1 || text.length + 1) - 1;
    const line = text.slice(at, end);
    const name = /^[ \t\r]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=/.exec(line);
    if (name === null) {
      at = end + 1;
      continue;
    }
    const value = readValue(text, at + name[0].length);
    variables[name[1] ?? ''] = value.text;
    at = value.end + 1;
  }
  return variables;
}

/** Reads up to the line feed that ends the value. */
function readValue(text: string, from: number): { readonly text: string; readonly end: number } {
  let value = '';
  /** White space is kept only where something follows it. */
  let pending = '';
  let quote: string | null = null;
  let at = from;
  for (; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote === null && character === '\n') break;
    if (character === '\\' && quote !== "'") {
      const next = text[++at] ?? '';
      // In double quotes a backslash stands for itself, except before what it could quote.
      const literal = quote === '"' && !'"\\`$\n'.includes(next) ? `\\${next}` : next;
      if (next !== '\n') value += pending + literal;
      if (next !== '\n') pending = '';
    } else if (quote !== null && character === quote) quote = null;
    else if (quote === null && (character === '"' || character === "'") && value === '') quote = character;
    else if (quote === null && /\s/.test(character)) pending += value === '' ? '' : character;
    else {
      value += pending + character;
      pending = '';
    }
  }
  return { text: value, end: at };
}
