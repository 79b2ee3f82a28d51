import { createInterface } from 'node:readline/promises';
import type { ParsedCommand } from './usage.js';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const codes: Readonly<Record<Style, string>> = {
  bold: '1',
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  cyan: '36',
};

/** The terminal, file or pipe that a command writes to. */
export interface Terminal {
  readonly isTerminal: boolean;
  /** Columns; at least 40. */
  readonly width: number;
  /** The text in the style, or as it is where there are no colours. */
  paint(style: Style, text: string): string;
}

/** True if colours are wanted: on a terminal that has them, unless --no-color or NO_COLOR (no-color.org) says no. */
export function wantsColour(
  flags: ReadonlySet<string>,
  environment: NodeJS.ProcessEnv,
  isTerminal: boolean,
): boolean {
  const { NO_COLOR, TERM } = environment;
  return (
    isTerminal && !flags.has('no-color') && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb'
  );
}

/** The terminal that a stream leads to. */
export function terminalOf(
  parsed: Pick<ParsedCommand, 'flags'>,
  stream: NodeJS.WriteStream = process.stdout,
  environment: NodeJS.ProcessEnv = process.env,
): Terminal {
  const isTerminal = stream.isTTY === true;
  const colour = wantsColour(parsed.flags, environment, isTerminal);
  return {
    isTerminal,
    width: Math.max(40, (isTerminal ? stream.columns : Number(environment.COLUMNS)) || 80),
    paint: (style, text) => (colour ? `\u001b[${codes[style]}m${text}\u001b[0m` : text),
  };
}

/** Text from elsewhere, with what could steer a terminal made visible; line feeds and tabs stay. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** Makes text from elsewhere `printable` for a terminal; leaves it as it is for a pipe or a file. */
export function textFor(text: string, stream: NodeJS.WriteStream): string {
  return stream.isTTY === true ? printable(text) : text;
}

/** Escapes, for a terminal, the control characters that JSON may hold as they are; leaves it for a pipe or a file. */
export function jsonFor(text: string, stream: NodeJS.WriteStream): string {
  if (stream.isTTY !== true) return text;
  return text.replace(/[\u007f-\u009f]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Writes one value as a line of JSON for standard output. */
export function jsonLine(value: unknown, indent = 0): string {
  return `${jsonFor(JSON.stringify(value, null, indent), process.stdout)}\n`;
}

/** Asks on the terminal; null where there is none to ask on. The end of the input is a no. */
export async function askYesNo(question: string): Promise<boolean | null> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return null;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  try {
    const answer = await Promise.race([terminal.question(`${printable(question)} [y/N] `), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/** A word of a command to type in a POSIX shell, in quotes where it needs them. */
export function shellWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}
