import { existsSync } from 'node:fs';
import { keptRuns, type RunRecord } from '../../run-record.js';
import { toStoreError } from '../file/errors.js';
import { applicationId } from '../file/schema.js';
import { connectOffline } from './offline.js';

export { loadSqlite } from './offline.js';

/** How long a lock of another process is waited for, in milliseconds. */
const busyTimeout = 1_000;

/**
 * The runs in the database of a gateway that doesn't run, newest first; null: there is no database, or it is older than
 * such records. Nothing in it is changed. Throws a StoreError.
 */
export function readRuns(path: string): readonly RunRecord[] | null {
  if (!existsSync(path)) return null;
  try {
    const database = connectOffline(path, busyTimeout);
    try {
      if (database.pragma('application_id', { simple: true }) !== applicationId) return null;
      const table = database
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'runs'")
        .get();
      if (table === undefined) return null;
      return database
        .prepare<[limit: number], string>('SELECT record FROM runs ORDER BY number DESC LIMIT ?')
        .pluck()
        .all(keptRuns)
        .map((record) => JSON.parse(String(record)) as RunRecord);
    } finally {
      database.close();
    }
  } catch (error) {
    throw toStoreError(error, path);
  }
}
