import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import type { Database } from 'better-sqlite3';
import { collectGarbage } from '../../memory/collect-garbage.js';
import { toStoreError } from './errors.js';
import { GroupCommit } from './group-commit.js';
import { Housekeeping } from './housekeeping.js';
import { openDatabase } from './open-database.js';
import type { Call, Failure, FromWorker, ToWorker, WorkerOptions } from './protocol.js';
import { breakSeal, seal } from './seal.js';

/**
 * The thread that owns the database. Calls that arrive while a commit is under way wait in the port; the next
 * transaction takes all of them. A lone call is committed at once: there is no timer.
 */

/** Calls of one transaction, so that those behind a great crowd are answered in steps. */
const largestGroup = 1_024;

const port = parentPort;
if (port === null) throw new Error('sqlite-worker is a worker thread; it is started by SqliteStore.');
const options = await toldToOpen(port);

const post = (message: FromWorker) => port.postMessage(message);

/** Calls that come right after it wait in the port, which gives out nothing while nobody listens. */
function toldToOpen(from: MessagePort): Promise<WorkerOptions> {
  return new Promise((resolve, reject) => {
    from.once('message', (message: ToWorker) => {
      if (message.type === 'open') resolve(message.options);
      else
        reject(new Error(`The store's thread was told to ${message.type} before it was told what to open.`));
    });
  });
}

function toFailure(error: unknown): Failure {
  const { reason, message } = toStoreError(error, options.path);
  return { reason, message };
}

/** Damage was found while it was open: no seal is put on it any more. */
let damaged = false;

function sealUnlessDamaged(state: 'open' | 'closed'): void {
  if (!damaged) seal(options.path, state);
}

function noteDamage({ reason }: Failure): void {
  if (reason !== 'damaged' || damaged) return;
  damaged = true;
  try {
    breakSeal(options.path);
  } catch (error) {
    post({ type: 'warning', failure: toFailure(error) });
  }
}

/** Whether it could be done. On a full disk it can't; the log has it all, and the next start reads it from there. */
function checkpoint(database: Database): boolean {
  try {
    // The close removes the log. To truncate it before is one more wait for the disk, and a full checkpoint would wait
    // for whoever reads, a backup say.
    database.pragma('wal_checkpoint(PASSIVE)');
    return true;
  } catch (error) {
    post({ type: 'warning', failure: toFailure(error) });
    return false;
  }
}

function close(database: Database, housekeeping: Housekeeping): void {
  housekeeping.stop();
  let failure: Failure | null = null;
  try {
    const checkpointed = checkpoint(database);
    database.close();
    if (checkpointed) sealUnlessDamaged('closed');
  } catch (error) {
    failure = toFailure(error);
    if (database.open) database.close();
  }
  post({ type: 'closed', failure });
  port?.close();
}

/** The pages that SQLite has cached, and this thread's garbage, for so many who have asked. */
async function releaseMemory(database: Database, requests: number): Promise<void> {
  let failure: Failure | null = null;
  try {
    if (database.open) database.pragma('shrink_memory');
    await collectGarbage();
  } catch (error) {
    failure = toFailure(error);
  }
  for (let answered = 0; answered < requests; answered++) post({ type: 'memory-released', failure });
}

function serve(database: Database, groups: GroupCommit): void {
  const checkpointWhenDue = (least?: number) => {
    try {
      if (groups.checkpointWhenDue(least)) sealUnlessDamaged('open');
    } catch (error) {
      post({ type: 'warning', failure: toFailure(error) });
    }
  };
  const housekeeping = new Housekeeping(database, groups, {
    keep: options.keep,
    interval: options.housekeepingInterval,
    checkpoint: checkpointWhenDue,
    onFailure: (error) => {
      const failure = toFailure(error);
      noteDamage(failure);
      post({ type: 'warning', failure });
    },
  });
  const perform = (calls: readonly Call[]) => {
    for (let start = 0; start < calls.length; start += largestGroup) {
      const answers = groups.run(calls.slice(start, start + largestGroup));
      for (const answer of answers) if ('failure' in answer) noteDamage(answer.failure);
      post({ type: 'answers', answers });
    }
  };
  port?.on('message', (first: ToWorker) => {
    const calls: Call[] = [];
    let releases = 0;
    let message: ToWorker | undefined = first;
    while (message !== undefined) {
      if (message.type === 'close') {
        perform(calls);
        close(database, housekeeping);
        return;
      }
      if (message.type === 'release-memory') releases += 1;
      if (message.type === 'calls') for (const call of message.calls) calls.push(call);
      // What is left over in the port comes as an event of its own.
      message = calls.length < largestGroup ? receiveMessageOnPort(port)?.message : undefined;
    }
    perform(calls);
    checkpointWhenDue();
    if (releases > 0) void releaseMemory(database, releases);
  });
}

async function start(): Promise<void> {
  // Imported only when asked for, so that the store has no need of the addon.
  const extension = options.extendStartTimeout
    ? await import('../../systemd/timeout-extension.js')
    : { reportProgress: () => {} };
  const progress = (step: string) => {
    extension.reportProgress();
    post({ type: 'progress', step });
  };
  const { database, finding } = openDatabase({ ...options, progress });
  try {
    progress('recovering what the last run left');
    const groups = new GroupCommit(database, options);
    const recovery = groups.recover(options.now);
    serve(database, groups);
    post({ type: 'opened', recovery, finding });
  } catch (error) {
    database.close();
    throw error;
  }
}

start().catch((error: unknown) => {
  post({ type: 'not-opened', failure: toFailure(error) });
  port.close();
});
