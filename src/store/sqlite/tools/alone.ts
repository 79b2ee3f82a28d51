import { lchownSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type FileLock, tryLock } from '../../../linux/file-lock.js';
import { NoRegularFileError } from '../../../linux/files.js';
import { processName } from '../../../linux/process.js';
import { StoreError } from '../../store-error.js';
import { irregularError } from '../file/errors.js';

/** Runs `work` while no gateway can have the database. Rejects with a StoreError if one has it. */
export async function alone<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = lockOf(`${path}.lock`);
  if (!lock.locked) {
    const { holderPid } = lock;
    const holder =
      holderPid === null ? 'another process' : `${processName(holderPid) ?? 'a process'} (PID ${holderPid})`;
    throw new StoreError(
      'unavailable',
      `the database ${path} is in use by ${holder}: stop the gateway first`,
    );
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

function lockOf(path: string): FileLock {
  try {
    return tryLock(path);
  } catch (error) {
    throw error instanceof NoRegularFileError ? irregularError(error) : error;
  }
}
