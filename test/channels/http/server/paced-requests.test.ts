import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Servers } from '../../../../src/channels/http/server/servers.js';
import { nothingKept } from '../../../../src/channels/http/server/socket-keeper.js';
import { propertyRuns } from '../../../support/properties.js';
import { rawConnection } from '../http-fixture.js';

const opened: Servers[] = [];
afterEach(async () => {
  for (const servers of opened.splice(0)) await servers.close(0);
});

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const nothingToTell = (message: string) => expect.unreachable(message);
  const servers = new Servers({
    handle,
    sockets: nothingKept,
    log: { warning: nothingToTell, notice: nothingToTell },
    bounds: () => ({ total: 200, withoutToken: 200 }),
    changed: () => undefined,
  });
  opened.push(servers);
  return await servers.bind({ kind: 'tcp', host: '127.0.0.1', port: 0 });
}

/** A client that reads nothing until it is told to. */
async function deafClient(base: string) {
  const { hostname, port } = new URL(base);
  const client = connect({ host: hostname, port: Number(port) });
  client.on('error', () => undefined);
  await once(client, 'connect');
  return client;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** Reads the body and gives it back; a handler that answers in a later turn of the loop. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    setImmediate(() => response.end(`<${request.url} ${Buffer.concat(chunks).toString('latin1')}>`));
  });
}

/** Counts the turns of the event loop until it is stopped. */
function countTurns() {
  const counter = { turn: 0, stop: () => clearImmediate(next) };
  const count = () => {
    counter.turn += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  return counter;
}

function note(counts: Map<number, number>, turn: number): void {
  counts.set(turn, (counts.get(turn) ?? 0) + 1);
}

/** Resolves once the loop has turned so often without `changing` giving another number. */
async function settled(changing: () => number, turns = 200): Promise<void> {
  let last = Number.NaN;
  for (let still = 0; still < turns; still++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (changing() !== last) still = 0;
    last = changing();
  }
}

describe('of requests that were sent in one go', () => {
  test('each is begun when the one before it has been answered', async () => {
    const begun: string[] = [];
    const answers: ServerResponse[] = [];
    const base = await serve((request, response) => {
      begun.push(request.url ?? '');
      answers.push(response);
    });
    const connection = await rawConnection(base);
    connection.write(get('/1') + get('/2') + get('/3'));
    await expect.poll(() => begun).toEqual(['/1']);
    await settled(() => begun.length);
    expect(begun).toEqual(['/1']);
    answers[0]?.end('one');
    await connection.until('one');
    await expect.poll(() => begun).toEqual(['/1', '/2']);
    answers[1]?.end('two');
    await connection.until('two');
    await expect.poll(() => begun).toEqual(['/1', '/2', '/3']);
    answers[2]?.end('three');
    expect((await connection.until('three')).match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  });

  test('none is begun while the answer before it waits for its client', async () => {
    const begun: string[] = [];
    const base = await serve((request, response) => {
      begun.push(request.url ?? '');
      // The kernel has no room for it.
      response.end(request.url === '/huge' ? Buffer.alloc(32 * 1024 ** 2) : 'small');
    });
    const client = await deafClient(base);
    client.write(get('/huge') + get('/small'));
    await expect.poll(() => begun).toEqual(['/huge']);
    await settled(() => begun.length);
    expect(begun).toEqual(['/huge']);
    let tail = '';
    client.on('data', (chunk: Buffer) => {
      tail = `${tail}${chunk.subarray(-1_000).toString('latin1')}`.slice(-1_000);
    });
    await expect.poll(() => tail, { timeout: 10_000 }).toMatch(/small$/);
    expect(begun).toEqual(['/huge', '/small']);
    client.destroy();
  });

  test('each has a turn of the event loop, so that others have theirs', async () => {
    const counter = countTurns();
    const turns: number[] = [];
    const base = await serve((request, response) => {
      turns.push(counter.turn);
      response.end(request.url);
    });
    const connection = await rawConnection(base);
    connection.write(`${get('/x').repeat(100)}${get('/last')}`);
    await connection.until('/last');
    counter.stop();
    expect(turns).toHaveLength(101);
    expect(new Set(turns).size).toBe(turns.length);
  });

  test('those of many connections are begun a few in each turn of the event loop', async () => {
    const counter = countTurns();
    const begunInTurn = new Map<number, number>();
    const base = await serve((request, response) => {
      if (request.url === '/later') note(begunInTurn, counter.turn);
      response.end(request.url);
    });
    const connections = await Promise.all(Array.from({ length: 100 }, () => rawConnection(base)));
    for (const connection of connections)
      connection.write(`${get('/')}${get('/later').repeat(9)}${get('/last')}`);
    await Promise.all(connections.map((connection) => connection.until('/last')));
    counter.stop();
    const counts = [...begunInTurn.values()];
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(900);
    expect(Math.max(...counts)).toBeLessThanOrEqual(8);
    for (const connection of connections) connection.end();
  });

  test('no more than a few reads are held, however many come and however few answers are read', async () => {
    let begun = 0;
    let owed = 0;
    let mostOwed = 0;
    let mostHeld = 0;
    const base = await serve(({ socket }, response) => {
      begun += 1;
      owed += 1;
      mostOwed = Math.max(mostOwed, owed);
      mostHeld = Math.max(mostHeld, socket.readableLength + socket.writableLength);
      response.once('close', () => {
        owed -= 1;
      });
      response.end('x'.repeat(100_000));
    });
    const client = await deafClient(base);
    const flood = Buffer.from(get('/x').repeat(2_000));
    const send = () => {
      while (client.write(flood));
      client.once('drain', send);
    };
    send();
    await expect.poll(() => begun).toBeGreaterThan(10);
    // The kernel's buffers are full in both directions.
    await settled(() => begun);
    expect(mostOwed).toBe(1);
    expect(mostHeld).toBeLessThanOrEqual(4 * 65_536);
    client.destroy();
  });

  test('a malformed one is told so once those before it have been answered', async () => {
    const base = await serve(echo);
    const connection = await rawConnection(base);
    connection.write(`${get('/1')}${get('/2')}no request\r\n\r\n${get('/3')}`);
    const answers = (await connection.ended).split(/(?=HTTP\/1\.1 )/);
    expect(answers).toHaveLength(3);
    expect(answers[0]).toMatch(/ 200 [\s\S]*<\/1 >$/);
    expect(answers[1]).toMatch(/ 200 [\s\S]*<\/2 >$/);
    expect(answers[2]).toMatch(/ 400 [\s\S]*malformed-request/);
  });

  test('none is begun behind an answer that was the last of its connection', async () => {
    const begun: string[] = [];
    const base = await serve((request, response) => {
      begun.push(request.url ?? '');
      response.setHeader('Connection', 'close').end('bye');
    });
    const connection = await rawConnection(base);
    connection.write(get('/1') + get('/2'));
    expect((await connection.ended).match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(begun).toEqual(['/1']);
  });
});

/** A request, and the body that it has. */
const aRequest = fc.oneof(
  fc.constant({ head: 'GET', body: '', bytes: '' }),
  fc.string({ unit: fc.constantFrom('\r', '\n', '0', 'x'), maxLength: 40 }).map((body) => ({
    head: 'POST',
    body,
    bytes: `Content-Length: ${body.length}\r\n\r\n${body}`,
  })),
  fc
    .tuple(
      fc.array(fc.string({ unit: fc.constantFrom('\r', '\n', '0', 'x'), minLength: 1, maxLength: 20 }), {
        maxLength: 5,
      }),
      fc.constantFrom('', 'T: trailer\r\n'),
    )
    .map(([chunks, trailer]) => ({
      head: 'PUT',
      body: chunks.join(''),
      bytes: `Transfer-Encoding: chunked\r\n\r\n${chunks
        .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
        .join('')}0\r\n${trailer}\r\n`,
    })),
);

test('however requests come in pieces, each is answered with its own body, in their order', async () => {
  let owed = 0;
  let mostOwed = 0;
  const base = await serve((request, response) => {
    owed += 1;
    mostOwed = Math.max(mostOwed, owed);
    response.once('close', () => {
      owed -= 1;
    });
    echo(request, response);
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(aRequest, { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 30 }),
      async (requests, sizes) => {
        const text = requests
          .map(({ head, bytes }, index) => `${head} /${index} HTTP/1.1\r\nHost: x\r\n${bytes || '\r\n'}`)
          .join('');
        const connection = await rawConnection(base);
        for (let start = 0, piece = 0; start < text.length; piece++) {
          const size = sizes[piece % sizes.length] ?? 1;
          connection.write(text.slice(start, start + size));
          start += size;
          // Else the kernel would put the pieces together.
          await new Promise((resolve) => setImmediate(resolve));
        }
        const last = `</${requests.length - 1} ${requests.at(-1)?.body}>`;
        const received = await connection.until(last);
        connection.end();
        const bodies = received.split(/HTTP\/1\.1 200 OK\r\n[\s\S]*?\r\n\r\n/).slice(1);
        expect(bodies).toEqual(requests.map(({ body }, index) => `</${index} ${body}>`));
      },
    ),
    { numRuns: propertyRuns(20) },
  );
  expect(mostOwed).toBe(1);
});

describe('a body', () => {
  test('that nobody reads is left to the kernel', async () => {
    let read = () => 0;
    const base = await serve(({ socket }) => {
      read = () => socket.bytesRead;
    });
    const client = await deafClient(base);
    const size = 64 * 1024 ** 2;
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
    client.write(Buffer.alloc(size));
    await expect.poll(() => read()).toBeGreaterThan(0);
    await settled(() => read());
    expect(read()).toBeLessThan(1024 ** 2);
    client.destroy();
  });

  test('of the smallest chunks takes a bounded part of a turn of the event loop', async () => {
    const counter = countTurns();
    const chunksOfTurn = new Map<number, number>();
    const base = await serve((request, response) => {
      request.on('data', () => note(chunksOfTurn, counter.turn));
      request.on('end', () => response.end('taken'));
    });
    const chunks = 100_000;
    const connection = await rawConnection(base);
    connection.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    connection.write(`${'1\r\nx\r\n'.repeat(chunks)}0\r\n\r\n`);
    await connection.until('taken');
    counter.stop();
    const counts = [...chunksOfTurn.values()];
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(chunks);
    // Two pieces of 2 KiB as they come and, in the same turn, as the loop goes on.
    expect(Math.max(...counts)).toBeLessThanOrEqual(1_400);
  });
});

// Node.js shows 1,000 headers by default, and reads the body by those that it doesn't show.
test('a body whose length stands behind thousands of headers is read', async () => {
  const client = await rawConnection(await serve(echo));
  const many = Array.from({ length: 3_000 }, (_, index) => `${(index % 36).toString(36)}:\r\n`).join('');
  client.write(`POST /many HTTP/1.1\r\nHost: x\r\n${many}Content-Length: 4\r\n\r\nbody`);
  expect(await client.until('>')).toContain('</many body>');
  client.end();
});

test('a second Host header behind thousands of others is seen', async () => {
  const client = await rawConnection(await serve(echo));
  client.write(`GET / HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(3_000)}Host: y\r\n\r\n`);
  expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
  client.end();
});
