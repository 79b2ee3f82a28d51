import type { MessageState } from '../../messages.js';
import type { StorePolicy } from '../../open-store.js';
import type { Counters } from './counters.js';
import type { Statements } from './statements.js';

/** What an operation works with while its transaction is open. */
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
