import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { syncDirectory } from '../linux/files.js';
import { actingAs, IdentityError } from '../linux/owner.js';
import { ArchiveError, formatArchive, parseArchive } from '../store/archive.js';
import { offlineStore } from '../store/create-store.js';
import { StoreError } from '../store/store-error.js';
import type { Copied, StoreTools } from '../store/store-kind.js';
import { EncodingError, linesOf } from '../text/lines.js';
import { configurationAt, instanceOf, locateGateway, scopeOf } from './client/locate.js';
import { commandStatus } from './command.js';
import { commandFor } from './operate/find.js';
import { askYesNo, jsonFor, printable, reportLine } from './terminal.js';
import { actionOf, type ParsedCommand, UsageError } from './usage.js';

const actions = ['check', 'backup', 'export', 'import', 'recover'] as const;
type Action = (typeof actions)[number];

function requestOf(parsed: ParsedCommand): { action: Action; file: string | null } {
  const { command, operands } = parsed;
  const [, file = null] = operands;
  const action = actionOf(parsed, actions);
  const wantsFile = action === 'backup' || action === 'import';
  if (wantsFile && file === null) throw new UsageError(`${action} needs FILE`, command.name);
  if (file !== null && (action === 'check' || action === 'recover')) {
    throw new UsageError(`${action} takes no file`, command.name);
  }
  return { action, file };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

interface Voice {
  readonly json: boolean;
  /** True if nothing is to be asked. */
  readonly isYes: boolean;
  /** The command that salvages this gateway's database. */
  readonly recover: string;
  say(facts: object, ...lines: readonly string[]): void;
}

/** Reads and writes the operator's own files as the operator, whoever owns the database. */
const asCaller = <Result>(work: () => Result): Result => actingAs(process.getuid?.() ?? null, work);

/** One action of the store; `name` is its database. */
type Perform<Action extends keyof StoreTools> = Required<StoreTools>[Action];

function check(path: string, tool: Perform<'check'>, { say, recover }: Voice): number {
  const problems = tool();
  say(
    { path, sound: problems.length === 0, problems },
    ...(problems.length === 0 ? [`${path} is sound`] : problems),
  );
  if (problems.length === 0) return commandStatus.success;
  process.stderr.write(
    `sd-gateway: ${path} is damaged. Restore a backup, or stop the gateway and salvage what is readable: ${recover}\n`,
  );
  return commandStatus.failure;
}

async function backUp(path: string, file: string, tool: Perform<'backUp'>, { say }: Voice): Promise<number> {
  const copied = await tool(file, asCaller);
  say({ path, backup: resolve(file), ...copied }, `Copied ${path} to ${file}: ${inWords(copied)}`);
  return commandStatus.success;
}

function inWords({ messages, sessions }: Copied): string {
  return `${count(messages, 'message')} of ${count(sessions, 'session')}`;
}

function* shown(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield jsonFor(line, process.stdout);
}

async function exportTo(
  path: string,
  file: string | null,
  tool: Perform<'exportAll'>,
  { say }: Voice,
): Promise<number> {
  if (file === null) {
    const exported = await tool((items) =>
      pipeline(Readable.from(shown(formatArchive(items, Date.now()))), process.stdout, { end: false }),
    );
    // Standard output has the archive.
    process.stderr.write(`Exported ${inWords(exported)}\n`);
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
  let exported: Copied;
  try {
    const output = createWriteStream(unfinished, { fd, flush: true });
    exported = await tool((items) => pipeline(Readable.from(formatArchive(items, Date.now())), output));
    asCaller(() => renameSync(unfinished, file));
  } catch (error) {
    asCaller(() => rmSync(unfinished, { force: true }));
    throw error;
  }
  asCaller(() => syncDirectory(dirname(file)));
  say({ path, file: resolve(file), ...exported }, `Exported ${path} to ${file}: ${inWords(exported)}`);
  return commandStatus.success;
}

async function importFrom(
  path: string,
  file: string,
  tool: Perform<'importAll'>,
  { say }: Voice,
): Promise<number> {
  const input =
    file === '-' ? process.stdin : createReadStream(file, { fd: asCaller(() => openSync(file, 'r')) });
  const failed = new Promise<never>((_resolve, reject) => input.once('error', reject));
  // Somebody else may have the store: then nobody gets to wait for it.
  failed.catch(() => undefined);
  const { sessions, messages } = await Promise.race([
    tool(parseArchive(linesOf(input, { fatal: true }))),
    failed,
  ]);
  say({ path, sessions, messages }, `Imported ${inWords({ messages, sessions })} into ${path}`);
  return commandStatus.success;
}

/** Asks before a sound store is made anew, which saves nothing and forgets the runs; true: it is wanted. */
async function wantsSoundRecovered(path: string, isYes: boolean): Promise<boolean> {
  if (isYes) return true;
  const agreed = await askYesNo(`${path} is sound. Put all of it into a new database all the same?`);
  if (agreed !== null) return agreed;
  process.stderr.write(
    `sd-gateway: ${printable(path)} is sound: there is nothing to recover, and nothing was done. Add --yes to do it all the same\n`,
  );
  return false;
}

async function recover(path: string, tool: Perform<'recover'>, { say, isYes }: Voice): Promise<number> {
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const recovered = await tool(stamp, () => wantsSoundRecovered(path, isYes));
  if (recovered === null) return commandStatus.failure;
  const { sessions, messages, lost, missing, aside } = recovered;
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

/** False for one that can't be read any more. */
function isDatabase(file: string): boolean {
  const begin = Buffer.alloc(15);
  try {
    if (!statSync(file).isFile()) return false;
    const descriptor = openSync(file, 'r');
    readSync(descriptor, begin);
    closeSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
  return begin.toString('latin1') === 'SQLite format 3';
}

/** Words an error for the operator; null if it is a mistake of this program. */
function describeError(error: unknown, file: string | null): string | null {
  if (error instanceof ArchiveError || error instanceof EncodingError) {
    if (file !== null && isDatabase(file)) {
      return `${file} is a database, such as "store backup" makes. It is put in the place of the gateway's own, while that is stopped (docs/store.md); nothing was imported`;
    }
    return `${file}: ${error.message}; nothing was imported`;
  }
  if (error instanceof StoreError || error instanceof IdentityError) {
    return error.message;
  }
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return null;
  // An error while a file is written doesn't name it.
  return 'path' in error || file === null ? error.message : `${file}: ${error.message}`;
}

function perform(
  { action, file }: ReturnType<typeof requestOf>,
  name: string,
  tools: StoreTools,
  voice: Voice,
): Promise<number> | number {
  const { check: checkAll, backUp: copy, exportAll, importAll, recover: save } = tools;
  switch (action) {
    case 'check':
      return check(name, having(checkAll, action, name), voice);
    case 'backup':
      return backUp(name, file ?? '', having(copy, action, name), voice);
    case 'export':
      return exportTo(name, file, having(exportAll, action, name), voice);
    case 'import':
      return importFrom(name, file ?? '', having(importAll, action, name), voice);
    case 'recover':
      return recover(name, having(save, action, name), voice);
  }
}

/** The tool for an action; throws a StoreError if the store has none. */
function having<Tool>(tool: Tool | undefined, action: Action, name: string): Tool {
  if (tool !== undefined) return tool;
  throw new StoreError('internal', `${action} is not for ${name}: use the tools of its database.`);
}

/** True for files that this user has no right to. */
function isDenial(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EACCES' && process.getuid?.() !== 0;
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Checks, copies, exports, imports or recovers the store. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const request = requestOf(parsed);
  const location = await locateGateway(parsed);
  const { configuration } = configurationAt(location);
  const json = parsed.flags.has('json');
  const voice: Voice = {
    json,
    isYes: parsed.flags.has('yes'),
    recover: commandFor('store recover', { scope: scopeOf(parsed), instance: instanceOf(parsed) }, true),
    say: (facts, ...lines) => {
      process.stdout.write(json ? reportLine(facts) : `${lines.map(printable).join('\n')}\n`);
    },
  };
  try {
    const store = offlineStore(configuration.store, location.directories.state);
    const tools = await store.tools(request.action === 'import' || request.action === 'recover');
    return await actingAs(store.file?.user ?? null, async () => {
      const path = store.file?.path;
      if (path !== undefined && request.action !== 'import' && !isThere(path)) {
        process.stderr.write(
          `sd-gateway: there is no database ${printable(path)}, or this user may not see it\n`,
        );
        return commandStatus.failure;
      }
      return perform(request, store.name, tools, voice);
    });
  } catch (error) {
    const told = describeError(error, request.file);
    if (told === null) throw error;
    process.stderr.write(`sd-gateway: ${printable(told)}\n`);
    if (location.scope === 'system' && isDenial(error)) {
      const target = { scope: location.scope, instance: instanceOf(parsed) };
      const command = commandFor(`store ${request.action}`, target, true);
      process.stderr.write(`  As root: ${command}${request.file === null ? '' : ' FILE'}\n`);
    }
    return error instanceof Error && 'kind' in error && error.kind === 'newer-schema'
      ? commandStatus.configuration
      : commandStatus.failure;
  }
}
