import { afterEach, beforeEach, expect, it } from 'vitest';
import { tryEmail } from '../../../src/channels/email/try-email.js';
import { ImapServer } from './imap-server.js';
import { MailServer } from './smtp-server.js';

let imap: ImapServer;
let smtp: MailServer;
let places: { readonly address: string; readonly imap: string; readonly smtp: string };
beforeEach(async () => {
  imap = new ImapServer();
  smtp = new MailServer();
  places = {
    address: 'agent@example.org',
    imap: `imap://agent@127.0.0.1:${await imap.listen()}/INBOX`,
    smtp: `smtp://agent@127.0.0.1:${await smtp.listen()}`,
  };
});
afterEach(() => {
  imap.close();
  smtp.close();
});

const attempt = (password: string | null, change: object = {}) =>
  tryEmail({ ...places, password, ...change }, new AbortController().signal);

const mail = (field: string) => `${field}From: ada@example.org\r\nSubject: x\r\n\r\nHello\r\n`;

it.each([
  [
    'says so',
    'Authentication-Results: mx.example.org; dmarc=pass header.from=example.org\r\n',
    'mx.example.org',
  ],
  ['does not say', '', null],
  ['has a field that is none', 'Authentication-Results: ;;;\r\n', null],
])('logs in to both, and knows who judged the newest mail if that %s', async (_what, field, authservId) => {
  imap.add(mail('Authentication-Results: other.example.org; none\r\n'));
  imap.add(mail(field));
  expect(await attempt(imap.password)).toEqual({ kind: 'ok', authservId });
  // It has marked and sent nothing.
  expect(imap.seen).toEqual([]);
  expect(smtp.received.map((line) => line.slice(0, 4))).not.toContain('MAIL');
});

it('takes an empty mailbox, and mails by LMTP', async () => {
  expect(await attempt(imap.password)).toEqual({ kind: 'ok', authservId: null });
  expect(await attempt(null, { imap: null })).toEqual({ kind: 'ok', authservId: null });
});

it('says which server is at fault, without the password', async () => {
  const wrong = await attempt('not-the-one');
  smtp.answers = { AUTH: '535 5.7.8 not-the-one is wrong' };
  imap.password = 'not-the-one';
  const refused = await attempt('not-the-one');
  const away = await attempt('not-the-one', { imap: 'imap://agent@127.0.0.1:9/INBOX' });
  expect([wrong, refused, away]).toEqual(
    ['the server of imap can', 'the server of smtp can', 'the server of imap can'].map((reason) => ({
      kind: 'problem',
      reason: expect.stringContaining(reason),
    })),
  );
  expect(JSON.stringify([wrong, refused, away])).not.toContain('not-the-one');
});
