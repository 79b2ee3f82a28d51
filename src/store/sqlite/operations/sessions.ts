import type { SessionPolicy, SessionSummary } from '../../messages.js';
import { forgetAgentSessions } from './records.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';

export interface SessionRow {
  readonly number: number;
  readonly last_seq: number;
  readonly unfinished: number;
  readonly policy: SessionPolicy | null;
  readonly agent: string | null;
  readonly generation: number;
}

export interface SessionSummaryRow {
  readonly name: string;
  readonly last_seq: number;
  readonly unfinished: number;
  readonly last_accepted_at: number;
  readonly running: 0 | 1;
  readonly policy: SessionPolicy | null;
  readonly agent: string | null;
  readonly generation: number;
}

/** Columns of the table of sessions, called `s`, and of the heads of the queue of turns, called `h`. */
export const summaryColumns =
  's.name, s.last_seq, s.unfinished, s.last_accepted_at, h.owner IS NOT NULL AS running, s.policy, s.agent, s.generation';

const sessionByName = sql<[name: string], SessionRow>(
  'SELECT number, last_seq, unfinished, policy, agent, generation FROM sessions WHERE name = ?',
);
const insertSession = sql<[name: string, acceptedAt: number, agent: string | null]>(
  'INSERT INTO sessions (name, last_seq, unfinished, last_accepted_at, agent) VALUES (?, 1, 1, ?, ?)',
);
const extendSession = sql<[acceptedAt: number, session: number]>(
  'UPDATE sessions SET last_seq = last_seq + 1, unfinished = unfinished + 1, last_accepted_at = ? WHERE number = ?',
);
const addToUnfinished = sql<[count: number, session: number]>(
  'UPDATE sessions SET unfinished = unfinished + ? WHERE number = ?',
);
const upsertPolicy = sql<[name: string, now: number, policy: SessionPolicy | null]>(
  `INSERT INTO sessions (name, last_seq, unfinished, last_accepted_at, policy) VALUES (?, 0, 0, ?, ?)
   ON CONFLICT (name) DO UPDATE SET policy = excluded.policy`,
);
const upsertAgent = sql<[name: string, now: number, agent: string | null]>(
  `INSERT INTO sessions (name, last_seq, unfinished, last_accepted_at, agent) VALUES (?, 0, 0, ?, ?)
   ON CONFLICT (name) DO UPDATE SET agent = excluded.agent`,
);
const beginGeneration = sql<[session: number]>(
  'UPDATE sessions SET generation = generation + 1, first_seq = last_seq + 1 WHERE number = ?',
);
const summaryOf = sql<[name: string], SessionSummaryRow>(
  `SELECT ${summaryColumns}
   FROM sessions s LEFT JOIN heads h ON h.line = 'turn' AND h.session = s.number
   WHERE s.name = ?`,
);

export function sessionNamed({ sql }: Transaction, name: string): SessionRow | undefined {
  return sql.get(sessionByName, name);
}

/** Counts a message that comes, in a session that is made if there is none; gives the session's number. */
export function extend(
  { sql, counters, now }: Transaction,
  name: string,
  known: SessionRow | undefined,
  agent: string | null,
): number {
  if (known !== undefined) {
    sql.run(extendSession, now, known.number);
    return known.number;
  }
  counters.sessions += 1;
  return Number(sql.run(insertSession, name, now, agent).lastInsertRowid);
}

/** `unfinished`: messages that are queued, and turns under way. */
export function addUnfinished({ sql }: Transaction, session: number, count: number): void {
  sql.run(addToUnfinished, count, session);
}

/** Sets the policy for the session's messages from the next one on. Makes the session if there is none. */
export function setPolicy(
  transaction: Transaction,
  name: string,
  policy: SessionPolicy | null,
): SessionSummary {
  return upsert(transaction, name, () => transaction.sql.run(upsertPolicy, name, transaction.now, policy));
}

export function setAgent(transaction: Transaction, name: string, agent: string | null): SessionSummary {
  return upsert(transaction, name, () => transaction.sql.run(upsertAgent, name, transaction.now, agent));
}

/** Begins the next generation. */
export function resetSession(transaction: Transaction, name: string): SessionSummary | null {
  const known = sessionNamed(transaction, name);
  if (known !== undefined) {
    transaction.sql.run(beginGeneration, known.number);
    forgetAgentSessions(transaction, name);
  }
  return readSession(transaction, name);
}

function upsert(transaction: Transaction, name: string, write: () => unknown): SessionSummary {
  if (sessionNamed(transaction, name) === undefined) transaction.counters.sessions += 1;
  write();
  const session = readSession(transaction, name);
  if (session === null) throw new Error(`The session ${name} is gone within its own transaction.`);
  return session;
}

export function readSession({ sql }: Transaction, name: string): SessionSummary | null {
  const row = sql.get(summaryOf, name);
  return row === undefined ? null : toSummary(row);
}

export function toSummary(row: SessionSummaryRow): SessionSummary {
  return {
    session: row.name,
    lastSeq: row.last_seq,
    waiting: row.unfinished - row.running,
    running: row.running === 1,
    lastAcceptedAt: row.last_accepted_at,
    policy: row.policy,
    agent: row.agent,
    generation: row.generation,
  };
}
