import { actingAs } from '../../linux/owner.js';
import { openSqlite } from '../../store/sqlite/file/open-sqlite.js';
import { contentWithLog } from '../../store/sqlite/file/write-ahead-log.js';
import { errorMessage } from '../../text/failure-text.js';
import { type SourceDirectory, SourceError } from './source-directory.js';

/** Newer versions of OpenClaw keep there who was paired (src/pairing/pairing-store-sqlite.ts of OpenClaw). */
export const databaseName = 'state/openclaw.sqlite';

const table = 'channel_pairing_allow_entries';
/** Largest of its two files, in bytes. */
const largestBytes = 256 * 1024 ** 2;
const mostPeople = 10_000;
/** Attempts at a database that its gateway changes meanwhile. */
const attempts = 3;

/** An entry of the people who were paired. */
export interface PairedEntry {
  readonly platform: string;
  readonly account: string;
  readonly person: string;
}

/**
 * Reads the people whom an operator let in. It is read into memory: nothing is locked, or written anywhere. Null: there is no
 * such database, or it has no such people.
 *
 * @throws SourceError
 */
export function pairedInDatabase(directory: SourceDirectory): readonly PairedEntry[] | null {
  const content = contentOf(directory);
  return content === null ? null : entriesIn(content, `${directory.path}/${databaseName}`);
}

function contentOf(directory: SourceDirectory): Buffer | null {
  const log = `${databaseName}-wal`;
  const path = `${directory.path}/${databaseName}`;
  const stamps = () => `${directory.stampOf(databaseName)} ${directory.stampOf(log)}`;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const before = stamps();
    const content = directory.readBytes(databaseName, largestBytes);
    if (content === null) return null;
    const journal = directory.withFile(`${databaseName}-journal`, largestBytes, (_descriptor, size) => size);
    if ((journal ?? 0) > 0)
      throw new SourceError(`${path} was left in the middle of a change: start OpenClaw`);
    const merged = directory.withFile(log, largestBytes, (descriptor) => ({
      whole: contentWithLog(content, descriptor, largestBytes),
    }));
    const whole = merged === null ? contentWithLog(content, null, largestBytes) : merged.whole;
    if (stamps() !== before) continue;
    if (whole === null) throw new SourceError(`${path} has more than ${largestBytes} bytes`);
    return whole;
  }
  throw new SourceError(`${path} changes while it is read: stop the gateway of OpenClaw first`);
}

function entriesIn(content: Buffer, path: string): readonly PairedEntry[] | null {
  try {
    // Its owner may not be allowed to read this program's files.
    actingAs(0, () => openSqlite(':memory:').close());
    const database = openSqlite(content, { readonly: true });
    try {
      database.pragma('trusted_schema = OFF');
      const kind = database.prepare('SELECT type FROM sqlite_schema WHERE name = ?').pluck().get(table);
      if (kind !== 'table') return null;
      const found = database
        .prepare<[number], PairedEntry>(
          `SELECT channel_key AS platform, account_id AS account, entry AS person FROM ${table}
            WHERE typeof(channel_key) = 'text' AND typeof(account_id) = 'text' AND typeof(entry) = 'text'
              AND length(entry) <= 512
            ORDER BY channel_key, account_id, sort_order, entry LIMIT ?`,
        )
        .all(mostPeople + 1);
      if (found.length > mostPeople)
        throw new SourceError(`${path} has more than ${mostPeople} paired people`);
      return found;
    } finally {
      database.close();
    }
  } catch (error) {
    if (error instanceof SourceError) throw error;
    throw new SourceError(`${path} can't be read: ${errorMessage(error)}`, { cause: error });
  }
}
