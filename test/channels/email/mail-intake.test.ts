import { randomBytes } from 'node:crypto';
import { text as textOfStream } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ArrivedMail } from '../../../src/channels/email/lmtp-session.js';
import { MailIntake } from '../../../src/channels/email/mail-intake.js';
import type { Store } from '../../../src/store/store.js';
import { StoreError } from '../../../src/store/store-error.js';
import type { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { Occurrences, openStore } from '../../gateway/dispatch/fixture.js';
import { ChannelBench } from '../../support/channel-bench.js';
import { receptionFor } from '../../support/reception.js';

let store: Store;
let dispose: () => Promise<void>;
let bench: ChannelBench;
let name: string;
let log: RecordingLog;

const keys = {
  address: 'agent@example.net',
  authserv_id: 'mx.example.net',
  message_limit: 100_000,
  replies_per_hour: 3,
  unknown: 'resend',
} as const;

function intakeWith({
  fileBytes = 1_000,
  ...options
}: {
  readonly parse?: () => Promise<never>;
  readonly fileBytes?: number;
} = {}): MailIntake {
  const context = bench.context({
    reception: receptionFor({ allow: ['ada@example.org', 'bob@example.org'], words: false }),
    attachmentLimits: () => ({ count: 2, fileBytes, totalBytes: 2 * fileBytes }),
    limits: { session: 100, total: 1_000 },
  });
  return new MailIntake({ context, configuration: keys, ...options });
}

const head = (from = 'ada@example.org', id = randomBytes(8).toString('hex')) => [
  `Authentication-Results: mx.example.net; dmarc=pass header.from=${from.split('@')[1]}`,
  `From: =?utf-8?q?Ad=C3=A4?= <${from}>`,
  `Message-ID: <${id}@example.org>`,
];

function mail(lines: readonly string[], body = 'Hello'): ArrivedMail {
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
  return { bytes, sizeBytes: bytes.length, returnPath: 'x@example.org' };
}

async function messages() {
  const page = await store.sessions({ limit: 100, after: null });
  const items = page.items.filter(({ session }) => session.startsWith(`${name}:`));
  const all = await Promise.all(
    items.map(
      async ({ session }) => (await store.sessionMessages(session, { limit: 100, after: null }))?.items ?? [],
    ),
  );
  return all.flat();
}

beforeAll(async () => {
  ({ store, dispose } = await openStore());
});
afterAll(() => dispose());
beforeEach(() => {
  bench = new ChannelBench('mail', store);
  ({ name, log } = bench);
});

const multipart = (...parts: readonly string[]) =>
  `${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`;
const mixed = 'Content-Type: multipart/mixed; boundary=b';

describe('a mail of a person', () => {
  it('is a message, once', async () => {
    const intake = intakeWith();
    const one = mail([...head('ada@example.org', '1'), 'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=']);
    expect(await intake.take(one, { key: 'imap', value: 7 })).toBe(true);
    expect(await intake.take(one)).toBe(true);
    expect(await messages()).toMatchObject([
      {
        text: 'Subject: Grüße\n\nHello',
        sender: 'ada@example.org',
        state: 'queued',
        metadata: { subject: 'Grüße', message_id: '<1@example.org>' },
        replyTo: {
          channel: name,
          address: 'ada@example.org',
          options: { subject: 'Re: Grüße', references: ['<1@example.org>'] },
        },
      },
    ]);
    expect((await store.record(`checkpoint:${name}`, 'imap'))?.value).toBe(7);
    // Some programs give each mail the same id.
    await intake.take(mail(head('ada@example.org', '1'), 'Another'));
    expect(await messages()).toHaveLength(2);
  });

  it('has text of HTML, without what it hides', async () => {
    const html =
      '<html><head><style>p{}</style></head><body><p>One &amp; <b>two</b></p><script>x()</script></body>';
    await intakeWith().take(mail([...head(), 'Content-Type: text/html'], html));
    expect((await messages())[0]?.text).toBe('One & two');
  });

  it.each(['text/html', 'text/plain'])('has a file of %s that is too long for a text', async (type) => {
    const intake = intakeWith({ fileBytes: 1_000_000 });
    const { bytes } = mail([...head(), `Content-Type: ${type}`], '<p>x</p>\r\n'.repeat(30_000));
    await intake.take({ bytes, sizeBytes: 1, returnPath: 'x@x' });
    const [message] = await messages();
    expect(message?.attachments).toMatchObject([
      { name: type === 'text/html' ? 'mail.html' : 'mail.txt', mediaType: type },
    ]);
    expect(message?.text.length).toBeLessThan(300_000);
    expect(message?.text).toMatch(/mail\.(?:html|txt)/);
  });

  it.each(['text/html', 'text/plain; format=flowed'])('has all of a mail whose %s is cut', async (type) => {
    const intake = intakeWith({ fileBytes: 2_000_000 });
    const lines = `<p>${'x'.repeat(90)}</p>\r\n`.repeat(12_000);
    const parts = multipart(
      `Content-Type: ${type}\r\n\r\n${lines}`,
      'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="a.txt"\r\n\r\nAAA',
    );
    const { bytes } = mail([...head(), mixed], parts);
    await intake.take({ bytes, sizeBytes: 1, returnPath: 'x@x' });
    const [message] = await messages();
    expect(message?.attachments).toMatchObject([
      { name: 'mail.eml', mediaType: 'message/rfc822', sizeBytes: bytes.length },
      { name: 'a.txt', sizeBytes: 3 },
    ]);
    expect(message?.text).toContain('[The text is cut. All of it is in mail.eml.]');
    expect(message?.text.length).toBeLessThan(300_000);
  });

  it('has files, within the limits', async () => {
    const file = (name: string, content: string) =>
      `Content-Type: text/plain\r\nContent-Disposition: attachment; filename="${name}"\r\n\r\n${content}`;
    await intakeWith().take(
      mail(
        [...head(), mixed],
        multipart(
          'Content-Type: text/plain\r\n\r\nSee:',
          file('../a.txt', 'AAA'),
          file('b.txt', 'x'.repeat(1_001)),
          file('c.txt', 'C'),
          file('d.txt', 'D'),
        ),
      ),
    );
    const [message] = await messages();
    expect(message?.attachments).toMatchObject([{ name: 'a.txt', sizeBytes: 3 }, { name: 'c.txt' }]);
    const content = await store.openBlob(message?.attachments?.[0]?.id ?? '');
    expect(content === null ? null : await textOfStream(content)).toBe('AAA');
    expect(message?.text).toMatch(
      /^See:\n\n\[A file was left out: "b.txt" is larger than 1000 bytes.*\n\n\[A file was left out: "d.txt"/s,
    );
  });

  it('is kept as dead if it can’t be read', async () => {
    const parse = () => Promise.reject(new Error('no MIME'));
    expect(await intakeWith({ parse }).take(mail(head(), 'x'.repeat(90_000)))).toBe(true);
    const [message] = await messages();
    expect(message).toMatchObject({ state: 'dead', error: expect.stringContaining('no MIME') });
    expect(Buffer.byteLength(message?.text ?? '')).toBe(65_536);
    expect(message?.text).toContain('From:');
  });

  it('is kept as dead if it has more parts than the parser takes', { timeout: 10_000 }, async () => {
    const file = 'Content-Type: a/b; name=x\r\nContent-Disposition: attachment; filename=x\r\n\r\nx';
    const { bytes } = mail([...head(), mixed], multipart(...Array<string>(1_100).fill(file)));
    expect(await intakeWith().take({ bytes, sizeBytes: 1, returnPath: 'x@x' })).toBe(true);
    expect(await messages()).toMatchObject([
      { state: 'dead', error: expect.stringContaining('can’t be read') },
    ]);
  });

  it('is kept as dead if it is not read within a minute', async () => {
    const reading = new Occurrences<'reading'>();
    const parse = () => {
      reading.add('reading');
      return new Promise<never>(() => {});
    };
    const taken = intakeWith({ parse }).take(mail(head()));
    await reading.until(({ length }) => length > 0);
    bench.clock.advance(60_000);
    expect(await taken).toBe(true);
    expect(await messages()).toMatchObject([
      { state: 'dead', error: expect.stringContaining('within 60 s') },
    ]);
  });

  it('names some of the files that are left out, and counts the others', async () => {
    const file = 'Content-Type: a/b\r\nContent-Disposition: attachment; filename=x\r\n\r\nx';
    await intakeWith().take(mail([...head(), mixed], multipart(...Array<string>(100).fill(file))));
    const [message] = await messages();
    expect(message?.attachments).toHaveLength(2);
    expect(message?.text.match(/A file was left out/g)).toHaveLength(10);
    expect(message?.text).toContain('[88 more were left out.]');
  });

  it('is kept as dead if it is too large', async () => {
    const { bytes } = mail(head());
    await intakeWith().take({ bytes, sizeBytes: 100_001, returnPath: 'x@x' });
    expect(await messages()).toMatchObject([
      { state: 'dead', error: expect.stringContaining('message_limit') },
    ]);
  });

  it('is one of three in an hour; others are dead, and are not answered', async () => {
    const intake = intakeWith();
    for (let count = 0; count < 5; count += 1) await intake.take(mail(head()));
    await intake.take(mail(head('bob@example.org')));
    const states = (await messages()).map(({ state }) => state);
    expect(states.filter((state) => state === 'queued')).toHaveLength(4);
    expect(states.filter((state) => state === 'dead')).toHaveLength(2);
    expect(log.records.filter(({ message }) => message.includes('replies_per_hour'))).toHaveLength(1);
  });

  it('is not taken by a store that fails, and leaves no file', async () => {
    const intake = intakeWith();
    const one = mail(
      [...head(), mixed],
      multipart('Content-Type: text/x-a\r\nContent-Disposition: attachment; filename=a\r\n\r\nA'),
    );
    const storeFailure = new StoreError('full', 'The disk is full.');
    bench.storeFailures.push(storeFailure);
    await expect(intake.take(one)).rejects.toBe(storeFailure);
    expect(await messages()).toEqual([]);
    expect(await intake.take(one)).toBe(true);
    expect((await messages())[0]?.attachments).toHaveLength(1);
  });
});

describe('a mail that is not taken', () => {
  it.each([
    ['a person who may not write', head('eve@example.org'), 'eve@example.org'],
    ['an author without a server', ['From: ada@example.org'], 'nobody vouches'],
    ['a machine', [...head(), 'Auto-Submitted: auto-replied'], 'must not be answered'],
  ])('of %s moves the position, and is told once a minute', async (_what, lines, said) => {
    const intake = intakeWith({ parse: () => Promise.reject(new Error('It was read.')) });
    for (let count = 0; count < 50; count += 1) {
      expect(await intake.take(mail(lines), { key: 'imap', value: count })).toBe(false);
    }
    expect(await messages()).toEqual([]);
    expect((await store.record(`checkpoint:${name}`, 'imap'))?.value).toBe(49);
    expect(log.records.filter(({ message }) => message.includes(said))).toHaveLength(1);
  });
});
