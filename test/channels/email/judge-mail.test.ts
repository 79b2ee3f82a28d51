import { describe, expect, it } from 'vitest';
import { readHead } from '../../../src/channels/email/headers.js';
import { judgeMail } from '../../../src/channels/email/judge-mail.js';

const rules = { authservId: 'mx.example.net', ownAddress: 'agent@example.net' };
const vouched = 'Authentication-Results: mx.example.net; dmarc=pass header.from=example.org';
const from = 'From: Ada <ada@example.org>';

const judged = (lines: readonly string[], returnPath: string | null = 'ada@example.org') =>
  judgeMail(readHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\nHello\r\n`)), returnPath, rules);

it('knows the author that the server vouches for', () => {
  expect(judged([vouched, from, 'Subject: Hello', 'Auto-Submitted: no'])).toMatchObject({
    kind: 'person',
    author: { address: 'ada@example.org' },
  });
});

it('reads folded fields', () => {
  expect(
    judged([
      'Authentication-Results:',
      ' mx.example.net;',
      '\tdmarc=pass',
      ' header.from=example.org',
      'From:',
      ' ada@example.org',
    ]),
  ).toMatchObject({ kind: 'person' });
});

describe('a stranger', () => {
  it.each([
    ['without a result', [from]],
    ['without an author', [vouched]],
    ['with two authors', [vouched, from, 'From: eve@example.org']],
    ['with an author in another case too', [vouched, from, 'FROM: eve@example.org']],
    ['with an author in an old form', [vouched, 'From : eve@example.org', from]],
    ['with two addresses', [vouched, 'From: ada@example.org, eve@example.org']],
    ['with a sender instead', [vouched, 'Sender: ada@example.org']],
    ['with a line that is no field', [vouched, 'no field', from]],
    ['with a bare CR, by which others see two fields', [vouched, 'X: y\rFrom: eve@evil.example', from]],
    ['with a NUL', [vouched, 'X: \0', from]],
    ['of another domain', [vouched, 'From: ada@evil.example']],
    ['whose result is in the body', ['From: ada@example.org', '', vouched]],
    ['whose result is below that of another server', ['Authentication-Results: evil; none', vouched, from]],
  ])('%s', (_what, lines) => {
    expect(judged(lines)).toMatchObject({ kind: 'stranger' });
  });

  it('with a head that has no end', () => {
    const endless = `${vouched}\r\n${from}\r\n${'X: y\r\n'.repeat(60_000)}`;
    expect(judgeMail(readHead(Buffer.from(endless)), null, rules)).toMatchObject({ kind: 'stranger' });
  });
});

describe('a mail that must not be answered', () => {
  it.each([
    ['Auto-Submitted: auto-replied'],
    ['Auto-Submitted: auto-generated; x=y'],
    ['auto-submitted: AUTO-NOTIFIED (comment)'],
    ['Auto-Submitted: yes'],
    ['Auto-Submitted: no\r\nAuto-Submitted: auto-replied'],
    ['Precedence: bulk'],
    ['Precedence: List'],
    ['Precedence: junk'],
    ['Precedence: auto_reply'],
    ['X-Auto-Response-Suppress: DR, AutoReply'],
    ['List-Id: <list.example.org>'],
    ['List-Unsubscribe: <mailto:x@example.org>'],
    ['List-Post: NO'],
    ['X-Autoreply: yes'],
    ['Content-Type: multipart/report; report-type=delivery-status; boundary=x'],
  ])('%s', (line) => {
    expect(judged([vouched, from, line])).toMatchObject({ kind: 'automatic' });
  });

  it.each([
    ['an empty return path in the envelope', [vouched, from], ''],
    ['an empty return path', ['Return-Path: <>', vouched, from], null],
    ['an empty return path with white space', ['Return-Path: < >', vouched, from], null],
    ['our own address', [vouched, 'From: AGENT@example.net'], 'agent@example.net'],
    ['a daemon', [vouched, 'From: MAILER-DAEMON@example.org'], 'x@example.org'],
    ['a robot', [vouched, 'From: no-reply@example.org'], 'x@example.org'],
  ])('%s', (_what, lines, returnPath) => {
    expect(judged(lines, returnPath)).toMatchObject({ kind: 'automatic' });
  });

  it('is said to be automatic also if nobody vouches for it', () => {
    expect(judged(['From: ada@example.org', 'Auto-Submitted: auto-replied'])).toMatchObject({
      kind: 'automatic',
    });
  });
});

it('answers what only looks automatic', () => {
  const lines = [
    vouched,
    from,
    'Precedence: normal',
    'X-Auto-Response-Suppress: None',
    'Content-Type: multipart/mixed',
  ];
  expect(judged(lines)).toMatchObject({ kind: 'person' });
});

describe('a head that would keep others waiting is judged at once:', () => {
  const long = (text: string) => text.repeat(Math.floor(200_000 / text.length));
  it.each([
    ['white space in From', [vouched, `From: (x)${long(' ')}x`]],
    ['quotations in From', [vouched, `From: ${long('"a" ')}<`]],
    ['comments in From', [vouched, `From: ${long('(')}`]],
    ['white space in the return path', [`Return-Path: <${long(' ')}x`, vouched, from]],
    [
      'white space in the result',
      [`Authentication-Results: mx.example.net; ${long(' ')}x${long(' ')}`, from],
    ],
    ['quotations in the result', [`Authentication-Results: mx.example.net; ${long('"\\"')}`, from]],
    ['results', [`Authentication-Results: mx.example.net; ${long('dkim=pass header.d=x; ')}`, from]],
    ['white space in a name', [`X${long(' ')}`, vouched, from]],
    ['a type', [vouched, from, `Content-Type: ${long(' multipart/')}`]],
    ['words', [vouched, from, `X-Auto-Response-Suppress: ${long('al ')}`]],
  ])('%s', (_what, lines) => {
    const begin = performance.now();
    judged(lines, null);
    expect(performance.now() - begin).toBeLessThan(1_000);
  });
});
