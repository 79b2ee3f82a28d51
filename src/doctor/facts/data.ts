import { lstatSync, readdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DatabaseAccess } from '../../config/database-file.js';
import { isLeftoverLink } from '../../config/directories.js';
import { actingAs } from '../../linux/owner.js';
import { ProgramError, runProgram } from '../../manager/program.js';
import { type DataFacts, type FileFacts, type Known, known, unknown } from '../facts.js';

/** Longest time to read a whole store, in ms; a larger one is not read to its end. */
const integrityTimeout = 30_000;

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
  return {
    path,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    isDirectory: stats.isDirectory(),
    isFile: stats.isFile(),
  };
}

/** A directory may be a link, as in a unit with DynamicUser=; a file that is one shows as itself. */
function fileFacts(path: string, look: typeof statSync | typeof lstatSync): Known<FileFacts | null> {
  return attempt(() => {
    const stats = look(path, { throwIfNoEntry: false }) as Stats | undefined;
    return stats === undefined ? null : factsOf(path, stats);
  });
}

async function integrityOf({ path, user }: DatabaseAccess): Promise<DataFacts['integrity']> {
  try {
    const { stdout, stderr } = await runProgram(
      process.execPath,
      [
        fileURLToPath(new URL('./integrity-probe.js', import.meta.url)),
        path,
        ...(user === null ? [] : [String(user)]),
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

export interface DataLocations {
  readonly state: string;
  readonly runtime: string;
  readonly database: Known<DatabaseAccess>;
}

/** Looks at what the gateway keeps; opens neither token nor secret. */
export async function gatherData({ state, runtime, database }: DataLocations): Promise<DataFacts> {
  const file = database.known
    ? actingAs(database.value.user, () => fileFacts(database.value.path, statSync))
    : database;
  return {
    stateDirectory: fileFacts(state, statSync),
    runtimeDirectory: fileFacts(runtime, statSync),
    leftoverLink: isLeftoverLink(runtime) ? runtime : null,
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
    integrity:
      database.known && file.known && file.value !== null ? await integrityOf(database.value) : known(null),
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
