/**
 * Checks the database that its first argument names, and prints the outcome as JSON. The second one, a UID, says as whom
 * root opens it. Reading a damaged or huge file can take any time: the parent process ends this one.
 */
import { statSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { readRegularFile } from '../../linux/files.js';
import { actingAs, IdentityError } from '../../linux/owner.js';
import { StoreError } from '../store-error.js';
import type { Integrity } from '../store-kind.js';
import { checkHeader, checkWhole } from './file/inspect.js';
import { openSqlite } from './file/open-sqlite.js';
import { loadSqlite } from './tools/offline.js';

/** The largest file that is read into memory, in bytes. */
const largestCopy = 512 * 1024 ** 2;

const hasLog = (path: string): boolean => statSync(`${path}-wal`, { throwIfNoEntry: false }) !== undefined;

/**
 * To open a stopped gateway's database, even to read it, would leave a -wal and a -shm beside it: it is checked in
 * memory, where there is no write-ahead log (bytes 18 and 19 of the header).
 */
function open(path: string): Database {
  if (hasLog(path)) return openSqlite(path, { readonly: true, fileMustExist: true, timeout: 2_000 });
  if (statSync(path).size > largestCopy) {
    throw new Error('it is larger than 512 MiB and the gateway is stopped; start it and look again');
  }
  const content = readRegularFile(path, 'links-followed');
  content[18] = content[19] = 1;
  return openSqlite(content, { readonly: true });
}

function check(path: string): void {
  checkHeader(path);
  const wasStopped = !hasLog(path);
  const database = open(path);
  try {
    checkWhole(database, path);
  } catch (error) {
    if (wasStopped && hasLog(path)) throw new Error('the gateway was started meanwhile; look again');
    throw error;
  } finally {
    database.close();
  }
}

function attempt(path: string, user: number | null): Integrity | { readonly unknown: string } {
  try {
    loadSqlite(path);
    actingAs(user, () => check(path));
    return { errors: [] };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { code = '' } = error as NodeJS.ErrnoException;
    if (error instanceof IdentityError) return { unknown: error.message };
    if (error instanceof StoreError && error.reason === 'refused')
      return { errors: [], refused: error.message };
    const isFinding = error instanceof StoreError || /^SQLITE_(CORRUPT|NOTADB|FORMAT)/.test(code);
    return isFinding ? { errors: [error.message] } : { unknown: error.message };
  }
}

const [, , path, user] = process.argv;
if (path === undefined) throw new Error('Say which database: node integrity-probe.js PATH [UID]');
process.stdout.write(JSON.stringify(attempt(path, user === undefined ? null : Number(user))));
