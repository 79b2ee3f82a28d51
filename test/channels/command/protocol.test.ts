import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeLine, parseLine } from '../../../src/channels/command/protocol.js';

const inbound = { type: 'inbound', id: '17', chat: '-100/7', person: 'ada', text: 'hello' };

describe('a line of the program', () => {
  test.each([
    ['the least message', inbound, inbound],
    [
      'a message with all there is, and a member of a later version',
      { ...inbound, to: '9', metadata: { a: [1] }, cursor: 41, mood: 'fine' },
      { ...inbound, to: '9', metadata: { a: [1] }, cursor: 41 },
    ],
    [
      'a deletion',
      { type: 'deleted', id: '17', chat: 'c', cursor: 4, text: 'x' },
      { type: 'deleted', id: '17', chat: 'c', cursor: 4 },
    ],
    ['a cursor that is null', { ...inbound, cursor: null }, { ...inbound, cursor: null }],
    [
      'a program that is ready',
      { type: 'ready', protocol: 1 },
      {
        type: 'ready',
        protocol: 1,
        capabilities: [],
        text_limit: 170_000,
        text_unit: 'bytes',
        text_form: 'markdown',
      },
    ],
    [
      'the texts that a program takes',
      { type: 'ready', protocol: 1, text_limit: 40, text_unit: 'utf-16', text_form: 'plain' },
      {
        type: 'ready',
        protocol: 1,
        capabilities: [],
        text_limit: 40,
        text_unit: 'utf-16',
        text_form: 'plain',
      },
    ],
    [
      'a receipt',
      { type: 'sent', id: 'm.1', receipt: { id: 7 } },
      { type: 'sent', id: 'm.1', receipt: { id: 7 } },
    ],
    ['no receipt', { type: 'sent', id: 'm.1' }, { type: 'sent', id: 'm.1', receipt: null }],
    [
      'a send that failed',
      { type: 'not_sent', id: 'm.1', reason: 'slow down', retry_after: 2.5 },
      { type: 'not_sent', id: 'm.1', reason: 'slow down', retry_after: 2.5, final: false },
    ],
    [
      'a send in doubt',
      { type: 'unknown', id: 'm.1' },
      { type: 'unknown', id: 'm.1', reason: 'the program does not know' },
    ],
    [
      'health, unasked',
      { type: 'unhealthy', reason: 'x'.repeat(2_000) },
      { type: 'unhealthy', reason: 'x'.repeat(1_000) },
    ],
  ])('is read: %s', (_name, written, line) => {
    expect(parseLine(JSON.stringify(written))).toEqual({ ok: true, line });
  });

  test.each([
    ['no JSON', '{"type":', 'it is no JSON', null],
    ['no object', '[1]', 'it is no JSON object', null],
    ['no type', '{"id":"1"}', 'its "type" is no text', null],
    ['an unknown type', '{"type":"dance","id":"1"}', 'this gateway knows no "type" "dance"', null],
    ['a deletion without a chat', { type: 'deleted', id: '17' }, '"chat" of "deleted"', '17'],
    ['a message without an id', { ...inbound, id: undefined }, '"id" of "inbound"', null],
    ['a number as an id', { ...inbound, id: 17 }, '"id" of "inbound"', null],
    ['a message without a text', { ...inbound, text: undefined }, '"text" of "inbound"', '17'],
    ['an empty text', { ...inbound, text: '' }, 'must not be empty', '17'],
    ['a NUL in the text', { ...inbound, text: 'a\0' }, 'U+0000', '17'],
    ['half a surrogate pair', { ...inbound, chat: '\ud83e' }, 'unpaired surrogates', '17'],
    ['a long chat', { ...inbound, chat: 'c'.repeat(1_025) }, 'at most 1024 characters', '17'],
    ['nobody', { ...inbound, person: null }, '"person" of "inbound"', '17'],
    ['metadata that is no object', { ...inbound, metadata: [1] }, 'must be an object', '17'],
    ['a NUL in the metadata', { ...inbound, metadata: { a: '\0' } }, 'U+0000', '17'],
    ['a large cursor', { ...inbound, cursor: 'c'.repeat(70_000) }, '65536 bytes', '17'],
    ['a large receipt', { type: 'sent', id: '1', receipt: 'c'.repeat(20_000) }, '16384 bytes', null],
    [
      'a list of many capabilities',
      { type: 'ready', protocol: 1, capabilities: Array(1_001).fill(0) },
      '"capabilities" of "ready": must have at most 1000 items',
      null,
    ],
    [
      'a list of many files',
      { ...inbound, attachments: Array(101).fill(0) },
      '"attachments" of "inbound": must have at most 100 items',
      '17',
    ],
    [
      'a wait of two days',
      { type: 'not_sent', id: '1', reason: 'r', retry_after: 172_800 },
      '"retry_after"',
      null,
    ],
  ])('is refused: %s', (_name, written, problem, refuses) => {
    const text = typeof written === 'string' ? written : JSON.stringify(written);
    expect(parseLine(text)).toEqual({ ok: false, problem: expect.stringContaining(problem), refuses });
  });

  test('is refused, and nothing worse, however deep it is nested', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const text = JSON.stringify(inbound).replace('}', `,"cursor":${deep}}`);
    expect(parseLine(text)).toMatchObject({ ok: false });
  });

  test('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(parseLine(text)).toHaveProperty('ok');
      }),
    );
  });
});

test('a send has files, and the number of its parts, only if they say something', () => {
  const send = { type: 'send', id: 'm.1', to: '7', text: 'hi', part: 1, attempt: 1 } as const;
  expect(encodeLine({ ...send, parts: 1, files: [] })).toBe(`${JSON.stringify(send)}\n`);
  const further = { parts: 2, files: ['a.png'] };
  expect(JSON.parse(encodeLine({ ...send, ...further }))).toEqual({ ...send, ...further });
});
