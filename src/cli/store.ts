import {
  createReadStream,
  createWriteStream,
  existsSync,
  lchownSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { databaseFile } from '../config/database-file.js';
import { nearest } from '../config/nearest.js';
import { ArchiveError, formatArchive, parseArchive } from '../store/archive.js';
import { FileError } from '../store/sqlite/errors.js';
import { StoreError } from '../store/store.js';
import { processName } from '../systemd/evidence.js';
import { tryLock } from '../systemd/file-lock.js';
import { EncodingError, linesOf } from '../text/lines-of.js';
import { commandStatus } from './commands.js';
import { configurationAt, placeOf } from './place.js';
import { printable } from './terminal.js';
import { type ParsedCommand, UsageError } from './usage.js';

const actions = ['check', 'backup', 'export', 'import', 'recover'] as const;
type Action = (typeof actions)[number];

/** The gateway has the database, and what was asked for needs it alone. */
class InUse extends Error {}

function requestOf({ command, operands }: ParsedCommand): { action: Action; file: string | null } {
  const [word = '', file = null] = operands;
  const action = actions.find((candidate) => candidate === word);
  if (action === undefined) {
    const meant = nearest(word, actions);
    const hint = meant === null ? `it is one of ${actions.join(', ')}` : `did you mean "${meant}"?`;
    throw new UsageError(`unknown action "${word}"; ${hint}`, command.name);
  }
  const wantsFile = action === 'backup' || action === 'import';
  if (wantsFile && file === null) throw new UsageError(`${action} needs FILE`, command.name);
  if (file !== null && (action === 'check' || action === 'recover')) {
    throw new UsageError(`${action} takes no file`, command.name);
  }
  return { action, file };
}

/** Runs `work` while no gateway can have the database. */
async function alone<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = tryLock(`${path}.lock`);
  if (!lock.locked) {
    const { holderPid } = lock;
    const holder =
      holderPid === null ? 'another process' : `${processName(holderPid) ?? 'a process'} (PID ${holderPid})`;
    throw new InUse(`the database ${path} is in use by ${holder}: stop the gateway first`);
  }
  try {
    giveToOwner(`${path}.lock`);
    return await work();
  } finally {
    lock.release();
  }
}

/** Made by root, it would keep the gateway out, which has a user of its own. */
function giveToOwner(file: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(file));
  lchownSync(file, uid, gid);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

interface Voice {
  readonly json: boolean;
  say(facts: object, ...lines: readonly string[]): void;
}

async function check(path: string, { say }: Voice): Promise<number> {
  const { checkStore } = await import('../store/sqlite/maintenance.js');
  const problems = checkStore(path);
  say(
    { path, sound: problems.length === 0, problems },
    ...(problems.length === 0 ? [`${path} is sound`] : problems),
  );
  if (problems.length === 0) return commandStatus.success;
  process.stderr.write(
    `sd-gateway: ${path} is damaged. Restore a backup, or stop the gateway and salvage what is readable: sd-gateway store recover\n`,
  );
  return commandStatus.failure;
}

async function backUp(path: string, file: string, { say }: Voice): Promise<number> {
  const { backUpStore } = await import('../store/sqlite/maintenance.js');
  await backUpStore(path, file);
  say({ path, backup: resolve(file) }, `Copied ${path} to ${file}`);
  return commandStatus.success;
}

async function exportTo(path: string, file: string | null, { say }: Voice): Promise<number> {
  const { exportStore, syncDirectory } = await import('../store/sqlite/maintenance.js');
  const writeTo = (output: Writable, end: boolean) =>
    exportStore(path, (items) => pipeline(Readable.from(formatArchive(items, Date.now())), output, { end }));
  if (file === null) {
    await writeTo(process.stdout, false);
    return commandStatus.success;
  }
  // It may be somebody’s only copy.
  if (existsSync(file)) throw new StoreError('internal', `${file} is there already: name another file.`);
  const unfinished = `${file}.part`;
  try {
    // One that was cut off may have left it.
    rmSync(unfinished, { force: true });
    await writeTo(createWriteStream(unfinished, { flags: 'wx', mode: 0o600, flush: true }), true);
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  syncDirectory(dirname(file));
  say({ path, file: resolve(file) }, `Exported ${path} to ${file}`);
  return commandStatus.success;
}

async function importFrom(path: string, file: string, { say }: Voice): Promise<number> {
  const { importToStore } = await import('../store/sqlite/maintenance.js');
  const input = file === '-' ? process.stdin : createReadStream(file);
  const failed = new Promise<never>((_resolve, reject) => input.once('error', reject));
  // Somebody else may have the store: then nobody gets to wait for it.
  failed.catch(() => undefined);
  const { sessions, messages } = await alone(path, () =>
    Promise.race([importToStore(path, parseArchive(linesOf(input, { fatal: true }))), failed]),
  );
  say(
    { path, sessions, messages },
    `Imported ${count(messages, 'message')} of ${count(sessions, 'session')} into ${path}`,
  );
  return commandStatus.success;
}

async function recover(path: string, { say }: Voice): Promise<number> {
  const { recoverStore } = await import('../store/sqlite/maintenance.js');
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const { sessions, messages, lost, missing, aside } = await alone(path, () => recoverStore(path, stamp));
  say(
    { path, sessions, messages, lost, missing, aside },
    `Saved ${count(messages, 'message')} of ${count(sessions, 'session')}; the damaged files are kept as ${aside}`,
    ...lost.map((line) => `Lost: ${line}`),
    ...(missing === null
      ? ['How many messages there were can’t be read']
      : missing > 0
        ? [`Lost besides: ${count(missing, 'message')}, of which nothing can be read`]
        : []),
  );
  return lost.length === 0 && missing === 0 ? commandStatus.success : commandStatus.failure;
}

/** What the operator is told; null: a mistake of this program. */
function describeError(error: unknown, file: string | null): string | null {
  if (error instanceof ArchiveError || error instanceof EncodingError) {
    return `${file}: ${error.message}; nothing was imported`;
  }
  if (error instanceof InUse || error instanceof StoreError) return error.message;
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return null;
  // What fails while a file is written doesn't name it.
  return 'path' in error || file === null ? error.message : `${file}: ${error.message}`;
}

/** Checks, copies, exports, imports or recovers the store. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const { action, file } = requestOf(parsed);
  const place = await placeOf(parsed);
  const path = databaseFile(configurationAt(place).configuration, place.directories.state);
  const json = parsed.flags.has('json');
  const voice: Voice = {
    json,
    say: (facts, ...lines) => {
      process.stdout.write(json ? `${JSON.stringify(facts)}\n` : `${lines.map(printable).join('\n')}\n`);
    },
  };
  try {
    if (action !== 'import' && !existsSync(path)) {
      process.stderr.write(`sd-gateway: there is no database ${path}, or this user may not see it\n`);
      return commandStatus.failure;
    }
    switch (action) {
      case 'check':
        return await check(path, voice);
      case 'backup':
        return await backUp(path, file ?? '', voice);
      case 'export':
        return await exportTo(path, file, voice);
      case 'import':
        return await importFrom(path, file ?? '', voice);
      case 'recover':
        return await recover(path, voice);
    }
  } catch (error) {
    const told = describeError(error, file);
    if (told === null) throw error;
    process.stderr.write(`sd-gateway: ${printable(told)}\n`);
    return error instanceof FileError && error.kind === 'newer-schema'
      ? commandStatus.configuration
      : commandStatus.failure;
  }
}
