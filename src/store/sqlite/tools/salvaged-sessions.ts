import type { Database } from 'better-sqlite3';
import { checkItem } from '../../archive.js';
import { archivedSession, type MessageRow, type StoredSessionRow } from './archived-rows.js';
import { attempt, readTable } from './read-table.js';

/** Values that migrations put into the rows of databases without these columns. */
const laterSessionColumns = { policy: null, agent: null, generation: 1, first_seq: 1 } as const;

/** All sessions of which something is known, be it a message. What is made anew of them is named in `remade`. */
export function salvagedSessions(
  database: Database,
  messages: readonly MessageRow[],
  remade: string[],
): readonly StoredSessionRow[] {
  const rows: StoredSessionRow[] = [];
  for (const row of readTable<StoredSessionRow>(database, 'sessions', 'number')) {
    const sound = soundSession({ ...laterSessionColumns, ...row });
    if (sound === null) continue;
    rows.push(sound.row);
    if (sound.lost !== null) remade.push(`${sound.lost} of the session "${sound.row.name}"`);
  }
  const names = namesInIndex(database);
  const known = new Set(rows.map(({ number }) => number));
  const taken = new Set([...rows.map(({ name }) => name), ...names.values()]);
  for (const [number, last] of lastOfEach(messages)) {
    if (known.has(number)) continue;
    const row = { ...laterSessionColumns, number, last_seq: 0, last_accepted_at: last.accepted_at };
    const { generation } = last;
    const named = { ...row, generation, name: names.get(number) ?? '' };
    if (isSession(named)) {
      rows.push(named);
      remade.push(`all but the name of the session "${named.name}"`);
      continue;
    }
    const base = `recovered-${number}`;
    const other = { ...row, name: taken.has(base) ? `${base}-${last.accepted_at}` : base };
    if (!isSession(other) || taken.has(other.name)) continue;
    taken.add(other.name);
    rows.push(other);
    remade.push(`the name and all else of a session, which is "${other.name}" now`);
  }
  return rows;
}

/** The newest message of each session. */
function lastOfEach(messages: readonly MessageRow[]): ReadonlyMap<number, MessageRow> {
  const last = new Map<number, MessageRow>();
  for (const message of messages) {
    if ((last.get(message.session)?.seq ?? 0) < message.seq) last.set(message.session, message);
  }
  return last;
}

/** The index has them beside the table. */
function namesInIndex(database: Database): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  attempt(() => {
    const rows = database.prepare<[], { number: number; name: string }>(
      'SELECT number, name FROM sessions INDEXED BY sessions_by_name ORDER BY name',
    );
    for (const { number, name } of rows.iterate()) names.set(number, name);
  });
  return names;
}

/** With what can be read of it, as all of its messages would be lost with it; null: not even its name can be. */
function soundSession(
  row: StoredSessionRow,
): { readonly row: StoredSessionRow; readonly lost: string | null } | null {
  const { policy, ...agent } = laterSessionColumns;
  const attempts: readonly (readonly [StoredSessionRow, string | null])[] = [
    [row, null],
    [{ ...row, policy }, 'the policy'],
    [{ ...row, ...agent }, 'the agent'],
    // Its numbers go on behind the last message that is known of.
    [{ ...row, ...laterSessionColumns, last_seq: 0, last_accepted_at: 0 }, 'all but the name'],
  ];
  const sound = attempts.find(([session]) => isSession(session));
  return sound === undefined ? null : { row: sound[0], lost: sound[1] };
}

function isSession(row: StoredSessionRow): boolean {
  try {
    checkItem(archivedSession(row));
    return true;
  } catch {
    return false;
  }
}
