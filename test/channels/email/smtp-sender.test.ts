import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SmtpSender } from '../../../src/channels/email/smtp-sender.js';
import { readMailServer } from '../../../src/config/mail-server.js';
import { systemClock } from '../../../src/lifecycle/effects/clock.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import { MailServer } from './smtp-server.js';

let server: MailServer;
let port: number;

function sender(
  keys: { readonly url?: string; readonly retryForMs?: number; readonly limit?: number } = {},
): SmtpSender {
  const { url = `smtp://agent@127.0.0.1:${port}`, retryForMs = 60_000, limit = 100_000 } = keys;
  return new SmtpSender({
    context: {
      name: 'mail',
      clock: systemClock,
      openFile: async ({ id }) => (id === 'gone' ? null : contentOf(id)),
    },
    own: { address: 'agent@example.net', domain: 'example.net', displayName: 'Agent, "A"' },
    client: {
      server: readMailServer(url),
      password: 's3cret',
      ca: null,
      timeoutMs: 5_000,
      ownDomain: 'example.net',
    },
    messageLimitBytes: limit,
    retryForMs,
  });
}

async function* contentOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

const delivery = (changes: Partial<Delivery> = {}): Delivery => ({
  messageId: 'm',
  session: 'mail:x',
  seq: 1,
  target: {
    channel: 'mail',
    address: 'ada@example.org',
    options: { conversation: 'c'.repeat(32), references: ['<1@x>', '<2@x>'], subject: 'Re: Hello' },
  },
  parts: [],
  webhookId: 'msg_1',
  text: '',
  metadata: {},
  collected: [],
  notice: null,
  replyText: 'Good morning.\n.\nBye',
  replyMetadata: {},
  repliedAt: 1_700_000_000_000,
  dueSince: Date.now(),
  attempt: 1,
  idempotent: false,
  unknownPolicy: 'resend',
  owner: 'o',
  epoch: 1,
  ...changes,
});

async function send(changes: Partial<Delivery> = {}, keys = {}, signal = new AbortController().signal) {
  const by = sender(keys);
  const [part] = by.partsOf(delivery(changes));
  if (part === undefined) throw new Error('There is no part.');
  return by.send(part, signal);
}

const file = (id: string, name: string, sizeBytes = id.length) => ({
  id,
  name,
  sizeBytes,
  mediaType: 'text/x-a',
  sha256: '',
});

beforeEach(async () => {
  server = new MailServer();
  port = await server.listen();
});
afterEach(() => server.close());

describe('a reply', () => {
  it('is an answer in the thread, the same at each attempt', async () => {
    expect(await send()).toEqual({ kind: 'delivered', receipt: '250 2.0.0 queued as 1' });
    await send({ attempt: 2 });
    const [first = '', second] = server.mails;
    expect(second).toBe(first);
    expect(first).toContain('\r\nTo: ada@example.org\r\n');
    expect(first).toContain('From: "Agent, \\"A\\"" <agent@example.net>\r\n');
    expect(first).toContain(`\r\nMessage-ID: <msg_1.${'c'.repeat(32)}@example.net>\r\n`);
    expect(first).toContain('\r\nIn-Reply-To: <2@x>\r\nReferences: <1@x> <2@x>\r\nSubject: Re: Hello\r\n');
    expect(first).toContain('Auto-Submitted: auto-replied\r\n');
    expect(first).toMatch(/\r\n\r\nGood morning\.\r\n\.\.\r\nBye\r\n$/);
    expect(server.received).toContain('MAIL FROM:<agent@example.net>');
    expect(server.received).toContain('RCPT TO:<ada@example.org>');
  });

  it('is the first mail of a thread, if it answers none', async () => {
    await send({ target: { channel: 'mail', address: 'ada@example.org', options: {} } });
    expect(server.mails[0]).toContain('\r\nSubject: Message\r\n');
    expect(server.mails[0]).toContain('Auto-Submitted: auto-generated\r\n');
    expect(server.mails[0]).not.toContain('In-Reply-To');
  });

  it('has its files, and names those that it can’t have', async () => {
    const replyAttachments = [file('content', 'a.txt'), file('x', 'b.bin', 90_000), file('gone', 'c.txt')];
    await send({ replyAttachments });
    const [mail = ''] = server.mails;
    expect(mail).toContain(Buffer.from('content').toString('base64'));
    expect(mail).toContain('[b.bin (90000 bytes) is too large for a mail.]');
    expect(mail).toContain('[c.txt is no longer there.]');
  });

  it('is sent to nobody but a plain address', async () => {
    for (const address of ['ada', 'ada@example.org\r\nRCPT TO:<eve@x.y>', 'a@b.c,d@e.f', '']) {
      const target = { channel: 'mail', address, options: {} };
      expect(await send({ target })).toMatchObject({
        kind: 'dead',
        reason: expect.stringContaining('no address'),
      });
    }
    expect(server.received).toEqual([]);
  });

  it('keeps its subject in one field', async () => {
    const options = {
      subject: 'a\r\nBcc: eve@evil.example\r\n\r\nbody',
      references: ['<1@x>\r\nBcc: eve@evil.example'],
    };
    await send({ target: { channel: 'mail', address: 'ada@example.org', options } });
    expect(server.mails[0]?.split('\r\n\r\n')[0]).not.toMatch(/^Bcc:/im);
  });
});

describe('the end of an attempt', () => {
  it.each([
    ['RCPT', '450 4.2.0 greylisted', { kind: 'retry', peer: 'well', inDoubt: false }],
    ['RCPT', '550 5.1.1 unknown', { kind: 'dead', peer: 'well' }],
    ['MAIL', '553 5.7.1 not yours', { kind: 'dead', peer: 'well' }],
    ['DATA', '451 4.3.0 later', { kind: 'retry', peer: 'well', inDoubt: false }],
    ['.', '452 4.3.1 full', { kind: 'retry', peer: 'well', inDoubt: false }],
    ['.', '554 5.7.1 spam', { kind: 'dead', peer: 'well' }],
    ['.', '421 4.3.2 stopping', { kind: 'retry', peer: 'failing', inDoubt: false }],
    ['.', null, { kind: 'retry', peer: 'failing', inDoubt: true }],
    ['DATA', null, { kind: 'retry', peer: 'failing', inDoubt: false }],
    ['RCPT', null, { kind: 'retry', peer: 'failing', inDoubt: false }],
    ['AUTH', '535 5.7.8 no', { kind: 'retry', peer: 'failing', inDoubt: false }],
    ['greeting', '554 5.3.2 go away', { kind: 'retry', peer: 'failing', inDoubt: false }],
    ['greeting', null, { kind: 'retry', peer: 'failing', inDoubt: false }],
  ] as const)('%s: %s', async (command, answer, outcome) => {
    server.answers = { [command]: answer };
    const end = await send();
    expect(end).toMatchObject(outcome);
    if (answer !== null) expect(end).toMatchObject({ reason: expect.stringContaining(answer.slice(0, 9)) });
    expect(JSON.stringify(end)).not.toContain('s3cret');
  });

  it('is final after a while', async () => {
    server.answers = { RCPT: '450 4.2.0 greylisted' };
    expect(await send({ dueSince: Date.now() - 60_000 })).toMatchObject({
      kind: 'dead',
      reason: expect.stringMatching(/greylisted; it was tried for 1min \(channels\.mail\.retry_for\)$/),
    });
  });

  it('is in doubt if the gateway stops behind the whole mail', async () => {
    const end = new AbortController();
    server.answers = { '.': '' };
    const sent = send({}, {}, end.signal);
    await expect.poll(() => server.mails.length).toBe(1);
    end.abort();
    expect(await sent).toEqual({ kind: 'aborted', inDoubt: true });
  });

  it('is no mail and no password where a server has no TLS', async () => {
    const url = `smtp://agent@localhost.:${port}`;
    expect(await send({}, { url })).toMatchObject({ kind: 'retry', peer: 'failing', inDoubt: false });
    expect(server.received.join()).not.toMatch(/AUTH|MAIL/);
  });

  it('is of the server, if nobody listens', async () => {
    server.close();
    expect(await send()).toMatchObject({
      kind: 'retry',
      peer: 'failing',
      reason: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
