import { mkdirSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Directories, isLeftoverLink } from '../../config/directories.js';
import { errorMessage } from '../../text/failure-text.js';
import { RefusedStart } from './failed-start.js';

/** Makes the directories that are missing. Throws the errors of mkdir(2), and a RefusedStart. */
export function makeDirectories(
  { state, runtime }: Directories,
  database: string | null,
  environment: NodeJS.ProcessEnv,
): void {
  makeStateDirectory(state, environment);
  if (isLeftoverLink(runtime)) rmSync(runtime);
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  if (database !== null) makeStoreDirectory(dirname(database));
}

/** Has the error of mkdir(2) name the setting and the next step, and keep its code. */
function makeStoreDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    error.message = `store.path: the directory ${path} can't be made by user ${process.geteuid?.()} (${error.message}): make it, and give it to that user; or set store.path to another file`;
    throw error;
  }
}

/** Throws a RefusedStart if the unit names no state directory, and the usual place can't have one either. */
function makeStateDirectory(state: string, { STATE_DIRECTORY, INVOCATION_ID }: NodeJS.ProcessEnv): void {
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (STATE_DIRECTORY !== undefined || INVOCATION_ID === undefined) throw error;
    throw new RefusedStart(
      `The unit has no StateDirectory=, and ${state} can't be made (${errorMessage(error)}): have its [Service] say StateDirectory=${basename(state)}`,
      { cause: error },
    );
  }
}
