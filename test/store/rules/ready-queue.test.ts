import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Collectable,
  countParts,
  nextInSession,
  type Ticket,
  ticketAtEnd,
  ticketBefore,
  turnText,
} from '../../../src/store/rules/ready-queue.js';

/** Gives out tickets of the queue of turns to sessions of these senders, of which none has been served yet. */
function tickets(senders: readonly (string | null)[], presentRound = 0): Ticket[] {
  const last = new Map<string, number>();
  return senders.map((sender, index) => {
    const before = sender === null ? null : (last.get(sender) ?? null);
    const ticket = ticketAtEnd('turn', { lastPosition: index, presentRound }, before);
    if (sender !== null) last.set(sender, ticket.round);
    return ticket;
  });
}

const order = (a: Ticket, b: Ticket) => a.round - b.round || a.position - b.position;
const senders = fc.array(fc.constantFrom(null, 'ada', 'bob', 'flood', 'flood'), { maxLength: 40 });

test('a sender has one session in a round, whatever came before; a session without one counts for itself', () => {
  fc.assert(
    fc.property(senders, fc.nat({ max: 9 }), (waiting, presentRound) => {
      const given = tickets(waiting, presentRound);
      for (const [index, { round }] of given.entries()) {
        const sender = waiting[index];
        const before = waiting.slice(0, index).filter((each) => each !== null && each === sender).length;
        expect(round).toBe(presentRound + 1 + before);
      }
    }),
  );
});

test('who comes first is served first within a round', () => {
  fc.assert(
    fc.property(senders, (waiting) => {
      const given = tickets(waiting);
      const first = given.filter(({ round }) => round === 1);
      expect(first.toSorted(order)).toEqual(first);
    }),
  );
});

test('of deliveries the first come is the first served', () => {
  const facts = { lastPosition: 7, presentRound: 5 };
  expect(ticketAtEnd('delivery', facts, 9)).toEqual({ round: 1, position: 8 });
});

test('what was cut off comes before all others', () => {
  fc.assert(
    fc.property(
      senders.filter((waiting) => waiting.length > 0),
      (waiting) => {
        const [first] = tickets(waiting).toSorted(order) as [Ticket];
        expect(order(ticketBefore(first), first)).toBeLessThan(0);
      },
    ),
  );
});

test('what is tried again comes before what waits', () => {
  expect(nextInSession('retried', 'queued')).toBe('retried');
  expect(nextInSession(undefined, 'queued')).toBe('queued');
  expect(nextInSession(undefined, undefined)).toBeUndefined();
});

const message: Collectable = {
  text: 'x',
  hasBegun: false,
  target: 'there',
  generation: 1,
};
const behind = fc.array(
  fc.record<Collectable>({
    text: fc.constantFrom('', 'x', 'x'.repeat(400_000)),
    hasBegun: fc.boolean(),
    target: fc.constantFrom('there', 'there', 'elsewhere'),
    generation: fc.constantFrom(1, 1, 2),
  }),
  { maxLength: 6 },
);

test('a turn is made of messages that never began and are answered to the same place, and is no longer than 1 MiB', () => {
  fc.assert(
    fc.property(behind, (waiting) => {
      const count = countParts(message, waiting);
      const fits = (parts: readonly Collectable[]) =>
        parts.every(
          (part) =>
            !part.hasBegun && part.target === message.target && part.generation === message.generation,
        ) && parts.reduce((length, { text }) => length + text.length, message.text.length) <= 1_048_576;
      expect(fits(waiting.slice(0, count))).toBe(true);
      if (count < waiting.length) expect(fits(waiting.slice(0, count + 1))).toBe(false);
    }),
  );
});

test('one that has begun stays made of what it was, and nothing behind it is read', () => {
  function* unread(): Generator<Collectable> {
    yield expect.fail('it was read');
  }
  expect(countParts({ ...message, hasBegun: true }, unread())).toBe(0);
});

test('the text of a turn of several messages has no place for those of files alone', () => {
  expect(turnText([{ text: 'one' }, { text: '' }], 'two')).toBe('one\n\ntwo');
  expect(turnText([{ text: '' }], '')).toBe('');
});
