import { lstatSync, readdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ProgramError, runProgram } from '../manager/program.js';
import { type DataFacts, type FileFacts, type Known, known, unknown } from './facts.js';

/** How long a whole store may be read, in ms; a larger one is not read to its end. */
const integrityTimeout = 30_000;

/** A process of its own: reading a damaged or huge file can take any time, and has to be ended from outside. */
const integrityProbe = `
const [, inspect, sqlite, path] = process.argv;
const { readFileSync, statSync } = await import('node:fs');
const logSize = () => statSync(path + '-wal', { throwIfNoEntry: false })?.size ?? null;
// To open a stopped gateway's database, even to read it, would leave a -wal and a -shm beside it: it is checked in
// memory, where there is no write-ahead log (bytes 18 and 19 of the header).
const open = (Database) => {
  if (logSize() !== null) return new Database(path, { readonly: true, fileMustExist: true, timeout: 2000 });
  const { size } = statSync(path);
  if (size > 512 * 1024 ** 2) throw new Error('it is larger than 512 MiB and the gateway is stopped; start it and look again');
  const content = readFileSync(path);
  content[18] = content[19] = 1;
  return new Database(content, { readonly: true });
};
const { checkHeader, checkWhole } = await import(inspect);
const { default: Database } = await import(sqlite);
const say = (outcome) => process.stdout.write(JSON.stringify(outcome));
try {
  checkHeader(path);
  const wasStopped = logSize() === null;
  const database = open(Database);
  try { checkWhole(database, path); }
  catch (error) {
    if (wasStopped && logSize() !== null) throw new Error('the gateway was started meanwhile; look again');
    throw error;
  }
  finally { database.close(); }
  say({ errors: [] });
} catch (error) {
  const isFinding = error.name === 'StoreError' || /^SQLITE_(CORRUPT|NOTADB|FORMAT)/.test(error.code ?? '');
  say(isFinding ? { errors: [error.message] } : { unknown: error.message });
}
`;

function attempt<Fact>(look: () => Fact): Known<Fact> {
  try {
    return known(look());
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return unknown(code === 'EACCES' || code === 'EPERM' ? `not allowed to this user (${message})` : message);
  }
}

function factsOf(path: string, stats: Stats): FileFacts {
  return { path, mode: stats.mode & 0o7777, uid: stats.uid, isDirectory: stats.isDirectory() };
}

/** A directory may be a link, as with DynamicUser=; a file that is one shows as itself. */
function fileFacts(path: string, look: typeof statSync | typeof lstatSync): Known<FileFacts | null> {
  return attempt(() => {
    const stats = look(path, { throwIfNoEntry: false }) as Stats | undefined;
    return stats === undefined ? null : factsOf(path, stats);
  });
}

async function integrityOf(path: string): Promise<DataFacts['integrity']> {
  try {
    const { stdout, stderr } = await runProgram(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        integrityProbe,
        new URL('../store/sqlite/inspect.js', import.meta.url).href,
        import.meta.resolve('better-sqlite3'),
        path,
      ],
      { timeout: integrityTimeout },
    );
    if (stdout === '') return unknown(stderr.trim().split('\n').at(-1) ?? 'the check said nothing');
    const outcome = JSON.parse(stdout) as { errors?: readonly string[]; unknown?: string };
    return outcome.errors === undefined ? unknown(outcome.unknown ?? '') : known({ errors: outcome.errors });
  } catch (error) {
    if (error instanceof ProgramError) return unknown(`it took longer than ${integrityTimeout / 1_000} s`);
    throw error;
  }
}

export interface DataPlaces {
  readonly state: string;
  readonly runtime: string;
  readonly database: string;
}

/** Looks at what the gateway keeps; opens neither token nor secret. */
export async function gatherData({ state, runtime, database }: DataPlaces): Promise<DataFacts> {
  const file = fileFacts(database, statSync);
  return {
    stateDirectory: fileFacts(state, statSync),
    runtimeDirectory: fileFacts(runtime, statSync),
    token: fileFacts(join(state, 'token'), lstatSync),
    entries: attempt(() =>
      statSync(state, { throwIfNoEntry: false }) === undefined
        ? []
        : readdirSync(state).flatMap((name) => {
            // A running gateway's files come and go.
            const stats = lstatSync(join(state, name), { throwIfNoEntry: false });
            return stats === undefined ? [] : [factsOf(join(state, name), stats)];
          }),
    ),
    database: file,
    integrity: file.known && file.value !== null ? await integrityOf(database) : known(null),
    disk: attempt(() => {
      const { bavail, bsize, blocks, ffree, files } = statfsSync(state);
      return {
        path: state,
        freeBytes: bavail * bsize,
        totalBytes: blocks * bsize,
        freeInodes: ffree,
        totalInodes: files,
      };
    }),
  };
}
