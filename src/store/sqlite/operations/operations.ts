import type { OperationName, ParametersOf, ResultOf } from '../thread/protocol.js';
import { accept, acceptAll } from './accept.js';
import { addBlobChunk, readBlobChunk, removeBlob } from './blobs.js';
import { cancelMessage, cancelSession, discardMessage, retryDead } from './by-hand.js';
import { claimDeliveries } from './claim-deliveries.js';
import { claimTurns } from './claim-turns.js';
import { renewLeases } from './claims.js';
import { deleteSession } from './delete-session.js';
import {
  beginDelivery,
  completeDelivery,
  failDelivery,
  noteDeliveryPart,
  putBackDeliveries,
} from './deliveries.js';
import { readDeltas } from './deltas.js';
import { claimLease, releaseLease, renewLease } from './leases.js';
import {
  readCounts,
  readDeadMessages,
  readHistory,
  readMessage,
  readNextDueInMs,
  readSessionMessages,
  readSessions,
  readSettledMessages,
  readSettledUpTo,
} from './reads.js';
import { deleteRecord, putRecord, readRecord, readRecords } from './records.js';
import { reviseMessage } from './revise.js';
import { beginRun, readRuns, updateRun } from './runs.js';
import { readSession, resetSession, setAgent, setPolicy } from './sessions.js';
import type { Transaction } from './transaction.js';
import {
  appendDeltas,
  completeTurn,
  failTurn,
  notePreview,
  putBackTurns,
  releaseTurn,
  setTurnWait,
} from './turns.js';

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
  'history',
  'deltas',
  'readBlobChunk',
  'settledUpTo',
  'deadMessages',
  'counts',
  'nextDueInMs',
  'runs',
  'probe',
  'statistics',
]);

/** Operations that bring new work. They are refused before a log that can't be emptied takes the whole disk. */
export const isNewWork: ReadonlySet<OperationName> = new Set<OperationName>([
  'accept',
  'acceptAll',
  'addBlobChunk',
]);

/**
 * Operations that need no sync of their own: the next one takes what they wrote along
 * (https://www.sqlite.org/pragma.html#pragma_synchronous).
 */
export const unsynced: ReadonlySet<OperationName> = new Set<OperationName>(['appendDeltas', 'addBlobChunk']);

/** Operations that let all others go first: nobody waits for them, and at worst they find that their turn has ended. */
export const yields: ReadonlySet<OperationName> = new Set<OperationName>(['appendDeltas']);

/** Each operation within a transaction. Two others are asked of the connection itself. */
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
  setTurnWait,
  appendDeltas,
  deltas: readDeltas,
  addBlobChunk,
  readBlobChunk,
  removeBlob,
  cancelMessage,
  cancelSession,
  reviseMessage,
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
  setAgent,
  resetSession,
  deleteSession,
  history: readHistory,
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
