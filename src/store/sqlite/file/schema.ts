/** "SDGW": written in the header of each database of the gateway, so that another program's file is told apart. */
export const applicationId = 0x53444757;

/**
 * One step of the schema, forward only. A released step is never edited: a change is a new step, whose version gets
 * fixtures (test/store/fixtures/make.mjs).
 */
export interface Migration {
  /** `user_version` once it is done: 1, 2, 3, … */
  readonly version: number;
  /** Run one after another in one transaction, with a sign of progress after each. */
  readonly statements: readonly (string | Redefinition)[];
}

/** Changes a table's CHECK constraint so that it allows more: no row is read or written. */
export interface Redefinition {
  readonly table: string;
  /** Text of its CREATE statement, which has it once. */
  readonly from: string;
  readonly to: string;
}

/**
 * Version 1. Costs must not grow with what is stored, so:
 * - what changes often (`messages`) is kept apart from texts of any length, which are written once;
 * - `heads` has a row only for a session in which something waits, and says when and by whom its oldest item can be
 *   run. A claim reads its first few rows by an index, whatever else there is. A row is in one of three conditions:
 *   `ready` (a ticket in the line of sessions, not a time, so that a clock that jumps can't hold it up), waiting for
 *   `retry_at`, or held by `owner` until `lease_until`;
 * - `counters` are kept in the transactions that change what they count.
 * Times are milliseconds since the Unix epoch.
 */
const firstVersion: readonly string[] = [
  `CREATE TABLE sessions (
     number           INTEGER PRIMARY KEY,
     name             TEXT    NOT NULL CHECK (name <> ''),
     last_seq         INTEGER NOT NULL,
     -- Messages that are queued or running.
     unfinished       INTEGER NOT NULL CHECK (unfinished >= 0),
     last_accepted_at INTEGER NOT NULL
   ) STRICT`,
  'CREATE UNIQUE INDEX sessions_by_name ON sessions (name)',

  `CREATE TABLE messages (
     number          INTEGER PRIMARY KEY,
     id              BLOB    NOT NULL CHECK (length(id) = 16),
     session         INTEGER NOT NULL REFERENCES sessions (number),
     seq             INTEGER NOT NULL,
     state           TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'replied', 'delivered', 'dead')),
     attempts        INTEGER NOT NULL CHECK (attempts >= 0),
     accepted_at     INTEGER NOT NULL,
     changed_at      INTEGER NOT NULL,
     channel         TEXT    NOT NULL,
     reply_url       TEXT,
     idempotency_key TEXT,
     fingerprint     BLOB    CHECK ((fingerprint IS NULL) = (idempotency_key IS NULL)),
     error           TEXT
   ) STRICT`,
  'CREATE UNIQUE INDEX messages_by_id ON messages (id)',
  'CREATE UNIQUE INDEX messages_by_seq ON messages (session, seq)',
  `CREATE UNIQUE INDEX messages_by_key ON messages (session, idempotency_key)
     WHERE idempotency_key IS NOT NULL`,

  `CREATE TABLE message_texts (
     message  INTEGER PRIMARY KEY REFERENCES messages (number) ON DELETE CASCADE,
     text     TEXT NOT NULL,
     metadata TEXT NOT NULL
   ) STRICT`,

  `CREATE TABLE replies (
     message  INTEGER PRIMARY KEY REFERENCES messages (number) ON DELETE CASCADE,
     text     TEXT    NOT NULL,
     metadata TEXT    NOT NULL,
     at       INTEGER NOT NULL
   ) STRICT`,

  `CREATE TABLE deliveries (
     message      INTEGER PRIMARY KEY REFERENCES messages (number) ON DELETE CASCADE,
     session      INTEGER NOT NULL,
     seq          INTEGER NOT NULL,
     webhook_id   TEXT    NOT NULL,
     state        TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
     attempts     INTEGER NOT NULL CHECK (attempts >= 0),
     delivered_at INTEGER,
     last_error   TEXT
   ) STRICT`,
  "CREATE INDEX deliveries_pending ON deliveries (session, seq) WHERE state = 'pending'",

  // No foreign keys here: they would need an index on message only to make a deletion quick, and each claim and
  // completion would have to keep it.
  `CREATE TABLE heads (
     line        TEXT    NOT NULL CHECK (line IN ('turn', 'delivery')),
     session     INTEGER NOT NULL,
     message     INTEGER NOT NULL,
     ready       INTEGER,
     retry_at    INTEGER,
     owner       TEXT,
     lease_until INTEGER,
     PRIMARY KEY (line, session),
     CHECK ((ready IS NOT NULL) + (retry_at IS NOT NULL) + (owner IS NOT NULL) = 1),
     CHECK ((owner IS NULL) = (lease_until IS NULL))
   ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX heads_ready ON heads (line, ready) WHERE ready IS NOT NULL',
  'CREATE INDEX heads_retry ON heads (line, retry_at) WHERE retry_at IS NOT NULL',
  'CREATE INDEX heads_lease ON heads (line, lease_until) WHERE lease_until IS NOT NULL',

  `CREATE TABLE counters (
     number      INTEGER PRIMARY KEY CHECK (number = 1),
     sessions    INTEGER NOT NULL CHECK (sessions >= 0),
     queued      INTEGER NOT NULL CHECK (queued >= 0),
     running     INTEGER NOT NULL CHECK (running >= 0),
     replied     INTEGER NOT NULL CHECK (replied >= 0),
     delivered   INTEGER NOT NULL CHECK (delivered >= 0),
     dead        INTEGER NOT NULL CHECK (dead >= 0),
     undelivered INTEGER NOT NULL CHECK (undelivered >= 0)
   ) STRICT`,
  'INSERT INTO counters VALUES (1, 0, 0, 0, 0, 0, 0, 0)',
];

/** Version 2: each start of a gateway and how it ended, as JSON (`RunRecord`): read as a whole, never searched. */
const secondVersion: readonly string[] = [
  `CREATE TABLE runs (
     number INTEGER PRIMARY KEY,
     id     BLOB    NOT NULL CHECK (length(id) = 16),
     record TEXT    NOT NULL CHECK (json_valid(record))
   ) STRICT`,
  'CREATE UNIQUE INDEX runs_by_id ON runs (id)',
];

/**
 * Version 3: what is known of a delivery that was cut off. The columns have constant defaults and no checks, so that no
 * row is read or written.
 */
const thirdVersion: readonly string[] = [
  'ALTER TABLE messages ADD COLUMN reply_idempotent INTEGER NOT NULL DEFAULT 1',
  // When the present attempt sent its first byte, or may have; null: it has not begun.
  'ALTER TABLE deliveries ADD COLUMN begun_at INTEGER',
  // Attempts whose outcome is not known.
  'ALTER TABLE deliveries ADD COLUMN unknown INTEGER NOT NULL DEFAULT 0',
];

/**
 * Version 4: messages that were cancelled, dead ones that are tried again, and notices of dead ones to their senders.
 */
const fourthVersion: readonly (string | Redefinition)[] = [
  {
    table: 'messages',
    from: "CHECK (state IN ('queued', 'running', 'replied', 'delivered', 'dead'))",
    to: "CHECK (state IN ('queued', 'running', 'replied', 'delivered', 'dead', 'cancelled'))",
  },
  // When somebody had it tried again after it was dead; null: never.
  'ALTER TABLE messages ADD COLUMN retried_at INTEGER',
  "CREATE INDEX messages_dead ON messages (number) WHERE state = 'dead'",
  // Messages that wait at numbers that the head of their session has passed.
  `CREATE INDEX messages_retried ON messages (session, seq)
     WHERE retried_at IS NOT NULL AND state = 'queued'`,
  // 1: tells the sender that the message is dead, and has no reply.
  'ALTER TABLE deliveries ADD COLUMN notice INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE counters ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0)',
];

/**
 * Version 5: a policy for a session, messages that are run as one turn, and a line of sessions that is fair to senders:
 * `ready` is the round in which a session's turn comes, `place` its place within that round.
 */
const fifthVersion: readonly (string | Redefinition)[] = [
  {
    table: 'messages',
    from: "CHECK (state IN ('queued', 'running', 'replied', 'delivered', 'dead', 'cancelled'))",
    to: "CHECK (state IN ('queued', 'running', 'replied', 'delivered', 'dead', 'cancelled', 'collected'))",
  },
  'ALTER TABLE sessions ADD COLUMN policy TEXT',
  'ALTER TABLE messages ADD COLUMN sender TEXT',
  // Number of the message whose turn it is part of. No foreign key: as in heads.
  'ALTER TABLE messages ADD COLUMN collected_in INTEGER',
  // 1: its turn began once, though no attempt counts, so that what it is made of stays.
  'ALTER TABLE messages ADD COLUMN begun INTEGER NOT NULL DEFAULT 0',
  'CREATE INDEX messages_collected ON messages (collected_in) WHERE collected_in IS NOT NULL',
  'DROP INDEX heads_ready',
  // The sender of the turn's message; null: the session is a sender of its own.
  'ALTER TABLE heads ADD COLUMN sender TEXT',
  'ALTER TABLE heads ADD COLUMN place INTEGER NOT NULL DEFAULT 0',
  // When it was put off until `retry_at`: a clock that says less by now was set back.
  'ALTER TABLE heads ADD COLUMN waits_since INTEGER',
  'UPDATE heads SET place = ready, ready = 1 WHERE ready IS NOT NULL',
  'CREATE INDEX heads_ready ON heads (line, ready, place) WHERE ready IS NOT NULL',
  `CREATE INDEX heads_of_sender ON heads (line, sender, ready)
     WHERE sender IS NOT NULL AND ready IS NOT NULL`,
  'ALTER TABLE counters ADD COLUMN collected INTEGER NOT NULL DEFAULT 0 CHECK (collected >= 0)',
  // The last place that was given, and the round of the session that was served last.
  'ALTER TABLE counters ADD COLUMN place INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE counters ADD COLUMN round INTEGER NOT NULL DEFAULT 0',
  'UPDATE counters SET place = (SELECT coalesce(max(place), 0) FROM heads)',
];

/** Version 6: what may bring the gateway down is told from what its agent fails at. No row is written. */
const sixthVersion: readonly string[] = [
  // Crashes that its turn was under way at. The attempts count those that failed too.
  'ALTER TABLE messages ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0',
];

/**
 * Version 7: what becomes of a reply that may have arrived is its target's choice; and what a session has queued is found
 * without a look at what lies between. No row is written.
 */
const seventhVersion: readonly string[] = [
  // Holds if `reply_idempotent` is 0; null: what `delivery.unknown` says.
  'ALTER TABLE messages ADD COLUMN reply_unknown TEXT',
  "CREATE INDEX messages_queued ON messages (session, seq) WHERE state = 'queued'",
];

/** Version 8: a turn that stops its own gateway each time is told from one that stops happen to. No row is written. */
const eighthVersion: readonly string[] = [
  // Stops that cut its turn off. Such an attempt doesn't count.
  'ALTER TABLE messages ADD COLUMN put_backs INTEGER NOT NULL DEFAULT 0',
];

/**
 * Version 9: claims are told from earlier ones by their epochs, and what only one gateway may do at a time has leases. No
 * row is written.
 */
const ninthVersion: readonly string[] = [
  // Raised by each claim, of whatever kind: so each is higher than all before it.
  'ALTER TABLE counters ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0',
  // The epoch of the claim that holds the session, or held it last.
  'ALTER TABLE heads ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0',
  `CREATE TABLE leases (
     kind        TEXT    NOT NULL,
     name        TEXT    NOT NULL,
     owner       TEXT,
     epoch       INTEGER NOT NULL,
     lease_until INTEGER,
     PRIMARY KEY (kind, name),
     CHECK ((owner IS NULL) = (lease_until IS NULL))
   ) STRICT, WITHOUT ROWID`,
];

/**
 * Version 10: replies go to targets of any channel, in parts; keys of channels are apart; and there are records. No row is
 * written.
 */
const tenthVersion: readonly string[] = [
  'ALTER TABLE messages RENAME COLUMN reply_url TO reply_address',
  "ALTER TABLE messages ADD COLUMN reply_channel TEXT NOT NULL DEFAULT 'webhook'",
  // An object in JSON; null: an empty one.
  'ALTER TABLE messages ADD COLUMN reply_options TEXT',
  'DROP INDEX messages_by_key',
  `CREATE UNIQUE INDEX messages_by_key ON messages (session, channel, idempotency_key)
     WHERE idempotency_key IS NOT NULL`,

  // Parts of a reply that a channel has taken. Part 0 is a preview.
  `CREATE TABLE delivery_parts (
     number  INTEGER PRIMARY KEY,
     message INTEGER NOT NULL REFERENCES messages (number) ON DELETE CASCADE,
     part    INTEGER NOT NULL CHECK (part >= 0),
     receipt TEXT    NOT NULL CHECK (json_valid(receipt)),
     at      INTEGER NOT NULL
   ) STRICT`,
  'CREATE UNIQUE INDEX delivery_parts_by_message ON delivery_parts (message, part)',

  `CREATE TABLE records (
     number     INTEGER PRIMARY KEY,
     kind       TEXT    NOT NULL CHECK (kind <> ''),
     key        TEXT    NOT NULL CHECK (key <> ''),
     value      TEXT    NOT NULL CHECK (json_valid(value)),
     -- An epoch of the counters.
     version    INTEGER NOT NULL,
     changed_at INTEGER NOT NULL,
     expires_at INTEGER
   ) STRICT`,
  'CREATE UNIQUE INDEX records_by_key ON records (kind, key)',
  'CREATE INDEX records_expiring ON records (expires_at) WHERE expires_at IS NOT NULL',
];

/**
 * Version 11: sessions have agents and generations, turns may wait, what agents write is kept as it comes, and
 * messages and replies may have files. No row is written.
 */
const eleventhVersion: readonly string[] = [
  // The agent that was chosen; null: none.
  'ALTER TABLE sessions ADD COLUMN agent TEXT',
  'ALTER TABLE sessions ADD COLUMN generation INTEGER NOT NULL DEFAULT 1',
  // The number of the present generation's first message.
  'ALTER TABLE sessions ADD COLUMN first_seq INTEGER NOT NULL DEFAULT 1',
  'ALTER TABLE messages ADD COLUMN generation INTEGER NOT NULL DEFAULT 1',
  // The reason why its running turn waits; null if it doesn't.
  'ALTER TABLE messages ADD COLUMN waiting_for TEXT',
  // Pieces of a reply that is still written, over all attempts of its turn.
  `CREATE TABLE deltas (
     number   INTEGER PRIMARY KEY,
     message  INTEGER NOT NULL REFERENCES messages (number) ON DELETE CASCADE,
     position INTEGER NOT NULL,
     attempt  INTEGER NOT NULL,
     text     TEXT    NOT NULL
   ) STRICT`,
  'CREATE UNIQUE INDEX deltas_by_message ON deltas (message, position)',
  // JSON; null: there are none.
  'ALTER TABLE message_texts ADD COLUMN attachments TEXT',
  'ALTER TABLE replies ADD COLUMN attachments TEXT',
  // Files. Until its message or the reply of that names it, one has no message.
  `CREATE TABLE blobs (
     number  INTEGER PRIMARY KEY,
     id      TEXT    NOT NULL,
     message INTEGER REFERENCES messages (number) ON DELETE CASCADE,
     at      INTEGER NOT NULL
   ) STRICT`,
  'CREATE UNIQUE INDEX blobs_by_id ON blobs (id)',
  'CREATE INDEX blobs_by_message ON blobs (message) WHERE message IS NOT NULL',
  'CREATE INDEX blobs_free ON blobs (at) WHERE message IS NULL',
  `CREATE TABLE blob_chunks (
     number   INTEGER PRIMARY KEY,
     blob     INTEGER NOT NULL REFERENCES blobs (number) ON DELETE CASCADE,
     position INTEGER NOT NULL,
     data     BLOB    NOT NULL
   ) STRICT`,
  'CREATE UNIQUE INDEX blob_chunks_by_blob ON blob_chunks (blob, position)',
];

/** Version 12: replies say what they took. No row is written. */
const twelfthVersion: readonly string[] = [
  // JSON; null: not known.
  'ALTER TABLE replies ADD COLUMN usage TEXT',
];

export const migrations: readonly Migration[] = [
  { version: 1, statements: firstVersion },
  { version: 2, statements: secondVersion },
  { version: 3, statements: thirdVersion },
  { version: 4, statements: fourthVersion },
  { version: 5, statements: fifthVersion },
  { version: 6, statements: sixthVersion },
  { version: 7, statements: seventhVersion },
  { version: 8, statements: eighthVersion },
  { version: 9, statements: ninthVersion },
  { version: 10, statements: tenthVersion },
  { version: 11, statements: eleventhVersion },
  { version: 12, statements: twelfthVersion },
];

/** The version that this program writes. */
export const schemaVersion = migrations.length;

/**
 * One look at the root and the first leaf of each table and index: a fixed cost that finds a missing or a
 * mangled one (see `checkOutline`).
 */
export const outlineQueries: readonly string[] = [
  'SELECT number FROM counters WHERE number = 1',
  'SELECT * FROM sessions LIMIT 1',
  'SELECT name FROM sessions INDEXED BY sessions_by_name LIMIT 1',
  'SELECT * FROM messages LIMIT 1',
  'SELECT id FROM messages INDEXED BY messages_by_id LIMIT 1',
  'SELECT session, seq FROM messages INDEXED BY messages_by_seq LIMIT 1',
  'SELECT session FROM messages INDEXED BY messages_by_key WHERE idempotency_key IS NOT NULL LIMIT 1',
  "SELECT number FROM messages INDEXED BY messages_dead WHERE state = 'dead' LIMIT 1",
  "SELECT seq FROM messages INDEXED BY messages_queued WHERE state = 'queued' LIMIT 1",
  "SELECT seq FROM messages INDEXED BY messages_retried WHERE retried_at IS NOT NULL AND state = 'queued' LIMIT 1",
  'SELECT number FROM messages INDEXED BY messages_collected WHERE collected_in IS NOT NULL LIMIT 1',
  'SELECT * FROM message_texts LIMIT 1',
  'SELECT * FROM replies LIMIT 1',
  'SELECT * FROM deliveries LIMIT 1',
  "SELECT session, seq FROM deliveries INDEXED BY deliveries_pending WHERE state = 'pending' LIMIT 1",
  'SELECT * FROM runs LIMIT 1',
  'SELECT id FROM runs INDEXED BY runs_by_id LIMIT 1',
  'SELECT * FROM leases LIMIT 1',
  'SELECT * FROM delivery_parts LIMIT 1',
  'SELECT part FROM delivery_parts INDEXED BY delivery_parts_by_message LIMIT 1',
  'SELECT * FROM records LIMIT 1',
  'SELECT * FROM deltas LIMIT 1',
  'SELECT position FROM deltas INDEXED BY deltas_by_message LIMIT 1',
  'SELECT * FROM blobs LIMIT 1',
  'SELECT id FROM blobs INDEXED BY blobs_by_id LIMIT 1',
  'SELECT message FROM blobs INDEXED BY blobs_by_message WHERE message IS NOT NULL LIMIT 1',
  'SELECT at FROM blobs INDEXED BY blobs_free WHERE message IS NULL LIMIT 1',
  'SELECT number FROM blob_chunks LIMIT 1',
  'SELECT position FROM blob_chunks INDEXED BY blob_chunks_by_blob LIMIT 1',
  'SELECT kind FROM records INDEXED BY records_by_key LIMIT 1',
  'SELECT kind FROM records INDEXED BY records_expiring WHERE expires_at IS NOT NULL LIMIT 1',
  'SELECT * FROM heads LIMIT 1',
  'SELECT ready FROM heads INDEXED BY heads_ready WHERE ready IS NOT NULL LIMIT 1',
  'SELECT ready FROM heads INDEXED BY heads_of_sender WHERE sender IS NOT NULL AND ready IS NOT NULL LIMIT 1',
  'SELECT retry_at FROM heads INDEXED BY heads_retry WHERE retry_at IS NOT NULL LIMIT 1',
  'SELECT lease_until FROM heads INDEXED BY heads_lease WHERE lease_until IS NOT NULL LIMIT 1',
];
