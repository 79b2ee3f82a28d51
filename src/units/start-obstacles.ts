import { readFileSync, statSync } from 'node:fs';
import { parseUnit } from './unit-text.js';

/** A line of a unit's file or of a drop-in that keeps the unit from starting. */
export interface StartObstacle {
  readonly file: string;
  /** The line's number, from 1. */
  readonly line: number;
  /** The directive as it stands there. */
  readonly text: string;
  /** A clause that says why it does. */
  readonly why: string;
}

/** The text of a unit file or drop-in. */
export interface UnitFile {
  readonly path: string;
  readonly text: string;
}

interface Setting extends Pick<StartObstacle, 'file' | 'line' | 'text'> {
  readonly section: string;
  readonly name: string;
  readonly value: string;
}

/** Settings that have a file or directory which has to be there (systemd.exec(5)); "-" before it says that it need not. */
const ofPaths = [
  'EnvironmentFile',
  'WorkingDirectory',
  'RootDirectory',
  'RootImage',
  'ReadWritePaths',
  'ReadOnlyPaths',
  'InaccessiblePaths',
  'ExecPaths',
  'NoExecPaths',
  'BindPaths',
  'BindReadOnlyPaths',
];

const ofCredentials = ['LoadCredential', 'LoadCredentialEncrypted'];
const credentialDefaults = ['SetCredential', 'SetCredentialEncrypted'];

/** Conditions that fail where the path is missing (systemd.unit(5)). */
const presence =
  /^(Assert|Condition)(PathExists|PathIsDirectory|PathIsSymbolicLink|PathIsMountPoint|PathIsReadWrite|DirectoryNotEmpty|FileNotEmpty|FileIsExecutable)$/;

function settingsIn({ path, text }: UnitFile): Setting[] {
  const settings: Setting[] = [];
  let section = '';
  let line = 1;
  for (const parsed of parseUnit(text)) {
    if (parsed.kind === 'section') section = parsed.name;
    if (parsed.kind === 'directive') {
      const { name, value } = parsed;
      settings.push({ section, name, value, file: path, line, text: parsed.text.trim() });
    }
    line += parsed.text.split('\n').length;
  }
  return settings;
}

/** The settings that count: an empty value takes back those before it. */
function inForce(files: readonly UnitFile[]): readonly Setting[] {
  const settings: Setting[] = [];
  for (const setting of files.flatMap(settingsIn)) {
    if (setting.value !== '') settings.push(setting);
    else {
      const rest = settings.filter(
        ({ name, section }) => name !== setting.name || section !== setting.section,
      );
      settings.splice(0, settings.length, ...rest);
    }
  }
  return settings;
}

/** The paths of a value that have to be there. One with a specifier or a pattern is the manager's to judge. */
function neededPaths(value: string): string[] {
  return value
    .split(/\s+/)
    .map((word) => word.replace(/^["']|["']$/g, '').replace(/^\+/, ''))
    .filter((word) => word.startsWith('/') && !/[%*?[\\]/.test(word))
    .map((word) => word.split(':')[0] ?? '');
}

/** Says why the setting keeps the unit from starting; null: it doesn't, as far as can be told. */
function obstacleIn(
  setting: Setting,
  all: readonly Setting[],
  isMissing: (path: string) => boolean,
): string | null {
  const { section, name, value } = setting;
  const condition = presence.exec(name);
  if (section === 'Unit' && condition !== null) {
    // With "|" another one of them may hold.
    const [, not = '', path = ''] = /^(!?)\s*(\/.*)$/.exec(value) ?? [];
    if (path === '' || path.includes('%')) return null;
    if (not === '') return isMissing(path) ? `there is no ${path}` : null;
    return condition[2] === 'PathExists' && !isMissing(path) ? `${path} is there` : null;
  }
  if (section !== 'Service') return null;
  if (name === 'MemoryDenyWriteExecute' && /^(yes|y|true|t|on|1)$/i.test(value)) {
    const isInterpreted = all.some((other) => other.value.includes('--jitless'));
    return isInterpreted ? null : 'Node.js can’t run under it, as V8 writes the code that it executes';
  }
  if (name === 'ReadOnlyPaths') {
    const state = all
      .filter((other) => other.name === 'StateDirectory')
      .flatMap((other) => other.value.split(/\s+/))
      .map((word) => `/var/lib/${word.split(':')[0]}`);
    const readOnly = neededPaths(value).find((path) => state.includes(path.replace(/\/+$/, '')));
    if (readOnly !== undefined) return `the gateway has to write to ${readOnly}`;
  }
  if (ofCredentials.includes(name)) {
    const [id = '', path = ''] = value.split(/:(.*)/s);
    const hasDefault = all.some(
      (other) => credentialDefaults.includes(other.name) && other.value.startsWith(`${id}:`),
    );
    const [missing] = hasDefault ? [] : neededPaths(path).filter(isMissing);
    return missing === undefined ? null : `there is no ${missing}`;
  }
  const [missing] = ofPaths.includes(name) ? neededPaths(value).filter(isMissing) : [];
  return missing === undefined ? null : `there is no ${missing}`;
}

/**
 * Finds the lines that keep a unit from starting, as far as files tell.
 *
 * @param files the unit's own and its drop-ins, in the order in which the manager merges them
 */
export function obstaclesIn(
  files: readonly UnitFile[],
  isMissing: (path: string) => boolean,
): readonly StartObstacle[] {
  const settings = inForce(files);
  // The last one of these counts.
  const single = ['MemoryDenyWriteExecute', 'WorkingDirectory', 'RootDirectory', 'RootImage'];
  return settings.flatMap((setting, index) => {
    const { name, file, line, text } = setting;
    const isOverridden =
      single.includes(name) && settings.slice(index + 1).some((other) => other.name === name);
    const why = isOverridden ? null : obstacleIn(setting, settings, isMissing);
    return why === null ? [] : [{ file, line, text, why }];
  });
}

/** False as well for one that this user may not look at. */
function isMissingHere(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR';
  }
}

/** A file that this user can't read tells nothing. */
function read(path: string): UnitFile[] {
  try {
    return [{ path, text: readFileSync(path, 'utf8') }];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return [];
  }
}

/** Reads the files, and finds the lines in them that keep the unit from starting. */
export function startObstacles(paths: readonly string[]): readonly StartObstacle[] {
  return obstaclesIn(paths.flatMap(read), isMissingHere);
}

/** One sentence. */
export function describeObstacle({ file, line, text, why }: StartObstacle): string {
  return `${file}:${line}: ${text} keeps it from starting: ${why}.`;
}
