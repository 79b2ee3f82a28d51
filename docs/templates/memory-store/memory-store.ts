import { keptRuns, type OpenStore, type StorePolicy } from '../../../src/store/open-store.js';
import { checkLimit, decodeCursor, decodeNumber, pageOf } from '../../../src/store/pages.js';
import { isAsExpected, leaseStands, mayClaimLease, unexpired } from '../../../src/store/rules/fences.js';
import { SessionWatchers } from '../../../src/store/session-watchers.js';
import { StoreError } from '../../../src/store/store-error.js';
import { type BlobChunks, readBlob, writeBlob } from '../blobs.js';
import type { StoreCounts } from '../messages.js';
import {
  agentSessionKind,
  checkpointKind,
  type ExpectedRecord,
  type LeaseHold,
  type NewRecord,
} from '../records.js';
import { Operations } from './operations.js';
import { held, heldBy } from './queues.js';
import { Database, type SessionRow, toMessage } from './rows.js';

export interface MemoryStoreOptions extends StorePolicy {
  /** The contents that an earlier store has left; default: none. */
  readonly database?: Database;
  /** Milliseconds since the Unix epoch. Default: this process's clock. */
  readonly now?: () => number;
}

/** The methods of a store as they are within one transaction: here nothing else runs until they return. */
type Methods = {
  readonly [Name in Exclude<keyof OpenStore, 'watch' | 'close' | 'putBlob' | 'openBlob'>]: (
    ...parameters: Parameters<OpenStore[Name]>
  ) => Awaited<ReturnType<OpenStore[Name]>>;
};

/** Keeps all in the memory of this process. */
export function openMemoryStore({
  database = new Database(),
  now = Date.now,
  ...policy
}: MemoryStoreOptions): OpenStore {
  const watchers = new SessionWatchers();
  const methods = methodsOf(database, policy, now, (session) => watchers.changed(session));
  let isClosed = false;
  const call = async <Result>(work: () => Result): Promise<Result> => {
    if (isClosed) throw new StoreError('closed', 'The store is closed: the gateway is stopping.');
    try {
      return work();
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError('internal', String(error), { cause: error });
    }
  };
  const calls = Object.fromEntries(
    Object.entries<(...parameters: never[]) => unknown>(methods).map(([name, method]) => [
      name,
      (...parameters: never[]) => call(() => method(...parameters)),
    ]),
  ) as Omit<OpenStore, 'watch' | 'close' | 'putBlob' | 'openBlob'>;
  const chunks: BlobChunks = {
    add: (id, position, data) =>
      call(() => {
        const blob = database.blobs.get(id) ?? { owner: null, chunks: [] };
        blob.chunks[position] = data;
        database.blobs.set(id, blob);
      }),
    read: (id, position) => call(() => database.blobs.get(id)?.chunks[position] ?? null),
    remove: (id) => calls.removeBlob(id),
  };
  return {
    ...calls,
    putBlob: (content, limitBytes) => writeBlob(chunks, content, limitBytes),
    openBlob: (id) => readBlob(chunks, id),
    watch: (session, changed) => watchers.watch(session, changed),
    close: async () => {
      isClosed = true;
    },
  };
}

function methodsOf(
  database: Database,
  policy: StorePolicy,
  now: () => number,
  changed: (session: string) => void,
): Methods {
  const operations = new Operations(database, policy, now, changed);
  return {
    ...turnsAndDeliveries(database, operations),
    ...recordsAndLeases(database, now),
    ...reads(database, now),
    ...sessions(database, now, changed),
    acceptAll: (messages, limits, checkpoint) => {
      const outcomes = operations.acceptAll(messages, limits);
      if (checkpoint === null) return outcomes;
      const { channel, key, value } = checkpoint;
      put(database, now, { kind: checkpointKind(channel), key, value });
      return outcomes;
    },
    removeBlob: (id) => {
      if (database.blobs.get(id)?.owner === null) database.blobs.delete(id);
    },
    beginRun: (run) => {
      database.runs.unshift(run);
      database.runs.length = Math.min(database.runs.length, keptRuns);
      return [...database.runs];
    },
    updateRun: (run) => {
      const place = database.runs.findIndex(({ id }) => id === run.id);
      if (place >= 0) database.runs[place] = run;
    },
    runs: (limit) => database.runs.slice(0, Math.max(0, limit)),
    probe: () => undefined,
  };
}

function turnsAndDeliveries(database: Database, operations: Operations) {
  return {
    accept: operations.accept.bind(operations),
    claimTurns: operations.claimTurns.bind(operations),
    completeTurn: operations.completeTurn.bind(operations),
    putBackTurns: operations.putBackTurns.bind(operations),
    claimDeliveries: operations.claimDeliveries.bind(operations),
    failDelivery: operations.failDelivery.bind(operations),
    cancelMessage: operations.cancelMessage.bind(operations),
    cancelSession: (session) => operations.cancelSession(session),
    reviseMessage: operations.reviseMessage.bind(operations),
    retryDead: operations.retryDead.bind(operations),
    discardMessage: operations.discardMessage.bind(operations),
    failTurn: (turn, error, retryInMs) => operations.endHeldTurn(turn, { by: 'failure', error, retryInMs }),
    releaseTurn: (turn) => operations.endHeldTurn(turn, { by: 'release' }),
    completeDelivery: (delivery) => operations.endHeldDelivery(delivery, { by: 'receipt' }),
    putBackDeliveries: (deliveries) =>
      deliveries.toReversed().filter((delivery) =>
        operations.endHeldDelivery(delivery, {
          by: 'stop',
          unknownOutcome: delivery.unknownOutcome ?? null,
        }),
      ).length,
    beginDelivery: (delivery) =>
      operations.withDelivery(delivery, (row) =>
        Object.assign(row.delivery ?? {}, { begunAt: operations.now() }),
      ),
    noteDeliveryPart: (delivery, part, receipt) => {
      if (!Number.isSafeInteger(part) || part < 1)
        throw new RangeError(`There is no part ${part} of a reply.`);
      return operations.withDelivery(delivery, (row) => operations.notePart(row, part, receipt));
    },
    notePreview: (turn, receipt) => {
      const row = heldBy(database, 'turn', turn);
      if (row !== undefined) operations.notePart(row, 0, receipt);
      return row !== undefined;
    },
    setTurnWait: (turn, wait) => {
      const row = heldBy(database, 'turn', turn);
      if (row?.state !== 'running') return false;
      row.waitingFor = wait;
      operations.changed(turn.session);
      return true;
    },
    appendDeltas: (turn, texts) => {
      const row = heldBy(database, 'turn', turn);
      if (row?.state !== 'running') return null;
      for (const text of texts) {
        const position = (row.deltas.at(-1)?.position ?? 0) + 1;
        row.deltas.push({ position, attempt: row.attempts, text });
      }
      operations.changed(turn.session);
      return row.deltas.at(-1)?.position ?? 0;
    },
    renewLeases: (owner, leaseMs) => {
      const renew = (queue: 'turn' | 'delivery') => {
        const own = held(database, queue).filter((head) => head.owner === owner);
        for (const head of own) head.leaseUntil = operations.now() + leaseMs;
        return own.length;
      };
      return { turns: renew('turn'), deliveries: renew('delivery') };
    },
    nextDueInMs: (owner) => {
      const heads = [...database.heads.turn.values(), ...database.heads.delivery.values()];
      const times = heads.flatMap((head) => {
        const time = head.retryAt ?? (head.owner === owner ? null : head.leaseUntil);
        return time === null ? [] : [time];
      });
      return times.length === 0 ? null : Math.max(0, Math.min(...times) - operations.now());
    },
  } satisfies Partial<Methods>;
}

function put(database: Database, now: () => number, record: NewRecord, expected: ExpectedRecord = 'any') {
  const { kind, key, value, expiresInMs = null } = record;
  const present = unexpired(database.records.get(`${kind} ${key}`) ?? null, now());
  if (!isAsExpected(present, expected)) return { outcome: 'conflict' as const, record: present };
  database.epoch += 1;
  const version = database.epoch;
  const expiresAt = expiresInMs === null ? null : now() + expiresInMs;
  database.records.set(`${kind} ${key}`, { kind, key, value, version, expiresAt });
  return { outcome: 'written' as const, version };
}

function recordsAndLeases(database: Database, now: () => number) {
  const nameOf = ({ kind, name }: Pick<LeaseHold, 'kind' | 'name'>) => `${kind} ${name}`;
  const record = (kind: string, key: string) =>
    unexpired(database.records.get(`${kind} ${key}`) ?? null, now());
  const change = (lease: LeaseHold, values: object): boolean => {
    const present = database.leases.get(nameOf(lease)) ?? null;
    if (!leaseStands(present, lease)) return false;
    database.leases.set(nameOf(lease), { ...lease, leaseUntil: null, ...values });
    return true;
  };
  return {
    record,
    putRecord: (written, expected) => put(database, now, written, expected),
    deleteRecord: (kind, key, expected) => {
      const present = record(kind, key);
      if (present === null || !isAsExpected(present, expected ?? 'any')) return false;
      return database.records.delete(`${kind} ${key}`);
    },
    records: (kind, { limit, after }) => {
      const from = after === null ? '' : decodeCursor('records', after);
      const all = [...database.records.values()]
        .filter((each) => each.kind === kind && each.key > from && unexpired(each, now()) !== null)
        .sort((a, b) => (a.key < b.key ? -1 : 1));
      return pageOf('records', all, checkLimit(limit), ({ key }) => key);
    },
    claimLease: (kind, name, owner, leaseMs) => {
      if (!mayClaimLease(database.leases.get(nameOf({ kind, name })) ?? null, owner, now())) return null;
      database.epoch += 1;
      database.leases.set(nameOf({ kind, name }), {
        owner,
        epoch: database.epoch,
        leaseUntil: now() + leaseMs,
      });
      return database.epoch;
    },
    renewLease: (lease, leaseMs) => change(lease, { leaseUntil: now() + leaseMs }),
    releaseLease: (lease) => change(lease, { owner: null }),
  } satisfies Partial<Methods>;
}

function forgetAgentSessions(database: Database, session: string): void {
  for (const [place, { kind, key }] of database.records) {
    if (kind === agentSessionKind && key.startsWith(`${session}/`)) database.records.delete(place);
  }
}

function summaryOf(database: Database, session: SessionRow) {
  return {
    session: session.name,
    lastSeq: session.messages.length,
    waiting: session.messages.filter(({ state }) => state === 'queued').length,
    running: database.heads.turn.get(session)?.owner != null,
    lastAcceptedAt: session.lastAcceptedAt,
    policy: session.policy,
    agent: session.agent,
    generation: session.generation,
  };
}

function sessions(database: Database, now: () => number, changed: (session: string) => void) {
  const set = (name: string, values: Partial<SessionRow>) => {
    const session = Object.assign(database.sessionNamed(name, now()), values);
    changed(name);
    return summaryOf(database, session);
  };
  return {
    setPolicy: (name, policy) => set(name, { policy }),
    setAgent: (name, agent) => set(name, { agent }),
    resetSession: (name) => {
      const known = database.sessions.get(name);
      if (known === undefined) return null;
      forgetAgentSessions(database, name);
      return set(name, { generation: known.generation + 1 });
    },
    deleteSession: (name) => {
      const known = database.sessions.get(name);
      if (known === undefined) return null;
      const heads = [database.heads.turn, database.heads.delivery];
      if (heads.some((queue) => queue.get(known)?.owner != null)) return 'busy';
      for (const queue of heads) queue.delete(known);
      for (const row of known.messages) {
        database.messages.delete(row.id);
        for (const [id, { owner }] of database.blobs) if (owner === row) database.blobs.delete(id);
      }
      forgetAgentSessions(database, name);
      database.sessions.delete(name);
      changed(name);
      return 'deleted';
    },
    session: (name) => {
      const known = database.sessions.get(name);
      return known === undefined ? null : summaryOf(database, known);
    },
    sessions: ({ limit, after }) => {
      const from = after === null ? '' : decodeCursor('sessions', after);
      const all = [...database.sessions.values()]
        .filter(({ name }) => name > from)
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((session) => summaryOf(database, session));
      return pageOf('sessions', all, checkLimit(limit), ({ session }) => session);
    },
  } satisfies Partial<Methods>;
}

function reads(database: Database, _now: () => number) {
  const rows = (session: string) => database.sessions.get(session)?.messages ?? [];
  const shown = (row: Parameters<typeof toMessage>[0]) => toMessage(row, database.heads.delivery);
  return {
    message: (id) => {
      const row = database.message(id);
      return row === undefined ? null : shown(row);
    },
    sessionMessages: (session, { limit, after }) => {
      const from = decodeNumber('messages', after);
      checkLimit(limit);
      if (!database.sessions.has(session)) return null;
      const all = rows(session).filter(({ seq }) => seq > from);
      return pageOf('messages', all.map(shown), limit, ({ seq }) => String(seq));
    },
    deadMessages: ({ limit, after }) => {
      const from = decodeNumber('dead', after);
      const all = [...database.messages.values()].map((row, place) => ({ row, number: place + 1 }));
      const dead = all.filter(({ row, number }) => row.state === 'dead' && number > from);
      const page = pageOf('dead', dead, checkLimit(limit), ({ number }) => String(number));
      return { items: page.items.map(({ row }) => shown(row)), next: page.next };
    },
    history: (session, limit, of) => {
      checkLimit(limit);
      const generation = of?.generation ?? database.sessions.get(session)?.generation;
      return rows(session)
        .filter((row) => row.generation === generation && row.seq < (of?.before ?? row.seq + 1))
        .filter(({ state, collectedIn }) =>
          ['replied', 'delivered'].includes((collectedIn ?? { state }).state),
        )
        .slice(-limit)
        .map(shown);
    },
    settledMessages: (session, seq, limit) => {
      checkLimit(limit);
      const behind = rows(session).filter((row) => row.seq > seq);
      const end = behind.findIndex(({ state }) => state === 'queued' || state === 'running');
      const settled = end === -1 ? behind : behind.slice(0, end);
      const more = settled.length > limit;
      const first = more ? undefined : behind[settled.length];
      const next = first === undefined ? null : { id: first.id, state: first.state as 'queued' | 'running' };
      return { items: settled.slice(0, limit).map(shown), more, next };
    },
    settledUpTo: (session) => {
      const first = rows(session).find(({ state }) => state === 'queued' || state === 'running');
      return first === undefined ? rows(session).length : first.seq - 1;
    },
    deltas: (messageId, after, limit) => {
      checkLimit(limit);
      const all = database.message(messageId)?.deltas.filter(({ position }) => position > after) ?? [];
      return { items: all.slice(0, limit), more: all.length > limit };
    },
    counts: (): StoreCounts => ({
      sessions: database.sessions.size,
      queued: database.count('queued'),
      running: database.count('running'),
      replied: database.count('replied'),
      delivered: database.count('delivered'),
      dead: database.count('dead'),
      cancelled: database.count('cancelled'),
      collected: database.count('collected'),
      undelivered: [...database.messages.values()].filter(({ delivery }) => delivery?.state === 'pending')
        .length,
    }),
  } satisfies Partial<Methods>;
}
