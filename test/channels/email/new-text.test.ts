import { describe, expect, it } from 'vitest';
import { newText } from '../../../src/channels/email/new-text.js';

const cut = (text: string, keys: object = {}) => newText({ text, subject: 'Re: x', isAnswer: true, ...keys });

describe('an answer above the quoted mail', () => {
  it.each([
    ['Gmail', 'Yes.\n\nOn Mon, 30 Nov 2026 at 14:03, Bob <bob@example.org> wrote:\n\n> Do you?\n>\n> Bob\n'],
    [
      'a line that was broken',
      'Yes.\n\nOn Mon, 30 Nov 2026 at 14:03, Bob\n<bob@example.org> wrote:\n> Do you?',
    ],
    ['German', 'Yes.\n\nAm 30.11.2026 um 14:03 schrieb Bob:\n> Do you?'],
    ['no line before', 'Yes.\n\n> Do you?\n> Bob'],
    ['Outlook', 'Yes.\n\n-----Original Message-----\nFrom: Bob\nSent: Monday\n\nDo you?'],
    ['new Outlook', 'Yes.\n\nFrom: Bob <bob@example.org>\nSent: Monday\nTo: Ada\nSubject: x\n\nDo you?'],
    ['CR and LF', 'Yes.\r\n\r\n> Do you?\r\n'],
  ])('%s', (_what, text) => {
    expect(cut(text)).toBe('Yes.');
  });
});

describe('what stays', () => {
  it.each([
    ['answers within the quoted mail', '> Do you?\nYes.\n> And you?\nNo.'],
    ['an answer below the quoted mail', 'On Mon, Bob wrote:\n> Do you?\n\nYes.'],
    ['nothing but a quoted mail', 'On Mon at 14:03, Bob <b@x> wrote:\n> Do you?'],
    ['an author who lists fields', 'Set these:\nFrom: a\nTo: b'],
    ['a line of its own before a quotation', 'I quote:\n\nSee this'],
    ['a separator of the author', 'one\n-----\ntwo'],
    ['a sign for "greater"', 'x\n > y'],
  ])('%s', (_what, text) => {
    expect(cut(text)).toBe(text);
  });

  it('all of a mail that answers nothing', () => {
    expect(cut('See:\n> quoted', { isAnswer: false })).toBe('See:\n> quoted');
  });

  it.each(['Fwd: x', 'FW: x', 'WG: x'])('the mail that %s sends on', (subject) => {
    expect(cut('See below.\n\n-----Original Message-----\nFrom: Bob\n\nText', { subject })).toContain('Text');
  });
});
