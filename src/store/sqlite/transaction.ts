import type { StorePolicy } from '../open-store.js';
import type { StoreCounts } from '../store.js';
import type { Statements } from './sql.js';

export type Counters = { -readonly [Name in keyof StoreCounts]: StoreCounts[Name] } & {
  /** The last place in a line that was given, and the round of the session whose turn began last (lines.ts). */
  place: number;
  round: number;
};

/** What an operation works with while its transaction is open. */
export interface Transaction extends StorePolicy {
  readonly sql: Statements;
  /** Read when the transaction began, changed by its operations, written back before it is committed. */
  readonly counters: Counters;
  /** The time of the operation, in milliseconds since the Unix epoch. */
  now: number;
}
