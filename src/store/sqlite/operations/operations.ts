import type { OperationName, ParametersOf, ResultOf } from '../protocol.js';
import { accept, acceptAll } from './accept.js';
import { cancelMessage, cancelSession, discardMessage, retryDead } from './by-hand.js';
import { claimDeliveries } from './claim-deliveries.js';
import { claimTurns } from './claim-turns.js';
import { renewLeases } from './claims.js';
import {
  beginDelivery,
  completeDelivery,
  failDelivery,
  noteDeliveryPart,
  putBackDeliveries,
} from './deliveries.js';
import { claimLease, releaseLease, renewLease } from './leases.js';
import {
  readCounts,
  readDeadMessages,
  readMessage,
  readNextDueInMs,
  readSessionMessages,
  readSessions,
  readSettledMessages,
  readSettledUpTo,
} from './reads.js';
import { deleteRecord, putRecord, readRecord, readRecords } from './records.js';
import { beginRun, readRuns, updateRun } from './runs.js';
import { readSession, setPolicy } from './sessions.js';
import type { Transaction } from './transaction.js';
import { completeTurn, failTurn, notePreview, putBackTurns, releaseTurn } from './turns.js';

export type Handlers = {
  readonly [Name in OperationName]: (
    transaction: Transaction,
    ...parameters: ParametersOf<Name>
  ) => ResultOf<Name>;
};

/** Operations that change nothing: they are answered even when the database can't be written. */
export const isRead: ReadonlySet<OperationName> = new Set<OperationName>([
  'record',
  'records',
  'message',
  'session',
  'sessions',
  'sessionMessages',
  'settledMessages',
  'settledUpTo',
  'deadMessages',
  'counts',
  'nextDueInMs',
  'runs',
  'probe',
  'statistics',
]);

/** What each operation does, in a transaction; those apart that are asked of the connection itself. */
export const operations: Omit<Handlers, 'statistics' | 'tryWrite'> = {
  accept,
  acceptAll,
  claimTurns,
  renewLeases,
  completeTurn,
  failTurn,
  putBackTurns,
  releaseTurn,
  notePreview,
  cancelMessage,
  cancelSession,
  deadMessages: readDeadMessages,
  retryDead,
  discardMessage,
  claimDeliveries,
  beginDelivery,
  noteDeliveryPart,
  completeDelivery,
  failDelivery,
  putBackDeliveries,
  nextDueInMs: readNextDueInMs,
  claimLease,
  renewLease,
  releaseLease,
  record: readRecord,
  records: readRecords,
  putRecord,
  deleteRecord,
  message: readMessage,
  session: readSession,
  setPolicy,
  sessions: readSessions,
  sessionMessages: readSessionMessages,
  settledMessages: readSettledMessages,
  settledUpTo: readSettledUpTo,
  counts: readCounts,
  beginRun,
  updateRun,
  runs: readRuns,
  // The counters were read from the database when the transaction began: that is the round trip.
  probe: () => undefined,
};
