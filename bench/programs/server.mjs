// The gateway's peers behind one HTTP server each:   node server.mjs KIND PORT CONNECTION WORK
// KIND: none (the limit), sqlite, pg-boss, graphile-worker, bullmq. CONNECTION: the database's directory or port.
// A 202 says that the message is durable; with WORK each job is an echo whose reply goes to reply_to.url, signed.

import { fastify } from 'fastify';
import { Webhook } from 'standardwebhooks';
import { Agent, request } from 'undici';
import { v7 } from 'uuid';

const [kind, port, connection, work] = process.argv.slice(2);
const concurrency = 64;
const secret = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';
const webhook = new Webhook(secret);
const agent = new Agent({ connections: concurrency, pipelining: 1 });

/** One job: an echo, posted as Standard Webhooks have it. */
async function perform({ id, session, text, url }) {
  const body = JSON.stringify({ type: 'message.replied', data: { id, session, reply: { text } } });
  const webhookId = `msg_${id}`;
  const at = new Date();
  const answer = await request(url, {
    dispatcher: agent,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': webhookId,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': webhook.sign(webhookId, at, body),
    },
    body,
  });
  await answer.body.dump();
  if (answer.statusCode >= 300) throw new Error(`The receiver answered ${answer.statusCode}`);
}

async function openSqlite() {
  const { default: Database } = await import('../../test/support/sqlite.mjs');
  const database = new Database(`${connection}/peer.db`);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(
    'CREATE TABLE message (id TEXT PRIMARY KEY, session TEXT NOT NULL, text TEXT NOT NULL, accepted_at INTEGER NOT NULL) STRICT',
  );
  const insert = database.prepare('INSERT INTO message VALUES (?, ?, ?, ?)');
  const rows = database.prepare('SELECT count(*) FROM message').pluck();
  return {
    add: ({ id, session, text }) => insert.run(id, session, text, Date.now()),
    count: () => rows.get(),
  };
}

async function openPgBoss() {
  const { PgBoss } = await import('pg-boss');
  const boss = new PgBoss({ connectionString: connection, max: concurrency, useListenNotify: true });
  boss.on('error', (error) => process.stderr.write(`${error.stack}\n`));
  await boss.start();
  await boss.createQueue('messages', { notify: true });
  if (work === 'work') {
    // Woken by the database, and with its shortest pause between two looks at the queue.
    const options = {
      localConcurrency: 8,
      batchSize: 8,
      burstWhenBatchFull: true,
      pollingIntervalSeconds: 0.5,
      notifyPollingIntervalSeconds: 0.5,
    };
    await boss.work('messages', options, (jobs) => Promise.all(jobs.map(({ data }) => perform(data))));
  }
  return {
    add: (job) => boss.send('messages', job),
    count: () => countRows('pgboss.job', "name = 'messages'"),
  };
}

async function countRows(table, where) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: connection });
  await client.connect();
  const { rows } = await client.query(`SELECT count(*)::int AS count FROM ${table} WHERE ${where}`);
  await client.end();
  return rows[0].count;
}

async function openGraphileWorker() {
  const { makeWorkerUtils, run, Logger } = await import('graphile-worker');
  const logger = new Logger(() => () => undefined);
  const utils = await makeWorkerUtils({ connectionString: connection, maxPoolSize: concurrency, logger });
  await utils.migrate();
  if (work === 'work') {
    await run({
      connectionString: connection,
      maxPoolSize: concurrency,
      concurrency,
      noHandleSignals: true,
      logger,
      taskList: { message: (job) => perform(job) },
    });
  }
  return {
    add: (job) => utils.addJob('message', job),
    count: () => countRows('graphile_worker._private_jobs', 'true'),
  };
}

async function openBullMq() {
  const { Queue, Worker } = await import('bullmq');
  const redis = { host: '127.0.0.1', port: Number(connection), maxRetriesPerRequest: null };
  const queue = new Queue('messages', { connection: redis });
  if (work === 'work') {
    new Worker('messages', ({ data }) => perform(data), { connection: redis, concurrency });
  }
  const states = ['waiting', 'active', 'completed', 'failed'];
  const count = async () => Object.values(await queue.getJobCounts(...states)).reduce((a, b) => a + b, 0);
  return { add: (job) => queue.add('message', job), count };
}

const openers = {
  none: () => ({ add: () => undefined, count: () => -1 }),
  sqlite: openSqlite,
  'pg-boss': openPgBoss,
  'graphile-worker': openGraphileWorker,
  bullmq: openBullMq,
};

const queue = await openers[kind]();
const server = fastify();
server.post('/v1/sessions/:session/messages', async (asked, reply) => {
  const { session } = asked.params;
  const { text, reply_to: replyTo } = asked.body;
  const id = v7();
  await queue.add({ id, session, text, url: replyTo?.url });
  reply.code(202).header('location', `/v1/messages/${id}`);
  return { id, session, seq: 1, state: 'queued' };
});
server.get('/count', async () => ({ count: await queue.count() }));
await server.listen({ host: '127.0.0.1', port: Number(port) });
process.stdout.write('ready\n');
