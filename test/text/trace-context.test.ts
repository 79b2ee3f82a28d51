import { describe, expect, test } from 'vitest';
import { parseTraceparent, traceIdOf, traceparentOf, withTraceparent } from '../../src/text/trace-context.js';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';
const good = `00-${trace}-${span}-01`;

test('a trace context is read', () => {
  expect(parseTraceparent(good)).toEqual({ traceId: trace, spanId: span, flags: '01' });
});

test.each([
  ['a later version, with more behind it', `cc-${trace}-${span}-00-what-comes`, `00-${trace}-${span}-00`],
  ['a later version, with no more', `cc-${trace}-${span}-01`, good],
])('%s is passed on as version 00', (_what, given, passedOn) => {
  expect(traceparentOf({ traceparent: given })).toBe(passedOn);
});

test.each([
  ['nothing', undefined],
  ['a list', [good]],
  ['an object', { traceId: trace }],
  ['no text', ''],
  ['version ff', `ff-${trace}-${span}-01`],
  ['version 00 with more behind it', `${good}-more`],
  ['a later version with more that is not apart', `cc-${trace}-${span}-01.more`],
  ['capital letters', good.toUpperCase()],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${span}-01`],
  ['a span of zeros', `00-${trace}-${'0'.repeat(16)}-01`],
  ['a trace that is short', `00-${trace.slice(1)}-${span}-01`],
  ['blanks around it', ` ${good} `],
  ['a line feed behind it', `${good}\n`],
  ['two of them', `${good}, ${good}`],
  ['no flags', `00-${trace}-${span}`],
])('%s is no trace context', (_what, given) => {
  expect(parseTraceparent(given)).toBeNull();
  expect(traceIdOf({ traceparent: given })).toBeNull();
});

describe('the header of a request', () => {
  test('goes into the metadata', () => {
    expect(withTraceparent({ from: 'ada' }, good)).toEqual({ from: 'ada', traceparent: good });
  });

  test('leaves what the sender has put there', () => {
    expect(withTraceparent({ traceparent: 'mine' }, good)).toEqual({ traceparent: 'mine' });
  });

  test.each([undefined, 'nonsense', [good, good]])('is ignored as %j', (header) => {
    const metadata = { from: 'ada' };
    expect(withTraceparent(metadata, header)).toBe(metadata);
  });
});
