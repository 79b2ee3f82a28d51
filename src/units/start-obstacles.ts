import { readFileSync, statSync } from 'node:fs';
import { parseUnit } from './unit-text.js';

/** A directive in a unit's file or in a drop-in. */
export interface UnitFileLine {
  readonly file: string;
  /** The line's number, from 1. */
  readonly line: number;
  /** The directive as it stands there. */
  readonly text: string;
}

/** A line that keeps the unit from starting. */
export interface StartObstacle extends UnitFileLine {
  /** A clause that says why it does. */
  readonly why: string;
}

/** The text of a unit file or drop-in. */
export interface UnitFile {
  readonly path: string;
  readonly text: string;
}

interface Setting extends UnitFileLine {
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

/** Settings whose command has to succeed before the unit is up; "-" before it says that it need not. */
const ofCommands = ['ExecCondition', 'ExecStartPre', 'ExecStart', 'ExecStartPost'];

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

/** Lists that several settings share: an empty value of one takes back those of all. */
const sharedLists = [
  /^Condition/,
  /^Assert/,
  /^(LoadCredential|LoadCredentialEncrypted)$/,
  /^(SetCredential|SetCredentialEncrypted)$/,
  /^(BindPaths|BindReadOnlyPaths)$/,
];

/** Settings of which the last one counts. */
const single = ['MemoryDenyWriteExecute', 'WorkingDirectory', 'RootDirectory', 'RootImage', 'User'];

/** True if a later setting takes back an earlier one. */
function replaces(later: Setting, earlier: Setting): boolean {
  if (later.section !== earlier.section) return false;
  const isOfList = (list: RegExp) => list.test(later.name) && list.test(earlier.name);
  const isShared = sharedLists.some(isOfList);
  if (later.value === '') return isShared || later.name === earlier.name;
  // A credential is known by its id.
  if (ofCredentials.includes(later.name) && isShared) return idIn(later) === idIn(earlier);
  return later.name === earlier.name && single.includes(later.name);
}

function idIn({ value }: Setting): string {
  return value.split(':', 1)[0] ?? '';
}

/** The settings that count, in their order. */
function inForce(files: readonly UnitFile[]): readonly Setting[] {
  let settings: Setting[] = [];
  for (const setting of files.flatMap(settingsIn)) {
    settings = settings.filter((earlier) => !replaces(setting, earlier));
    if (setting.value !== '') settings.push(setting);
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

/** The program of a command (systemd.service(5), "Command lines"); null: it need not be there, or the manager looks for it. */
function programIn(value: string): string | null {
  const [, prefixes = '', word = ''] = /^([-@:+!|]*)\s*("[^"]*"|'[^']*'|\S+)/.exec(value) ?? [];
  const [program] = neededPaths(word);
  return prefixes.includes('-') ? null : (program ?? null);
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
  if (ofCommands.includes(name)) {
    const program = programIn(value);
    // It is looked for in another root.
    const isElsewhere = all.some((other) => other.name === 'RootDirectory' || other.name === 'RootImage');
    return program === null || isElsewhere || !isMissing(program) ? null : `there is no ${program}`;
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
  return settings.flatMap((setting) => {
    const { file, line, text } = setting;
    const why = obstacleIn(setting, settings, isMissing);
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

/** Reads a file of a unit. One that this user can't read tells nothing. */
export function readUnitFile(path: string): UnitFile[] {
  try {
    return [{ path, text: readFileSync(path, 'utf8') }];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return [];
  }
}

/** Reads the files, and finds the lines in them that keep the unit from starting. */
export function startObstacles(paths: readonly string[]): readonly StartObstacle[] {
  return obstaclesIn(paths.flatMap(readUnitFile), isMissingHere);
}

/** One sentence. */
export function describeObstacle({ file, line, text, why }: StartObstacle): string {
  return `${file}:${line}: ${text} keeps it from starting: ${why}.`;
}

/** The files from which the manager takes credentials, by their ids. Only those that anybody could read as they are. */
export function credentialSources(paths: readonly string[]): ReadonlyMap<string, string> {
  const settings = inForce(paths.flatMap(readUnitFile)).filter(
    ({ section, name }) => section === 'Service' && name === 'LoadCredential',
  );
  return new Map(
    settings.flatMap((setting): [string, string][] => {
      const [path] = neededPaths(setting.value.slice(idIn(setting).length + 1));
      return path === undefined ? [] : [[idIn(setting), path]];
    }),
  );
}

/** Finds the line that sets a setting of [Service] of which the last one counts; null: none does, or it can't be read. */
export function lineOf(paths: readonly string[], name: string): UnitFileLine | null {
  const found = inForce(paths.flatMap(readUnitFile)).findLast(
    (setting) => setting.section === 'Service' && setting.name === name,
  );
  return found === undefined ? null : { file: found.file, line: found.line, text: found.text };
}

/**
 * Puts the place before a complaint of systemd-analyze about a program, which names the unit alone: a drop-in may be
 * what has it.
 */
export function placedComplaint(complaint: string, files: readonly UnitFile[]): string {
  const program = /^\S+: Command (\/.*) is not executable: /.exec(complaint)?.[1];
  if (program === undefined) return complaint;
  const setting = inForce(files).find(
    ({ section, name, value }) =>
      section === 'Service' &&
      name.startsWith('Exec') &&
      value.replace(/^[-@:+!|]*\s*["']?/, '').startsWith(program),
  );
  if (setting === undefined) return complaint;
  return complaint.replace(/^\S+: /, `${setting.file}:${setting.line}: `);
}
