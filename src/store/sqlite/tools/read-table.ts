import type { Database } from 'better-sqlite3';

const pageSize = 200;

/** Numbers tried one by one in a table, at most: a damaged one may name any as its last. */
const mostTried = 1_000_000;

/** All rows that can be read, in the order of their numbers: page by page, and one by one where a page can't be. */
export function readTable<Row>(database: Database, table: string, number: string): Row[] {
  const page = attempt(() =>
    database.prepare<[after: number, limit: number], Row & Readonly<Record<string, number>>>(
      `SELECT * FROM ${table} WHERE ${number} > ? ORDER BY ${number} LIMIT ?`,
    ),
  );
  const single = attempt(() =>
    database.prepare<[number: number], Row & Readonly<Record<string, number>>>(
      `SELECT * FROM ${table} WHERE ${number} = ?`,
    ),
  );
  if (page === null || single === null) return [];
  const rows: Row[] = [];
  const end = lastNumber(database, table, number);
  let after = 0;
  let tried = 0;
  for (;;) {
    const found = attempt(() => page.all(after, pageSize));
    // Damaged pages may lead in a circle, or name rows that are none.
    const numbers = found?.map((row) => row[number]) ?? [];
    const sound = inOrder(numbers, after);
    rows.push(...(found ?? []).slice(0, sound));
    after = numbers[sound - 1] ?? after;
    if (found !== null && sound === found.length) {
      if (found.length < pageSize) return rows;
      continue;
    }
    const until = Math.min(after + pageSize, end);
    for (after += 1; after <= until && tried < mostTried; after += 1) {
      tried += 1;
      const row = attempt(() => single.get(after));
      if (row != null && row[number] === after) rows.push(row);
    }
    after -= 1;
    if (after >= end || tried >= mostTried) return rows;
  }
}

/** Counts the numbers, from the first on, that are beyond the one before. */
function inOrder(numbers: readonly (number | undefined)[], before: number): number {
  let last = before;
  for (const [index, number] of numbers.entries()) {
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number <= last) return index;
    last = number;
  }
  return numbers.length;
}

/** The largest number, or a bound of it where that can't be read: no table has more rows than bytes. */
function lastNumber(database: Database, table: string, number: string): number {
  const max = attempt(() => database.prepare(`SELECT max(${number}) FROM ${table}`).pluck().get());
  if (typeof max === 'number') return max;
  const pages = attempt(() => Number(database.pragma('page_count', { simple: true })));
  return (pages ?? 0) * 200;
}

/** Gives null if the database is damaged there. */
export function attempt<Result>(read: () => Result): Result | null {
  try {
    return read();
  } catch (error) {
    const { code = '' } = error as { readonly code?: string };
    if (/^SQLITE_(CORRUPT|NOTADB|ERROR|IOERR|TOOBIG)|^ERR_STRING_TOO_LONG/.test(code)) return null;
    throw error;
  }
}
