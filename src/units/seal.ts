import { createHash } from 'node:crypto';

/** The origin of a file: as install wrote it, edited since, or somebody else’s. */
export type Ownership = 'own' | 'edited' | 'foreign';

const header = /^# Written by "sd-gateway install"; sha256 of the lines below: ([0-9a-f]{64})\n/;

function hashOf(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** The text below a first line that says who wrote it, and holds the hash that tells an edit by hand. */
export function seal(body: string): string {
  return `# Written by "sd-gateway install"; sha256 of the lines below: ${hashOf(body)}\n${body}`;
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
