import { expect, it } from 'vitest';
import { readHead } from '../../../src/channels/email/headers.js';
import { answerSubject, conversationOf, ownMessageId, threadOf } from '../../../src/channels/email/thread.js';

const thread = (...lines: readonly string[]) =>
  threadOf(readHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)), 'example.net', 'digest');

it('is named by the first mail', () => {
  const first = thread('Message-ID: <1@x>');
  expect(first).toMatchObject({ messageId: '<1@x>', references: ['<1@x>'], isAnswer: false });
  const answer = thread('Message-ID: <3@x>', 'References: <1@x>', '\t<2@x>', 'In-Reply-To: <2@x>');
  expect(answer).toEqual({
    conversation: first.conversation,
    messageId: '<3@x>',
    references: ['<1@x>', '<2@x>', '<3@x>'],
    isAnswer: true,
  });
  expect(thread('Message-ID: <4@x>', 'In-Reply-To: <1@x>').conversation).toBe(first.conversation);
  expect(thread('Message-ID: <5@x>').conversation).not.toBe(first.conversation);
});

it('is known by an answer of the gateway, also if the first mail is not named', () => {
  const { conversation } = thread('Message-ID: <1@x>');
  const own = ownMessageId('msg_1', conversation, 'example.net');
  expect(thread('Message-ID: <3@x>', `In-Reply-To: ${own}`).conversation).toBe(conversation);
  expect(thread('Message-ID: <3@x>', `References: <9@x> ${own} <8@x>`).conversation).toBe(conversation);
  const foreign = own.replace('example.net', 'example.com');
  expect(thread('Message-ID: <3@x>', `In-Reply-To: ${foreign}`).conversation).toBe(conversationOf(foreign));
});

it('is a new one for a mail without an id', () => {
  expect(thread('Subject: x')).toMatchObject({ messageId: null, references: [], isAnswer: false });
  expect(thread('Message-ID: none')).toMatchObject({ messageId: null });
  expect(thread('Message-ID: <1@x>', 'Message-ID: <2@x>')).toMatchObject({ messageId: null });
});

it('names no more mails than a head has room for', () => {
  const ids = Array.from({ length: 5_000 }, (_, index) => `<${index}@x>`);
  const { references, conversation } = thread('Message-ID: <now@x>', `References: ${ids.join(' ')}`);
  expect(references.length).toBe(20);
  expect(references.at(-1)).toBe('<now@x>');
  expect(conversation).toMatch(/^[0-9a-f]{32}$/);
  expect(thread(`Message-ID: <${'a'.repeat(1_000)}@x>`)).toMatchObject({ messageId: null });
});

it('gives an id that a head can have, whatever the key is', () => {
  expect(ownMessageId('a b\r\n<c>@', conversationOf('x'), 'example.net')).toMatch(
    /^<a-b---c--\.[0-9a-f]{32}@example\.net>$/,
  );
});

it.each([
  ['Hello', 'Re: Hello'],
  ['Re: Hello', 'Re: Hello'],
  ['RE:Hello', 'RE:Hello'],
  ['', 'Re:'],
  ['a\r\n\tb', 'Re: a b'],
])('answers the subject %j with %j', (subject, answer) => {
  expect(answerSubject(subject)).toBe(answer);
});
