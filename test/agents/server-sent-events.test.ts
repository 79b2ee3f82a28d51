import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventStreamError, EventStreamParser } from '../../src/agents/server-sent-events.js';

function events(chunks: readonly (string | Uint8Array)[], limitBytes = 1_000) {
  const parser = new EventStreamParser(limitBytes);
  return chunks.flatMap((chunk) => [...parser.push(Buffer.from(chunk))]);
}

const message = (data: string, type = 'message') => ({ type, data });

describe('a stream of events', () => {
  it.each([
    ['one line', 'data: a\n\n', [message('a')]],
    ['without the space', 'data:a\n\n', [message('a')]],
    ['with two spaces', 'data:  a\n\n', [message(' a')]],
    ['several lines', 'data: a\ndata: b\n\n', [message('a\nb')]],
    ['an empty line of data', 'data\n\n', [message('')]],
    ['a type', 'event: delta\ndata: a\n\ndata: b\n\n', [message('a', 'delta'), message('b')]],
    ['a type without data', 'event: ping\n\ndata: a\n\n', [message('a')]],
    ['comments and other fields', ': hello\nid: 1\nretry: 5\nwhat: x\ndata: a\n\n', [message('a')]],
    ['CR LF', 'data: a\r\n\r\ndata: b\r\n\r\n', [message('a'), message('b')]],
    ['CR', 'data: a\r\rdata: b\r\r', [message('a'), message('b')]],
    ['a byte order mark', '\ufeffdata: a\n\n\ufeffdata: b\n\n', [message('a')]],
    ['an event that is cut off', 'data: a\n\ndata: b\n', [message('a')]],
  ])('%s', (_name, text, expected) => {
    expect(events([text])).toEqual(expected);
  });

  it('is the same in whatever chunks it comes', () => {
    const text = Buffer.from(
      '\ufeffevent: x\r\ndata: ä€😀\r\n\r\n: no\r\rdata: 1\ndata: 2\n\ndata: 3\r\n\r\n',
    );
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), text.length];
        const chunks = edges.slice(1).map((to, index) => text.subarray(edges[index], to));
        expect(events(chunks)).toEqual([message('ä€😀', 'x'), message('1\n2'), message('3')]);
      }),
    );
  });

  it.each([
    ['a line that is too long', [`data: ${'a'.repeat(995)}`], 'has a line of more than 1000 bytes'],
    ['a long line in pieces', Array(1_001).fill('a'), 'has a line of more than 1000 bytes'],
    ['a long comment', [`:${'a'.repeat(1_000)}`], 'has a line of more than 1000 bytes'],
    ['an event of many lines', Array(501).fill('data: a\n'), 'has an event of more than 1000 bytes'],
    ['bytes that are no UTF-8', [Buffer.from([0x64, 0x61, 0xff, 0x0a])], 'is not UTF-8'],
  ])('refuses %s', (_name, chunks, expected) => {
    expect(() => events(chunks)).toThrow(new EventStreamError(expected));
  });

  it('takes an event up to the limit, and many after it', () => {
    const one = `data: ${'a'.repeat(994)}\n\n`;
    expect(events([one, one, one])).toHaveLength(3);
  });
});
