import { expect, it } from 'vitest';
import { smtpFailure, smtpVerdict } from '../../../src/channels/email/smtp-outcome.js';

const verdict = (error: object, mayHaveArrived = false) =>
  smtpVerdict(smtpFailure(Object.assign(new Error('x'), error), mayHaveArrived));

it.each([
  ['a recipient that is greylisted', { responseCode: 450, command: 'RCPT TO', code: 'EENVELOPE' }, 'later'],
  ['a recipient that is unknown', { responseCode: 550, command: 'RCPT TO', code: 'EENVELOPE' }, 'never'],
  ['a sender that is refused', { responseCode: 553, command: 'MAIL FROM', code: 'EENVELOPE' }, 'never'],
  ['a mail that is refused', { responseCode: 554, command: 'DATA', code: 'EMESSAGE' }, 'never'],
  ['a full disk', { responseCode: 452, command: 'DATA', code: 'EMESSAGE' }, 'later'],
  ['a server that ends', { responseCode: 421, command: 'DATA', code: 'EMESSAGE' }, 'server'],
  ['a password that is wrong', { responseCode: 535, command: 'AUTH PLAIN', code: 'EAUTH' }, 'server'],
  ['a greeting that refuses', { responseCode: 554, command: 'CONN', code: 'EPROTOCOL' }, 'server'],
  ['no TLS', { command: 'STARTTLS', code: 'ETLS' }, 'server'],
  ['no connection', { command: 'CONN', code: 'ESOCKET' }, 'server'],
  ['no name', { code: 'EDNS' }, 'server'],
])('%s', (_what, error, kind) => {
  expect(verdict(error)).toMatchObject({ kind });
});

it('is in doubt after the whole mail, unless there is an answer', () => {
  expect(verdict({ command: 'CONN', code: 'ECONNECTION' }, true)).toEqual({ kind: 'server', inDoubt: true });
  expect(verdict({ command: 'CONN', code: 'ECONNECTION' }, false)).toEqual({
    kind: 'server',
    inDoubt: false,
  });
  expect(verdict({ command: 'DATA', responseCode: 550, code: 'EMESSAGE' }, true)).toEqual({ kind: 'never' });
  expect(verdict({ command: 'DATA', responseCode: 451, code: 'EMESSAGE' }, true)).toEqual({ kind: 'later' });
});
