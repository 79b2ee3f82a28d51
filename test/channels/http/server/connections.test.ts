import type { ServerResponse } from 'node:http';
import { Server } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Servers, type ServersOptions } from '../../../../src/channels/http/server/servers.js';
import { nothingKept } from '../../../../src/channels/http/server/socket-keeper.js';
import { messageIds } from '../../../../src/log/fields.js';
import { rawConnection, serve, token } from '../http-fixture.js';

const opened: Servers[] = [];
afterEach(async () => {
  for (const servers of opened.splice(0)) await servers.close(0);
});

/** The caller of /token and of /held has shown the token. The test says when /held is answered. */
async function bounded(options: Partial<ServersOptions> = {}) {
  const held: ServerResponse[] = [];
  const records: (readonly [text: string, id: unknown])[] = [];
  const note = (text: string, fields: Readonly<Record<string, unknown>> = {}) =>
    void records.push([text, fields['MESSAGE_ID']]);
  const changed = vi.fn();
  const servers = new Servers({
    handle: (request, response) => {
      const admitted = request.url === '/open' || servers.connections.admit(request.socket);
      if (!admitted) response.writeHead(503).end();
      else if (request.url === '/held') {
        response.write('held');
        held.push(response);
      } else response.end(`answer to ${request.url}`);
    },
    sockets: nothingKept,
    log: { warning: note, notice: note },
    bounds: () => ({ total: 6, withoutToken: 2 }),
    changed,
    graceMs: 60_000,
    calmMs: 60_000,
    ...options,
  });
  opened.push(servers);
  const listened = vi.spyOn(Server.prototype, 'listen');
  const base = await servers.bind({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const server = listened.mock.contexts.at(-1) as Server;
  listened.mockRestore();
  const connect = async (path: string, awaited = `answer to ${path}`) => {
    const connection = await rawConnection(base);
    let closed = false;
    void connection.ended.then(() => {
      closed = true;
    });
    const ask = async (again = path, answer = awaited) => {
      connection.write(`GET ${again} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await connection.until(answer);
    };
    await ask();
    return { ...connection, ask, closed: () => closed };
  };
  return { servers, server, held, records, changed, base, connect, facts: () => servers.connections.facts() };
}

async function several<Value>(count: number, make: () => Promise<Value>): Promise<Value[]> {
  const made: Value[] = [];
  for (let index = 0; index < count; index++) made.push(await make());
  return made;
}

describe('connections without a token', () => {
  test('that rest are closed for new ones, the oldest first', async () => {
    const { connect, facts } = await bounded();
    const silent = await several(6, () => connect('/open'));
    await connect('/open');
    await silent[0]?.ended;
    await connect('/open');
    await silent[1]?.ended;
    expect(silent.map(({ closed }) => closed())).toEqual([true, true, false, false, false, false]);
    expect(facts()).toMatchObject({ open: 6, withoutToken: 6, reached: true });
    // The connection that was heard of last is the last to go.
    await silent[2]?.ask();
    await connect('/open');
    await silent[3]?.ended;
    expect(silent[2]?.closed()).toBe(false);
  });

  test('are closed though they have begun a request, as they would stay for ever', async () => {
    const { connect, base } = await bounded();
    const slow = await several(6, () => rawConnection(base));
    for (const connection of slow) connection.write('GET /open HTTP/1.1\r\nHost:');
    await connect('/open');
    await slow[0]?.ended;
  });

  test('beyond their share are closed once they have rested for a moment', async () => {
    const { connect, facts } = await bounded({ graceMs: 100 });
    const silent = await several(5, () => connect('/open'));
    expect(silent.map(({ closed }) => closed())).toEqual([false, false, false, false, false]);
    await Promise.all(silent.slice(0, 3).map(({ ended }) => ended));
    expect(facts()).toMatchObject({ open: 2, withoutToken: 2, bound: 6, withoutTokenBound: 2 });
    expect(silent[3]?.closed()).toBe(false);
  });

  test('close none of those with one, whether these rest or not', async () => {
    const { connect, facts } = await bounded({ graceMs: 50 });
    const callers = [...(await several(3, () => connect('/token'))), await connect('/held', 'held')];
    await several(20, () => connect('/open'));
    expect(callers.map(({ closed }) => closed())).toEqual([false, false, false, false]);
    expect(facts()).toMatchObject({ withoutToken: 2, open: 6 });
    for (const caller of callers.slice(0, 3)) await caller.ask('/token?again', 'again');
  });
});

describe('connections with a token', () => {
  test('that rest are closed for new ones with a token, the oldest first', async () => {
    const { connect } = await bounded();
    const callers = await several(4, () => connect('/token'));
    await callers[0]?.ask();
    await connect('/token');
    await callers[1]?.ended;
    expect(callers.map(({ closed }) => closed())).toEqual([false, true, false, false]);
  });

  test('are refused where all others are busy, and whoever has none is still answered', async () => {
    const { connect, held, facts } = await bounded();
    const busy = await several(4, () => connect('/held', 'held'));
    await connect('/token', 'HTTP/1.1 503');
    await connect('/open');
    expect(busy.map(({ closed }) => closed())).toEqual([false, false, false, false]);
    expect(facts().reached).toBe(true);
    held[0]?.end('at last');
    await busy[0]?.until('at last');
    await connect('/token');
    await busy[0]?.ended;
  });

  test('are kept while a further request is under way', async () => {
    const { connect } = await bounded();
    const callers = await several(4, () => connect('/token'));
    callers[0]?.write('GET /open?whole HTTP/1.1\r\nHost: x\r\nX:');
    // Its bytes have come once another connection's later request was answered.
    await connect('/open');
    await connect('/token');
    await callers[1]?.ended;
    callers[0]?.write(' y\r\n\r\n');
    await callers[0]?.until('whole');
  });
});

test('that the bound is reached is told when it begins and when it is over', async () => {
  const { connect, records, changed, facts } = await bounded({ calmMs: 100 });
  const silent = await several(20, () => connect('/open'));
  expect(records).toEqual([[expect.stringContaining('6, and 2 of'), messageIds.connectionsBounded]]);
  expect(changed).toHaveBeenCalledTimes(1);
  // Nothing is closed any more, but as many are there as there may be.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(facts().reached).toBe(true);
  for (const connection of silent) connection.end();
  await vi.waitFor(() => expect(records).toHaveLength(2), 5_000);
  expect(records[1]).toEqual([expect.stringContaining('14 that rested'), messageIds.connectionsTaken]);
  expect(changed).toHaveBeenCalledTimes(2);
  expect(facts()).toEqual({ open: 0, bound: 6, withoutToken: 0, withoutTokenBound: 2, reached: false });
});

test('a connection that can’t be taken is no reason to end, and makes room for the next', async () => {
  const { server, connect, records } = await bounded();
  const silent = await connect('/open');
  server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  await silent.ended;
  expect(records.map(([text]) => text)).toContainEqual(expect.stringContaining('accept EMFILE'));
  server.emit('error', new Error('accept ENOBUFS'));
  await connect('/open');
  // Connections with the token go only if there is no other.
  const caller = await connect('/token');
  server.emit('error', new Error('accept EMFILE'));
  await caller.ask();
  server.emit('error', new Error('accept EMFILE'));
  await caller.ended;
});

test('a caller with the token is told to come again when all connections are busy, and others are answered', async () => {
  const served = await serve({ channel: { bounds: () => ({ total: 4, withoutToken: 2 }) } });
  const accepted = (await (await served.post('chat', { text: 'hello' })).json()) as { readonly id: string };
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const busy = await several(2, () => rawConnection(served.base));
  for (const connection of busy) connection.write(get(`/v1/messages/${accepted.id}?wait=60`));
  await vi.waitFor(() => expect(served.channel.facts().waiting).toBe(2));
  const third = await rawConnection(served.base);
  third.write(get('/v1/sessions'));
  const answer = await third.ended;
  expect(answer).toMatch(/^HTTP\/1.1 503 /);
  expect(answer).toMatch(/\r\nretry-after: \d+\r\n/i);
  expect(answer).toContain('urn:sd-gateway:problem:too-many-connections');
  const other = await rawConnection(served.base);
  other.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await other.until('healthy');
  await served.reply('done');
  expect(await Promise.all(busy.map((connection) => connection.until('done')))).toHaveLength(2);
  await served.dispose();
});
