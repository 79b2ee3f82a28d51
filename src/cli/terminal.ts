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

/**
 * Text from elsewhere, with what could steer a terminal made visible: control characters, and those that make it show what
 * follows in another order (Unicode Standard Annex #9). Line feeds and tabs stay.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const hex = character.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex}` : `\\x${hex.padStart(2, '0')}`;
  });
}

/** Makes text from elsewhere `printable` for a terminal; leaves it as it is for a pipe or a file. */
export function textFor(text: string, stream: NodeJS.WriteStream): string {
  return stream.isTTY === true ? printable(text) : text;
}

/** Escapes, for a terminal, the characters that `printable` shows and JSON may hold as they are; leaves it for a pipe or a file. */
export function jsonFor(text: string, stream: NodeJS.WriteStream): string {
  if (stream.isTTY !== true) return text;
  return text.replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
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
  // Few commands ask, and to load it takes its time.
  const { createInterface } = await import('node:readline/promises');
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

/** The version of the form of all reports; a change that could break a reader raises it. */
const reportVersion = 1;

/** Members that hold a time in milliseconds since the Unix epoch. */
const times: ReadonlySet<string> = new Set([
  'at',
  'lastPing',
  'readyAt',
  'requestedAt',
  'since',
  'startedAt',
  'until',
]);

/** Members whose names don't say their unit inside of the program. */
const names: Readonly<Record<string, string>> = {
  eventLoopDelay: 'event_loop_delay_ms',
  interval: 'interval_ms',
  memory: 'memory_bytes',
  microseconds: 'timeout_microseconds',
  pendingFor: 'pending_for_ms',
  residentMemory: 'resident_memory_bytes',
  restartDelay: 'restart_delay_ms',
  runtimeLimit: 'runtime_limit_ms',
  sinceLastPing: 'since_last_ping_ms',
  startDuration: 'start_duration_ms',
  startTimeout: 'start_timeout_ms',
  timeout: 'timeout_ms',
};

function nameOf(member: string): string {
  return names[member] ?? member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function viewOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(viewOf);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([member, inner]) => [
    nameOf(member),
    times.has(member) && typeof inner === 'number' ? new Date(inner).toISOString() : viewOf(inner),
  ]);
  return Object.fromEntries(members);
}

/** The public form of what a command found: snake_case, times of RFC 3339, units in names. */
export function reportView(report: object): object {
  return viewOf(report) as object;
}

/** Writes what a command found as a line of JSON, in its public form. */
export function reportLine(report: object): string {
  return versionedLine(reportView(report));
}

/** Writes an object that has its public form already as a line of JSON. */
export function versionedLine(value: object | null, indent = 0): string {
  return jsonLine({ version: reportVersion, ...value }, indent);
}

/** Says as a line of JSON why a command failed. */
export function errorLine(message: string, exitStatus: number): string {
  return versionedLine({ error: { message, exit_status: exitStatus } });
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameInterval = 100;
/** Without a terminal a text that goes on changing, such as a count of seconds, is written this often, in ms. */
const lineInterval = 10_000;

/** The text cut to the columns. */
export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

/**
 * Shows what is being waited for: on a terminal one line that moves, elsewhere a line at the first text and then now
 * and then, so that a log isn't flooded.
 */
export class Spinner {
  readonly #stream: NodeJS.WriteStream;
  readonly #terminal: Terminal;
  readonly #now: () => number;
  #text = '';
  #frame = 0;
  #timer: NodeJS.Timeout | null = null;
  #written: { readonly text: string; readonly at: number } | null = null;

  constructor(stream: NodeJS.WriteStream, terminal: Terminal, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#terminal = terminal;
    this.#now = now;
  }

  /** True if it is one line that moves. */
  get isMoving(): boolean {
    return this.#terminal.isTerminal;
  }

  /** `isNews`: where there is no terminal it is written at once, not when it is its turn. */
  show(text: string, isNews = false): void {
    if (!this.#terminal.isTerminal) {
      this.#write(text, isNews);
      return;
    }
    if (text === this.#text) return;
    this.#text = text;
    this.#draw();
    this.#timer ??= setInterval(() => this.#draw(), frameInterval).unref();
  }

  #write(text: string, isNews: boolean): void {
    const now = this.#now();
    const before = this.#written;
    if (text === before?.text) return;
    if (before !== null && !isNews && now - before.at < lineInterval) return;
    this.#written = { text, at: now };
    this.#stream.write(`${printable(text)}\n`);
  }

  /** Leaves nothing on the terminal. */
  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#stream.write('\r\u001b[K');
  }

  #draw(): void {
    this.#frame = (this.#frame + 1) % frames.length;
    const text = cut(printable(this.#text).replaceAll('\n', ' '), this.#terminal.width - 3);
    this.#stream.write(`\r\u001b[K${this.#terminal.paint('cyan', frames[this.#frame] ?? '')} ${text}`);
  }
}
