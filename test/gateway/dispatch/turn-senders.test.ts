import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allowedTurn, plainSenders } from '../../../src/gateway/dispatch/turn-senders.js';
import { turnText } from '../../../src/store/rules/ready-queue.js';
import type { Turn } from '../../../src/store/turns.js';
import { propertyRuns } from '../../support/properties.js';

interface Part {
  readonly sender: string;
  readonly text: string;
}

function turnOf(parts: readonly Part[], own: Part): Turn {
  const collected = parts.map(({ sender, text }, index) => ({
    messageId: `m${index}`,
    seq: index + 1,
    text,
    metadata: {},
    sender,
  }));
  return {
    turnId: 't',
    messageId: 'm',
    session: 'tg:1',
    seq: parts.length + 1,
    text: turnText(collected, own.text),
    metadata: {},
    sender: own.sender,
    channel: 'tg',
    collected,
    replyTo: null,
    acceptedAt: 0,
    agent: null,
    generation: 1,
    attempt: 1,
    putBacks: 0,
    deltas: 0,
    owner: 'o',
    epoch: 1,
  };
}

const allowing = (...allowed: readonly string[]) => ({
  ...plainSenders({ channel: 'tg' }),
  mayWrite: (id: string | null) => id === null || allowed.includes(id),
});

test('a turn whose own author may not write is none', () => {
  expect(
    allowedTurn(turnOf([{ sender: 'ada', text: 'a' }], { sender: 'eve', text: 'b' }), allowing('ada')),
  ).toBeNull();
});

test('a turn of people who may all write stays as it is', () => {
  const turn = turnOf([{ sender: 'eve', text: 'a' }], { sender: 'ada', text: 'b' });
  expect(allowedTurn(turn, allowing('ada', 'eve'))).toBe(turn);
});

test('what others may no longer write is left out of a turn, and all else stays', () => {
  const part = fc.record({
    sender: fc.constantFrom('ada', 'eve', 'bob'),
    text: fc.constantFrom('', 'a', '\n\n', 'a\n\nb', '\n\nb', 'c\n\n'),
  });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), part, (parts, own) => {
      const turn = turnOf(parts, { ...own, sender: 'ada' });
      const left = parts.filter(({ sender }) => sender !== 'eve');
      const allowed = allowedTurn(turn, allowing('ada', 'bob'));
      expect(allowed?.collected.map(({ text }) => text)).toEqual(left.map(({ text }) => text));
      expect(allowed?.text).toBe(turnText(left, own.text));
    }),
    { numRuns: propertyRuns(300) },
  );
});
