import type { StoreCounts, UnknownPolicy } from '../store.js';
import type { Statements } from './sql.js';

export type Counters = { -readonly [Name in keyof StoreCounts]: StoreCounts[Name] } & {
  /** The last place in a line that was given, and the round of the session whose turn began last (lines.ts). */
  place: number;
  round: number;
};

/** What an operation works with while its transaction is open. */
export interface Transaction {
  readonly sql: Statements;
  /** Read when the transaction began, changed by its operations, written back before it is committed. */
  readonly counters: Counters;
  /** Crashes that a turn may be under way at before it is run by itself, and set aside at the next. */
  readonly maxAttempts: number;
  /** Whether a turn that was cut off may be run again; else it is set aside. */
  readonly repeatable: boolean;
  /** Whether senders are told of messages that are dead. */
  readonly notices: boolean;
  /** What becomes of a delivery that such a process had begun, where it must not be sent twice and says nothing itself. */
  readonly unknownPolicy: UnknownPolicy;
}
