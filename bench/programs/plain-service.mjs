// A service as it is usually written with the same packages: fastify and SQLite, loaded as they are, and one send.

import { createRequire } from 'node:module';
import { fastify } from 'fastify';
import Database from '../../test/support/sqlite.mjs';

const addon = createRequire(import.meta.url)('../../build/Release/sd_gateway.node');

const database = new Database(`${process.env.STATE_DIRECTORY}/plain.db`);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
database.exec('CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT');
const insert = database.prepare('INSERT INTO message (text) VALUES (?)');

const server = fastify();
server.post('/v1/sessions/:session/messages', async (request, reply) => {
  const { lastInsertRowid } = insert.run(request.body.text);
  reply.code(202);
  return { id: String(lastInsertRowid), session: request.params.session, state: 'queued' };
});
process.once('SIGTERM', async () => {
  await server.close();
  database.close();
  process.exit(0);
});
await server.listen({ host: '127.0.0.1', port: 8744 });
if (addon.sd_notify('READY=1', '') !== 1) throw new Error('READY=1 was not sent');
