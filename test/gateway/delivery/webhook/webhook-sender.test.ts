import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ReplyPart, SendOutcome } from '../../../../src/channels/reply-sender.js';
import {
  createWebhookSecret,
  parseWebhookSecrets,
  webhookParts,
} from '../../../../src/gateway/delivery/webhook/webhook-request.js';
import {
  createWebhookSender,
  type WebhookSenderOptions,
} from '../../../../src/gateway/delivery/webhook/webhook-sender.js';
import type { Delivery } from '../../../../src/store/deliveries.js';
import { webhookTarget } from '../../../../src/store/messages.js';
import { withTurns } from '../../../support/turns.js';
import { type Answer, hang, Receiver, reset, status } from '../receiver.js';

const secret = createWebhookSecret();
const ended: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const end of ended.splice(0)) await end();
});

function sender(options: Partial<WebhookSenderOptions> = {}) {
  const made = createWebhookSender({
    allow: ['127.0.0.0/8', '::1/128'],
    timeout: 10_000,
    secrets: parseWebhookSecrets(secret),
    userAgent: 'sd-gateway/0.0.0',
    ...options,
  });
  ended.push(() => made.close());
  return made;
}

async function receiver(...answers: Answer[]): Promise<Receiver> {
  const made = await Receiver.listen(...answers);
  ended.push(() => made.close());
  return made;
}

/** A server below HTTP. */
async function raw(listener: (server: Server) => void): Promise<string> {
  const server = createServer();
  listener(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ended.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
}

/** The data that has come over a connection, and the time of its end. */
interface Connection {
  readonly bytes: Buffer[];
  readonly end: Promise<void>;
}

/** A server that takes a connection, and says nothing. */
async function silent(): Promise<{ readonly url: string; readonly connection: Promise<Connection> }> {
  let connected: (connection: Connection) => void = () => {};
  const connection = new Promise<Connection>((resolve) => {
    connected = resolve;
  });
  const url = await raw((server) =>
    server.on('connection', (socket) => {
      ended.unshift(async () => socket.destroy());
      const bytes: Buffer[] = [];
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => bytes.push(chunk));
      connected({ bytes, end: new Promise((resolve) => socket.once('close', () => resolve())) });
    }),
  );
  return { url, connection };
}

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));

const delivery = (url: string): Delivery => ({
  messageId: '01890a5d-ac96-774b-bcce-b302099a8057',
  session: 'alice',
  seq: 3,
  target: webhookTarget(url),
  parts: [],
  webhookId: 'msg_01890a5d',
  text: 'hello',
  metadata: { color: 'blue' },
  collected: [],
  notice: null,
  replyText: 'wörld',
  replyMetadata: { model: 'x' },
  repliedAt: Date.parse('2026-01-02T03:04:05.678Z'),
  dueSince: Date.parse('2026-01-02T03:04:05.678Z'),
  attempt: 1,
  idempotent: true,
  unknownPolicy: null,
  owner: 'owner',
  epoch: 1,
});

const part = (of: Delivery) => webhookParts(of)[0] as ReplyPart;

const send = (
  url: string,
  options: Partial<WebhookSenderOptions> = {},
  signal = new AbortController().signal,
) => sender(options).send(part(delivery(url)), signal);

describe('an answer that never ends', () => {
  test.each([
    ['headers', 'HTTP/1.1 200 OK\r\n', 'a: b\r\n', 16 * 1024],
    [
      'chunks of its body',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      '1\r\nx\r\n',
      6 * 64 * 1024,
    ],
  ])('is read a little in each turn of the event loop: %s', async (_what, head, part, size) => {
    const url = await raw((server) =>
      server.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          const parts = part.repeat(10_000);
          const write = () => {
            while (socket.write(parts));
            socket.once('drain', write);
          };
          socket.write(head);
          write();
        });
      }),
    );
    const { result: outcome, turns } = await withTurns(() => send(url));
    expect(outcome).toEqual({ kind: 'delivered', receipt: null });
    expect(turns).toBeGreaterThan(size / 2_048);
  });
});

describe('what is posted', () => {
  test('the reply, signed as Standard Webhooks', async () => {
    const to = await receiver(status(204));
    expect(await send(to.url('/replies?x=1'))).toEqual({ kind: 'delivered', receipt: null });
    const [got] = to.received;
    expect(got?.path).toBe('/replies?x=1');
    expect(got?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'sd-gateway/0.0.0',
      'webhook-id': 'msg_01890a5d',
    });
    expect(new Webhook(secret).verify(got?.body ?? '', got?.headers ?? {})).toEqual({
      type: 'message.replied',
      timestamp: '2026-01-02T03:04:05.678Z',
      data: {
        id: '01890a5d-ac96-774b-bcce-b302099a8057',
        session: 'alice',
        seq: 3,
        metadata: { color: 'blue' },
        reply: { text: 'wörld', metadata: { model: 'x' } },
      },
    });
  });

  test('under one webhook-id and with one body at each attempt, over connections that are kept', async () => {
    const to = await receiver(status(500, {}, 'x'.repeat(1_000)), status(200));
    const by = sender();
    const { signal } = new AbortController();
    expect((await by.send(part(delivery(to.url())), signal)).kind).toBe('retry');
    expect((await by.send(part({ ...delivery(to.url()), attempt: 2 }), signal)).kind).toBe('delivered');
    for (let attempt = 3; attempt < 10; attempt += 1) {
      expect((await by.send(part({ ...delivery(to.url()), attempt }), signal)).kind).toBe('delivered');
    }
    const [first, second] = to.received;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.body).toBe(first?.body);
    expect(await to.connections()).toBeLessThan(4);
  });
});

describe('what the status means', () => {
  test.each([200, 201, 202, 204, 299])('%i: delivered', async (code) => {
    expect(await send((await receiver(status(code))).url())).toEqual({ kind: 'delivered', receipt: null });
  });

  test.each([408, 425, 429, 500, 502, 503, 504, 599])('%i: again', async (code) => {
    expect(await send((await receiver(status(code))).url())).toEqual({
      kind: 'retry',
      reason: `the receiver answered HTTP ${code}`,
      retryAfterMilliseconds: null,
      pausesHost: code === 429 || code === 503,
      isRefusal: false,
      peer: code >= 500 ? 'failing' : 'well',
      // A proxy that says so has passed the request on.
      inDoubt: code === 502 || code === 504,
    });
  });

  test.each([400, 410, 413, 422])('%i: dead', async (code) => {
    expect(await send((await receiver(status(code))).url())).toEqual({
      kind: 'dead',
      reason: `the receiver refuses the reply: HTTP ${code}`,
      peer: 'well',
    });
  });

  test.each([401, 403, 404, 405, 409, 451])('%i: again, for a while', async (code) => {
    expect(await send((await receiver(status(code))).url())).toEqual({
      kind: 'retry',
      reason: `the receiver refuses the reply: HTTP ${code}`,
      retryAfterMilliseconds: null,
      pausesHost: false,
      isRefusal: true,
      peer: 'well',
      inDoubt: false,
    });
  });

  test.each([301, 302, 303, 307, 308])('%i: dead, not followed', async (code) => {
    const elsewhere = await receiver(status(200));
    const outcome = await send((await receiver(status(code, { location: elsewhere.url() }))).url());
    expect(outcome).toMatchObject({
      kind: 'dead',
      reason: expect.stringContaining(`redirects to "${elsewhere.url()}"`),
    });
    expect(elsewhere.received).toEqual([]);
  });

  test("the receiver's Retry-After is passed on, of 429 and 503", async () => {
    const seconds = await send((await receiver(status(429, { 'retry-after': '7' }))).url());
    expect(seconds).toMatchObject({ kind: 'retry', retryAfterMilliseconds: 7_000 });
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    const later = await send((await receiver(status(503, { 'retry-after': date }))).url());
    expect(later.kind === 'retry' && (later.retryAfterMilliseconds ?? 0)).toBeGreaterThan(3_000_000);
  });
});

/** A server that answers each request on a connection with these bytes. */
const answering = (...answers: string[]) =>
  raw((server) =>
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () =>
        socket.write(answers.length > 1 ? (answers.shift() ?? '') : (answers[0] ?? '')),
      );
      ended.unshift(async () => socket.destroy());
    }),
  );

describe('answers before the answer (1xx)', () => {
  const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  const hints = 'HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n';

  test.each([
    ['100', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['102', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ['103', hints],
    ['103 twice', hints + hints],
  ])('%s: the one that follows counts', async (_what, before) => {
    expect(await send(await answering(before + ok))).toEqual({ kind: 'delivered', receipt: null });
    const unavailable = 'HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n';
    expect(await send(await answering(before + unavailable))).toMatchObject({
      kind: 'retry',
      reason: 'the receiver answered HTTP 500',
    });
  });

  test('without end: the attempt ends', async () => {
    const url = await raw((server) =>
      server.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          const write = () => {
            while (socket.write(hints.repeat(100)));
            socket.once('drain', write);
          };
          write();
        });
      }),
    );
    expect(await send(url)).toMatchObject({ kind: 'retry', reason: expect.stringContaining('1xx') });
  });
});

describe('an answer with odd headers is one by its status', () => {
  test.each([
    ['no colon', 'nonsense'],
    ['a space before the colon', 'server : x'],
    ['a control character', 'x: a\u0001b'],
    ['two lengths', 'content-length: 2\r\ncontent-length: 3'],
    ['a length that is none', 'content-length: many'],
    ['much of it', `set-cookie: ${'x'.repeat(40_000)}`],
  ])('%s', async (_what, header) => {
    const answer = (line: string) => `HTTP/1.1 ${line}\r\n${header}\r\n\r\nok`;
    expect(await send(await answering(answer('200 OK')))).toEqual({ kind: 'delivered', receipt: null });
    expect(await send(await answering(answer('503 No')))).toMatchObject({
      kind: 'retry',
      reason: 'the receiver answered HTTP 503',
    });
  });

  test('the status is not that of the answer before', async () => {
    const url = await answering('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', '220 mail ready\r\n');
    const by = sender();
    const { signal } = new AbortController();
    expect(await by.send(part(delivery(url)), signal)).toEqual({ kind: 'delivered', receipt: null });
    expect(await by.send(part(delivery(url)), signal)).toMatchObject({ kind: 'retry', inDoubt: true });
  });
});

describe('answers that are none', () => {
  const again = (outcome: SendOutcome, inDoubt: boolean) => {
    expect(outcome).toMatchObject({ kind: 'retry', peer: 'failing', inDoubt });
    return outcome.kind === 'retry' ? outcome.reason : '';
  };

  test('a reset', async () => {
    expect(again(await send((await receiver(reset)).url()), true)).toMatch(/could not be reached: /);
  });

  test('nobody listens', async () => {
    const gone = await Receiver.listen(hang);
    const url = gone.url();
    await gone.close();
    expect(again(await send(url), false)).toContain('ECONNREFUSED');
  });

  test('a name that does not exist', async () => {
    expect(again(await send('http://name.invalid/'), false)).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  test('silence', async () => {
    expect(again(await send((await receiver(hang)).url(), { timeout: 200 }), true)).toContain(
      'delivery.timeout',
    );
  });

  test('no HTTP', async () => {
    const url = await raw((server) =>
      server.on('connection', (socket) => socket.resume().end('220 mail ready\r\n')),
    );
    expect(again(await send(url), true)).toMatch(/could not be reached/);
  });

  test('a certificate that nobody has vouched for', async () => {
    const server = createTlsServer({ key: fixture('self-signed.key'), cert: fixture('self-signed.crt') });
    let requests = 0;
    server.on('request', (_request, response) => {
      requests += 1;
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ended.push(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const url = `https://localhost:${port}/`;
    expect(again(await send(url), false)).toMatch(/could not be reached: .*self.signed/);
    // Whatever was set for some other program.
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    expect(again(await send(url), false)).toMatch(/self.signed/);
    expect(requests).toBe(0);
  });
});

describe('bodies of answers', () => {
  test('without end: delivered, and the connection is dropped', async () => {
    let written = 0;
    const endless: Answer = (_request, response) => {
      response.writeHead(200);
      response.on('error', () => undefined);
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) written += 65_536;
      };
      response.on('drain', more);
      more();
    };
    const to = await receiver(endless);
    expect(await send(to.url())).toEqual({ kind: 'delivered', receipt: null });
    expect(written).toBeLessThan(64 * 1024 ** 2);
  });

  test('that never come, or break off, change nothing of the status', async () => {
    const stuck: Answer = (_request, response) =>
      response.writeHead(200, { 'content-length': '100' }).write('x');
    expect(await send((await receiver(stuck)).url())).toEqual({ kind: 'delivered', receipt: null });
    const broken: Answer = (request, response) => {
      response.writeHead(410, { 'content-length': '100' }).write('x', () => request.socket.resetAndDestroy());
    };
    expect((await send((await receiver(broken)).url())).kind).toBe('dead');
  });
});

test('an idle connection is not kept for as long as its receiver likes', async () => {
  const closed: Promise<unknown>[] = [];
  // Node.js tells the sender of its patience (Keep-Alive: timeout=600).
  const patient = createHttpServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    closed.push(once(request.socket, 'close'));
    response.end();
  });
  await once(patient.listen(0, '127.0.0.1'), 'listening');
  ended.push(async () => patient.close());
  const address = patient.address();
  const port = typeof address === 'object' ? address?.port : 0;
  expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ kind: 'delivered', receipt: null });
  const began = performance.now();
  await closed[0];
  expect(performance.now() - began).toBeLessThan(10_000);
});

test('no more idle connections are kept than there may be, however many receivers there are', async () => {
  const by = sender({ mostKeptConnections: 2 });
  const receivers = await Promise.all(Array.from({ length: 5 }, () => receiver(status(204))));
  for (const to of receivers) {
    expect(await by.send(part(delivery(to.url())), new AbortController().signal)).toEqual({
      kind: 'delivered',
      receipt: null,
    });
  }
  await vi.waitFor(async () => {
    const open = await Promise.all(receivers.map((to) => to.connections()));
    expect(open).toEqual([1, 1, 0, 0, 0]);
  });
});

test('while all connections that may be kept are open to a receiver, its next posts go over them', async () => {
  const by = sender({ mostKeptConnections: 2 });
  let accepted = 0;
  const server = createHttpServer((_request, response) => setImmediate(() => response.end()));
  server.on('connection', () => {
    accepted += 1;
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  ended.push(async () => server.close());
  const { port } = server.address() as AddressInfo;
  const post = () => by.send(part(delivery(`http://127.0.0.1:${port}/`)), new AbortController().signal);
  for (let round = 0; round < 10; round += 1) {
    expect(await Promise.all([post(), post()])).toEqual(Array(2).fill({ kind: 'delivered', receipt: null }));
  }
  expect(accepted).toBe(2);
});

describe('targets', () => {
  test.each([
    ['an address', (port: number) => `http://127.0.0.1:${port}/`],
    ['an address in disguise', (port: number) => `http://[::ffff:7f00:1]:${port}/`],
    ['a name for it', (port: number) => `http://localhost:${port}/`],
  ])('loopback by %s is refused unless it is allowed', async (_name, url) => {
    const to = await receiver(status(200));
    const outcome = await send(url(to.port), { allow: [] });
    // Only an address in the URL itself can't change.
    expect(outcome).toMatchObject({
      kind: 'dead',
      reason: expect.stringMatching(/loopback.*delivery\.allow/),
    });
    expect(to.received).toEqual([]);
    expect((await send(url(to.port))).kind).toBe('delivered');
  });

  test('a URL that is none, or carries a password, is dead', async () => {
    expect((await send('nonsense')).kind).toBe('dead');
    expect((await send('http://user:password@127.0.0.1/')).kind).toBe('dead');
  });
});

describe('aborting', () => {
  test('ends what is under way, and says so', async () => {
    const to = await receiver(hang);
    const controller = new AbortController();
    const outcome = send(to.url(), {}, controller.signal);
    await to.arrived(1);
    controller.abort();
    expect(await outcome).toEqual({ kind: 'aborted', inDoubt: true });
  });

  test('does not wait for a TLS handshake that nobody answers', async () => {
    const { url, connection } = await silent();
    const controller = new AbortController();
    const outcome = send(url.replace('http:', 'https:'), { timeout: 600_000 }, controller.signal);
    await connection;
    controller.abort();
    expect(await outcome).toEqual({ kind: 'aborted', inDoubt: false });
  });

  test('has nothing sent on a connection that comes later', async () => {
    const { url, connection } = await silent();
    const controller = new AbortController();
    const outcome = send(url, {}, controller.signal);
    controller.abort();
    expect(await outcome).toEqual({ kind: 'aborted', inDoubt: false });
    const { bytes, end } = await connection;
    await end;
    expect(bytes).toEqual([]);
  });

  test('before: nothing is sent', async () => {
    const to = await receiver(status(200));
    expect(await send(to.url(), {}, AbortSignal.abort())).toEqual({ kind: 'aborted', inDoubt: false });
    expect(to.received).toEqual([]);
  });
});
