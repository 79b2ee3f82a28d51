import { createHash } from 'node:crypto';

/** A line of a unit file (systemd.syntax(7)); a directive with continuation lines is one. */
export type UnitLine =
  | { readonly kind: 'section'; readonly name: string; readonly text: string }
  | { readonly kind: 'directive'; readonly name: string; readonly value: string; readonly text: string }
  /** A comment or an empty line. */
  | { readonly kind: 'other'; readonly text: string };

/** Reads a unit file line by line; nothing of it is lost. */
export function parseUnit(text: string): UnitLine[] {
  const lines = text.replace(/\n$/, '').split('\n');
  const parsed: UnitLine[] = [];
  for (let i = 0; i < lines.length; i++) {
    let line = lines[i] ?? '';
    const section = /^\[(.+)\]\s*$/.exec(line);
    if (section !== null) {
      parsed.push({ kind: 'section', name: section[1] ?? '', text: line });
      continue;
    }
    if (/^\s*([#;]|$)/.test(line)) {
      parsed.push({ kind: 'other', text: line });
      continue;
    }
    while (line.endsWith('\\') && i + 1 < lines.length) line += `\n${lines[++i]}`;
    const at = line.indexOf('=');
    parsed.push({
      kind: 'directive',
      name: line.slice(0, at).trim(),
      value: line.slice(at + 1).trim(),
      text: line,
    });
  }
  return parsed;
}

export function unitText(lines: readonly UnitLine[]): string {
  return `${lines.map(({ text }) => text).join('\n')}\n`;
}

export function directive(name: string, value: string): UnitLine {
  return { kind: 'directive', name, value, text: `${name}=${value}` };
}

export function comment(text: string): UnitLine {
  return { kind: 'other', text: `# ${text}` };
}

/** The last value of a directive; null when the text doesn't have it. */
export function valueIn(lines: readonly UnitLine[], name: string): string | null {
  const found = lines.findLast((line) => line.kind === 'directive' && line.name === name);
  return found?.kind === 'directive' ? found.value : null;
}

/** A value that no unit file can hold. */
export class UnitValueError extends Error {
  constructor(
    readonly value: string,
    reason: string,
  ) {
    super(`${JSON.stringify(value)} can’t stand in a unit file: ${reason}`);
    this.name = 'UnitValueError';
  }
}

function refuseControlCharacters(value: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(value)) throw new UnitValueError(value, 'it has a control character');
}

/** "%" begins a specifier (systemd.unit(5)). */
export function escapeSpecifiers(value: string): string {
  refuseControlCharacters(value);
  return value.replaceAll('%', '%%');
}

/** One word of a list, in quotes where it needs them (systemd.syntax(7), "Quoting"). */
export function quoteWord(value: string): string {
  const escaped = escapeSpecifiers(value);
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(escaped)) return escaped;
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** A command line for ExecStart= (systemd.service(5), "Command lines"): nothing in it is expanded. */
export function commandLine(program: string, parameters: readonly string[]): string {
  // In the program’s path "$" stands for itself, and in its argv[0] for a variable; no notation suits both.
  if (program.includes('$')) throw new UnitValueError(program, 'a program’s path can’t have a "$"');
  return [quoteWord(program), ...parameters.map((word) => quoteWord(word.replaceAll('$', '$$$$')))].join(' ');
}

/** A path for EnvironmentFile=, which takes it without quotes and as a pattern of glob(7). */
export function environmentFilePath(path: string): string {
  return escapeSpecifiers(path).replace(/[\\*?[]/g, '\\$&');
}

/** The origin of a file: as install wrote it, edited since, or somebody else’s. */
export type Ownership = 'own' | 'edited' | 'foreign';

const header =
  /^# Written by "sd-gateway (?:install|schedule add)"; sha256 of the lines below: ([0-9a-f]{64})\n/;

function hashOf(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** The text below a first line that says who wrote it, and holds the hash that tells an edit by hand. */
export function seal(body: string, command: 'install' | 'schedule add' = 'install'): string {
  return `# Written by "sd-gateway ${command}"; sha256 of the lines below: ${hashOf(body)}\n${body}`;
}

/** Judges a file by its first line and its hash. */
export function judge(text: string): Ownership {
  const match = header.exec(text);
  if (match === null) return 'foreign';
  return hashOf(text.slice(match[0].length)) === match[1] ? 'own' : 'edited';
}

/** A sealed text without its hash, which tells a reader of a difference nothing. */
export function withoutHash(text: string): string {
  return text.replace(header, (line, hash: string) => line.replace(hash, '…'));
}

/** The operator's choices at the install, kept in the unit so that it can be written again alike. */
export interface UnitChoices {
  /** `--config`, an absolute path; null: the one of the instance in the configuration directory. */
  readonly configurationFile: string | null;
  /** `--environment-file`, an absolute path; null: the one beside the configuration, if there is one. */
  readonly environmentFile: string | null;
  /** `--run-as`: a user; null: the instance’s own (system), or the manager’s (user). */
  readonly runAs: string | null;
  /** The Node.js that runs it; an absolute path. */
  readonly node: string;
}

const prefix = '# Choices: ';

/** The line of the unit file that holds the choices. */
export function choicesLine(choices: UnitChoices): string {
  const { configurationFile, environmentFile, runAs, node } = choices;
  return `${prefix}${JSON.stringify({ configurationFile, environmentFile, runAs, node })}`;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Reads the choices of an installed unit; null when it has none that can be read. */
export function readChoices(text: string): UnitChoices | null {
  const line = text.split('\n').find((candidate) => candidate.startsWith(prefix));
  if (line === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(line.slice(prefix.length));
  } catch {
    // Edited by hand, which the hash tells.
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { configurationFile, environmentFile, runAs, node } = value as Readonly<Record<string, unknown>>;
  if (typeof node !== 'string') return null;
  return {
    configurationFile: textOrNull(configurationFile),
    environmentFile: textOrNull(environmentFile),
    runAs: textOrNull(runAs),
    node,
  };
}
