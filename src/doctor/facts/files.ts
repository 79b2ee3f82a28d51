import { existsSync, lstatSync, readdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { whyNotDelegated } from '../../agents/delegation.js';
import { isLeftoverLink } from '../../config/directories.js';
import type { LoadedConfiguration } from '../../config/load.js';
import { actingAs } from '../../linux/owner.js';
import { ProgramError, runProgram } from '../../manager/program.js';
import type { Integrity, OfflineStore } from '../../store/store-kind.js';
import { partClosedTo, runnerOf } from '../../units/runner.js';
import {
  type AccessFacts,
  type DataFacts,
  type FileFacts,
  type Known,
  known,
  type UnitFacts,
  unknown,
} from '../facts.js';
import { gatherAgents } from './agents.js';

export interface AccessLook {
  readonly unit: UnitFacts | null;
  readonly isSystem: boolean;
  readonly loaded: LoadedConfiguration | null;
  /** The configuration's file. */
  readonly file: string;
  /** The gateway's. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The PATH of the agents. */
  readonly path: string;
  /** The state directory. */
  readonly state: string;
}

/** Looks whether the user that runs the gateway may run the agents' programs and read the configuration. */
export async function gatherAccess(look: AccessLook): Promise<Known<AccessFacts>> {
  const { unit, isSystem, loaded, file, environment, path, state } = look;
  try {
    const { name: userName, ids: user } = await runnerOf(isSystem ? (unit?.properties ?? null) : null);
    if (user === null) return unknown(`the user ${userName} does not exist`);
    const agents = loaded?.configuration.agents;
    const directory = join(state, 'agents');
    const noMemoryLimit = unit === null ? null : whyNotDelegated(unit.properties);
    return known({
      user: userName,
      configuration: existsSync(file) ? partClosedTo(user, file) : null,
      agents:
        agents === undefined
          ? []
          : await gatherAgents({
              agents,
              user,
              userName,
              hiding: unit?.properties ?? {},
              noMemoryLimit,
              directory,
              environment,
              path,
            }),
    });
  } catch (error) {
    if (error instanceof ProgramError || (error as NodeJS.ErrnoException).code !== undefined)
      return unknown((error as Error).message);
    throw error;
  }
}

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
    sizeBytes: stats.size,
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

async function integrityOf(probe: readonly string[]): Promise<Known<Integrity>> {
  try {
    const { stdout, stderr } = await runProgram(process.execPath, probe, { timeout: integrityTimeout });
    if (stdout === '') return unknown(stderr.trim().split('\n').at(-1) ?? 'the check said nothing');
    const outcome = JSON.parse(stdout) as Integrity | { readonly unknown: string };
    return 'unknown' in outcome ? unknown(outcome.unknown) : known(outcome);
  } catch (error) {
    if (error instanceof ProgramError) return unknown(`it took longer than ${integrityTimeout / 1_000} s`);
    throw error;
  }
}

/** Gives null if there is no store yet. */
async function gatherStore({ name, file, probe, log, lost }: OfflineStore): Promise<DataFacts['store']> {
  const found = file === null ? known(name) : actingAs(file.user, () => fileFacts(file.path, statSync));
  if (!found.known) return found;
  if (found.value === null) {
    const complaint = (await lost?.()) ?? null;
    if (complaint === null) return known(null);
    return known({ name, lost: complaint, integrity: known({ errors: [] }), log: known(null) });
  }
  return known({
    name,
    integrity: probe === null ? known({ errors: [] }) : await integrityOf(probe),
    log: log === undefined ? known(null) : attempt(log),
  });
}

/** The path, or the nearest directory above it that is there. */
function nearestThere(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestThere(dirname(path));
}

export interface DataLocations {
  readonly state: string;
  readonly runtime: string;
  readonly store: Known<OfflineStore>;
}

/** Looks at what the gateway keeps; opens neither token nor secret. */
export async function gatherData({ state, runtime, store }: DataLocations): Promise<DataFacts> {
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
    store: store.known ? await gatherStore(store.value) : store,
    disk: attempt(() => {
      // Before the first start it is where the directory will be.
      const path = nearestThere(state);
      const { bavail, bsize, blocks, ffree, files } = statfsSync(path);
      return {
        path,
        freeBytes: bavail * bsize,
        totalBytes: blocks * bsize,
        freeInodes: ffree,
        totalInodes: files,
      };
    }),
  };
}
