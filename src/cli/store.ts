import {
  createReadStream,
  createWriteStream,
  existsSync,
  lchownSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { nearest } from '../config/configuration-error.js';
import { databaseAccess } from '../config/directories.js';
import { tryLock } from '../linux/file-lock.js';
import { syncDirectory } from '../linux/files.js';
import { native } from '../linux/native.js';
import { actingAs, IdentityError } from '../linux/owner.js';
import { processName } from '../linux/process.js';
import { ArchiveError, formatArchive, parseArchive } from '../store/archive.js';
import { FileError } from '../store/sqlite/file/errors.js';
import { StoreError } from '../store/store-error.js';
import { EncodingError, linesOf } from '../text/lines.js';
import { configurationAt, locateGateway } from './client/locate.js';
import { commandStatus } from './command.js';
import { jsonFor, printable, reportLine } from './terminal.js';
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
  if (process.geteuid?.() !== 0) return;
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

type Maintenance = typeof import('../store/sqlite/tools/maintenance.js');

/** Reads and writes the operator's own files as the operator, whoever owns the database. */
const asCaller = <Result>(work: () => Result): Result => actingAs(process.getuid?.() ?? null, work);

function check(path: string, { checkStore }: Maintenance, { say }: Voice): number {
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

async function backUp(
  path: string,
  file: string,
  { backUpStore }: Maintenance,
  { say }: Voice,
): Promise<number> {
  await backUpStore(path, file, asCaller);
  say({ path, backup: resolve(file) }, `Copied ${path} to ${file}`);
  return commandStatus.success;
}

function* shown(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield jsonFor(line, process.stdout);
}

async function exportTo(
  path: string,
  file: string | null,
  { exportStore }: Maintenance,
  { say }: Voice,
): Promise<number> {
  if (file === null) {
    await exportStore(path, (items) =>
      pipeline(Readable.from(shown(formatArchive(items, Date.now()))), process.stdout, { end: false }),
    );
    return commandStatus.success;
  }
  // It may be somebody’s only copy.
  if (existsSync(file)) throw new StoreError('internal', `${file} is there already: name another file.`);
  const unfinished = `${file}.part`;
  const fd = asCaller(() => {
    // One that was cut off may have left it.
    rmSync(unfinished, { force: true });
    return openSync(unfinished, 'wx', 0o600);
  });
  try {
    const output = createWriteStream(unfinished, { fd, flush: true });
    await exportStore(path, (items) => pipeline(Readable.from(formatArchive(items, Date.now())), output));
    asCaller(() => renameSync(unfinished, file));
  } catch (error) {
    asCaller(() => rmSync(unfinished, { force: true }));
    throw error;
  }
  asCaller(() => syncDirectory(dirname(file)));
  say({ path, file: resolve(file) }, `Exported ${path} to ${file}`);
  return commandStatus.success;
}

async function importFrom(
  path: string,
  file: string,
  { importToStore }: Maintenance,
  { say }: Voice,
): Promise<number> {
  const input =
    file === '-' ? process.stdin : createReadStream(file, { fd: asCaller(() => openSync(file, 'r')) });
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

async function recover(path: string, { recoverStore }: Maintenance, { say }: Voice): Promise<number> {
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

/** Words an error for the operator; null if it is a mistake of this program. */
function describeError(error: unknown, file: string | null): string | null {
  if (error instanceof ArchiveError || error instanceof EncodingError) {
    return `${file}: ${error.message}; nothing was imported`;
  }
  if (error instanceof InUse || error instanceof StoreError || error instanceof IdentityError) {
    return error.message;
  }
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return null;
  // An error while a file is written doesn't name it.
  return 'path' in error || file === null ? error.message : `${file}: ${error.message}`;
}

function perform(
  { action, file }: ReturnType<typeof requestOf>,
  path: string,
  maintenance: Maintenance,
  voice: Voice,
): Promise<number> | number {
  switch (action) {
    case 'check':
      return check(path, maintenance, voice);
    case 'backup':
      return backUp(path, file ?? '', maintenance, voice);
    case 'export':
      return exportTo(path, file, maintenance, voice);
    case 'import':
      return importFrom(path, file ?? '', maintenance, voice);
    case 'recover':
      return recover(path, maintenance, voice);
  }
}

/** Checks, copies, exports, imports or recovers the store. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const request = requestOf(parsed);
  const location = await locateGateway(parsed);
  const { configuration } = configurationAt(location);
  const json = parsed.flags.has('json');
  const voice: Voice = {
    json,
    say: (facts, ...lines) => {
      process.stdout.write(json ? reportLine(facts) : `${lines.map(printable).join('\n')}\n`);
    },
  };
  try {
    const { path, user } = databaseAccess(configuration, location.directories.state);
    const maintenance = await import('../store/sqlite/tools/maintenance.js');
    maintenance.loadSqlite(path);
    // The lock needs it.
    if (request.action === 'import' || request.action === 'recover') native();
    return await actingAs(user, async () => {
      if (request.action !== 'import' && statSync(path, { throwIfNoEntry: false }) === undefined) {
        process.stderr.write(
          `sd-gateway: there is no database ${printable(path)}, or this user may not see it\n`,
        );
        return commandStatus.failure;
      }
      return perform(request, path, maintenance, voice);
    });
  } catch (error) {
    const told = describeError(error, request.file);
    if (told === null) throw error;
    process.stderr.write(`sd-gateway: ${printable(told)}\n`);
    return error instanceof FileError && error.kind === 'newer-schema'
      ? commandStatus.configuration
      : commandStatus.failure;
  }
}
