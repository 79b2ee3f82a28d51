import type { StoreCounts } from '../../messages.js';
import { sql } from './statements.js';

export type Counters = { -readonly [Name in keyof StoreCounts]: StoreCounts[Name] } & {
  /** The last position in a queue that was given, and the round of the session whose turn began last. */
  place: number;
  round: number;
  /** Of the last claim. */
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
