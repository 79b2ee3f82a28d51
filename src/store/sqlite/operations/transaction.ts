import type { MessageState, StoreCounts } from '../../messages.js';
import type { StorePolicy } from '../../open-store.js';
import type { Statements } from './statements.js';
import { sql } from './statements.js';

export type Counters = { -readonly [Name in keyof StoreCounts]: StoreCounts[Name] } & {
  /** The last position in a queue that was given, and the round of the session whose turn began last. */
  place: number;
  round: number;
  /** The epoch of the last claim. */
  epoch: number;
};

export const readCounters = sql<[], Counters>(
  `SELECT sessions, queued, running, replied, delivered, dead, cancelled, collected, undelivered, place, round,
     epoch
   FROM counters WHERE number = 1`,
);

export const writeCounters = sql<[Counters]>(
  `UPDATE counters SET sessions = @sessions, queued = @queued, running = @running, replied = @replied,
     delivered = @delivered, dead = @dead, cancelled = @cancelled, collected = @collected,
     undelivered = @undelivered, place = @place, round = @round, epoch = @epoch
   WHERE number = 1`,
);

/** The tools of an operation while its transaction is open. */
export interface Transaction extends StorePolicy {
  readonly sql: Statements;
  /** Read when the transaction began, changed by its operations, written back before it is committed. */
  readonly counters: Counters;
  /** The time of the operation, in milliseconds since the Unix epoch. */
  now: number;
}

/** A message has got from one state to another: the counts follow. */
export function countMove({ counters }: Transaction, from: MessageState, to: MessageState, count = 1): void {
  counters[from] -= count;
  counters[to] += count;
}
