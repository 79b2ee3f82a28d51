/** The variables of a file such as `.env`, and the lines that are none. */
export interface DotEnv {
  readonly variables: ReadonlyMap<string, string>;
  /** Numbers of lines, the first is 1. */
  readonly unreadLines: readonly number[];
}

export const emptyDotEnv: DotEnv = { variables: new Map(), unreadLines: [] };

/**
 * Reads a line as python-dotenv and npm's dotenv do: `NAME=value`, perhaps behind "export", with a comment behind a blank
 * and "#", and with quotes. Nothing is run or replaced. A value ends with its line.
 */
export function parseDotEnv(text: string): DotEnv {
  const variables = new Map<string, string>();
  const unreadLines: number[] = [];
  for (const [index, written] of text.split(/\r?\n/).entries()) {
    const line = written.trim();
    if (line === '' || line.startsWith('#')) continue;
    const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/.exec(line);
    const value = match === null ? null : readValue(line.slice(match[0].length).trim());
    if (value === null) unreadLines.push(index + 1);
    else variables.set(match?.[1] ?? '', value);
  }
  return { variables, unreadLines };
}

/** Null: a quote is not closed. */
function readValue(text: string): string | null {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") {
    const comment = text.search(/(?:^|\s)#/);
    return (comment === -1 ? text : text.slice(0, comment)).trim();
  }
  let value = '';
  for (let at = 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === quote) return value;
    if (character !== '\\' || quote === "'") value += character;
    else {
      at += 1;
      const escaped = text.charAt(at);
      value += { n: '\n', r: '\r', t: '\t' }[escaped] ?? escaped;
    }
  }
  return null;
}

/** Names a variable that a text needs and the file does not have. */
export class MissingVariableError extends Error {
  constructor(name: string) {
    super(`it refers to \${${name}}, which .env does not have`);
    this.name = 'MissingVariableError';
  }
}

/**
 * Puts the variables in the places of `${NAME}`; `$${NAME}` is the text `${NAME}`. What is put in is not looked at again.
 *
 * @throws MissingVariableError
 */
export function withVariables(text: string, { variables }: DotEnv): string {
  return text.replace(/\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (reference, name: string) => {
    if (reference.startsWith('$$')) return reference.slice(1);
    const value = variables.get(name);
    if (value === undefined || value === '') throw new MissingVariableError(name);
    return value;
  });
}
