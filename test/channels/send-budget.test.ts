import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SendBudget } from '../../src/channels/send-budget.js';
import { telegramRates } from '../../src/channels/telegram/send-rates.js';

/** Most that fall into any span of this length. */
function mostIn(times: readonly number[], spanMs: number): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + spanMs).length));
}

it('keeps to the limits of the bot and of each chat, in the order of each chat', () => {
  const calls = fc.array(
    fc.record({
      chat: fc.constantFrom('1', '2', '3', '-4', '@five'),
      afterMs: fc.integer({ min: 0, max: 400 }),
    }),
    { minLength: 1, maxLength: 200 },
  );
  fc.assert(
    fc.property(calls, (all) => {
      const budget = new SendBudget(telegramRates);
      let now = 1_000;
      const times = new Map<string, number[]>();
      for (const { chat, afterMs } of all) {
        now += afterMs;
        const at = budget.reserve(chat, now);
        expect(at).toBeGreaterThanOrEqual(now);
        times.set(chat, [...(times.get(chat) ?? []), at]);
      }
      for (const [chat, ats] of times) {
        expect(ats).toEqual(ats.toSorted((a, b) => a - b));
        if (chat.startsWith('-') || chat.startsWith('@')) expect(mostIn(ats, 60_000)).toBeLessThanOrEqual(20);
        else expect(mostIn(ats, 10_000)).toBeLessThanOrEqual(13);
      }
      expect(mostIn([...times.values()].flat(), 1_000)).toBeLessThanOrEqual(30);
    }),
  );
});

it('gives what need not be sent a place only if there is one now', () => {
  const budget = new SendBudget(telegramRates);
  expect([1, 2, 3, 4].map(() => budget.tryReserve('1', 0))).toEqual([true, true, true, false]);
  expect(budget.tryReserve('1', 1_000)).toBe(true);
  expect(budget.tryReserve('2', 1_000)).toBe(true);
});

it('holds a chat for as long as the platform asks, and the bot if two chats have to wait', () => {
  const budget = new SendBudget(telegramRates);
  budget.hold('1', 9_000, 0);
  expect(budget.heldUntil('1', 0)).toBe(9_000);
  expect(budget.heldUntil('1', 9_000)).toBeNull();
  expect(budget.heldUntil('2', 0)).toBeNull();
  expect(budget.reserve('1', 0)).toBe(9_000);
  budget.hold('2', 5_000, 1_000);
  expect(budget.heldUntil('3', 1_000)).toBe(5_000);
});
