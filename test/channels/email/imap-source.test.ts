import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ChannelContext } from '../../../src/channels/channel.js';
import { ImapSource } from '../../../src/channels/email/imap-source.js';
import { readMailServer } from '../../../src/config/mail-server.js';
import type { JsonValue } from '../../../src/store/messages.js';
import { StoreError } from '../../../src/store/store-error.js';
import { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { ManualClock } from '../../gateway/dispatch/fixture.js';
import { ImapServer } from './imap-server.js';

let server: ImapServer;
let port: number;
let clock: ManualClock;
let log: RecordingLog;
let source: ImapSource;
let kept: JsonValue;
let taken: string[];
let healths: string[];
let storeFailure: Error | null;
/** Owners of claims, by kind and name. */
let claims: Map<string, string>;

const leases: Pick<ChannelContext['leases'], 'claimLease' | 'renewLease' | 'releaseLease'> = {
  claimLease: async (kind, name, owner) => {
    if (storeFailure !== null) throw storeFailure;
    const key = `${kind} ${name}`;
    if ((claims.get(key) ?? owner) !== owner) return null;
    claims.set(key, owner);
    return 1;
  },
  renewLease: async ({ kind, name, owner }) => claims.get(`${kind} ${name}`) === owner,
  releaseLease: async ({ kind, name }) => claims.delete(`${kind} ${name}`),
};

function made(keys: { readonly password?: string } = {}): ImapSource {
  source = new ImapSource({
    context: { name: 'mail', clock, log, leases, checkpoint: async () => kept } as unknown as ChannelContext,
    server: readMailServer(`imap://agent@127.0.0.1:${port}`),
    password: 's3cret',
    ca: null,
    moveTo: null,
    checkIntervalMs: 300_000,
    messageLimitBytes: 1_000,
    take: async (mail, { value }) => {
      if (storeFailure !== null) throw storeFailure;
      kept = value;
      const text = mail?.bytes.toString() ?? null;
      if (text !== null) taken.push(text);
      return text !== null && !text.startsWith('stranger');
    },
    proven: () => undefined,
    enter: (state, reason) => healths.push(reason === null ? state : `${state}: ${reason}`),
    ...keys,
  });
  return source;
}

const until = (wanted: () => unknown) => expect.poll(wanted, { timeout: 5_000, interval: 5 });

/** The channel waits for news. */
const idle = (count = 1) =>
  until(() => server.commands.filter((command) => command === 'IDLE').length).toBeGreaterThanOrEqual(count);

beforeEach(async () => {
  server = new ImapServer();
  port = await server.listen();
  clock = new ManualClock();
  log = new RecordingLog();
  kept = null;
  taken = [];
  healths = [];
  storeFailure = null;
  claims = new Map();
});
afterEach(async () => {
  const closing = source.close(0);
  await until(() => {
    clock.advance(1);
    return clock.timers;
  }).toBe(0);
  await closing;
  server.close();
});

it('takes the mails that come, and marks those that were kept', async () => {
  server.add('old');
  await made().start();
  await idle();
  expect(taken).toEqual([]);
  server.add('one');
  await until(() => taken).toEqual(['one']);
  server.add('stranger');
  server.add('two');
  await until(() => server.seen).toEqual([2, 4]);
  expect(taken).toEqual(['one', 'stranger', 'two']);
  expect(kept).toMatchObject({ uidValidity: '7', uid: 4 });
  expect(server.commands.join('\n')).not.toMatch(/BODY\[\]/);
});

it('goes on where it was, and marks what a crash has left unmarked', async () => {
  for (const text of ['one', 'two', 'three']) server.add(text);
  kept = { uidValidity: '7', uid: 2, recountedUid: 0, unmarkedUid: 2 };
  await made().start();
  await until(() => taken).toEqual(['three']);
  await until(() => server.seen).toEqual([2, 3]);
});

it('takes what is not read, if the mails are numbered anew', async () => {
  server.add('one', true);
  server.add('two');
  kept = { uidValidity: '6', uid: 900, recountedUid: 0, unmarkedUid: null };
  await made().start();
  await until(() => taken).toEqual(['two']);
  expect(log.records.map(({ message }) => message).join()).toContain('has numbered the mails');
});

it('takes a large mail in part', async () => {
  await made().start();
  server.add('x'.repeat(200_000));
  await until(() => taken.length).toBe(1);
  expect(server.commands.join('\n')).toContain('BODY.PEEK[]<0.65536>');
});

it('looks by itself, and connects again to a server that says nothing', async () => {
  await made().start();
  await idle();
  server.isSilent = true;
  server.add('while it was silent');
  clock.advance(300_000);
  await until(() => clock.timers).toBe(2);
  clock.advance(60_000);
  await until(() => healths.at(-1)).toMatch(/^down: .*has not answered within 60 s/);
  server.isSilent = false;
  await until(() => clock.timers).toBe(2);
  clock.advance(1_000);
  await until(() => taken).toEqual(['while it was silent']);
  expect(healths).toHaveLength(3);
  expect(healths.at(-1)).toBe('up');
});

it('connects again after 1 s, 2 s and so on, while the server breaks off', async () => {
  await made().start();
  await idle();
  server.isSilent = true;
  server.disconnect();
  await until(() => healths.at(-1)).toMatch(/^down/);
  server.isSilent = false;
  server.add('meanwhile');
  await until(() => clock.timers).toBe(2);
  clock.advance(799);
  expect(taken).toEqual([]);
  clock.advance(201);
  await until(() => taken).toEqual(['meanwhile']);
});

it.each([
  ['many literals', ` X {900000}\r\n${'x'.repeat(900_000)}`.repeat(4), 'Response size'],
  ['a line without end', '('.repeat(70_000), 'Line length'],
])('goes away from a server whose one answer has %s', async (_name, answer, reason) => {
  await made().start();
  await idle();
  server.hostileAnswer = (command) => (command.startsWith('UID FETCH') ? `* 1 FETCH (UID 1${answer}` : null);
  server.add('one');
  await until(() => healths.at(-1)).toMatch(`${reason} `);
  server.hostileAnswer = () => null;
  await until(() => clock.timers).toBe(2);
  clock.advance(1_000);
  await until(() => taken).toEqual(['one']);
});

it('goes away from a server that lists more mails than the mailbox has', async () => {
  await made().start();
  await idle();
  server.hostileAnswer = (command) =>
    command.startsWith('UID FETCH') ? '* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 3)\r\n'.repeat(2) : null;
  server.add('one');
  await until(() => healths.at(-1)).toMatch('lists more mails than the 1 that it may');
  server.hostileAnswer = () => null;
  await until(() => clock.timers).toBe(2);
  clock.advance(1_000);
  await until(() => taken).toEqual(['one']);
});

it('takes nothing while the store is away, and marks nothing', async () => {
  await made().start();
  await idle();
  storeFailure = new StoreError('full', 'The disk is full.');
  server.add('one');
  await until(() => log.records.length).toBe(1);
  expect([taken, server.seen]).toEqual([[], []]);
  storeFailure = null;
  clock.advance(200);
  await until(() => server.seen).toEqual([1]);
  expect(taken).toEqual(['one']);
});

it('says why a login was refused, and not with which password', async () => {
  server.password = 'another';
  const failed = made().start();
  await expect(failed).rejects.toThrow('the server refuses the user or the password: not you');
  await expect(failed).rejects.not.toThrow('s3cret');
});

it('ends at once while nothing comes', async () => {
  await made().start();
  await idle();
  source.stopAccepting();
  await source.close(1_000);
  server.add('too late');
  expect(taken).toEqual([]);
});

it('of two gateways with one store, one reads the mailbox; the other takes over when it ends', async () => {
  const first = made();
  await first.start();
  await idle();
  const second = made();
  await second.start();
  expect(healths.at(-1)).toMatch(/^starting: another gateway with the same store has the mailbox/);
  server.add('one');
  await until(() => server.seen).toEqual([1]);
  clock.advance(5_000);
  expect(server.commands.filter((command) => command.startsWith('LOGIN'))).toHaveLength(1);
  await first.close(0);
  clock.advance(5_000);
  await idle(3);
  server.add('two');
  await until(() => server.seen).toEqual([1, 2]);
  expect(taken).toEqual(['one', 'two']);
});

it('leaves a mailbox that another gateway has got', async () => {
  await made().start();
  await idle();
  for (const key of claims.keys()) claims.set(key, 'another');
  clock.advance(10_000);
  server.add('one');
  await until(() => healths.at(-1)).toMatch(/^starting: another gateway/);
  expect(taken).toEqual([]);
});
