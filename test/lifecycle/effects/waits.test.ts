import { expect, test } from 'vitest';
import { answeredWithin, endsWithin, pause } from '../../../src/lifecycle/effects/waits.js';

/** Its time passes when it is told to. */
function handClock() {
  const waiting = new Map<() => void, number>();
  return {
    waiting,
    after(delayMs: number, callback: () => void) {
      waiting.set(callback, delayMs);
      return () => void waiting.delete(callback);
    },
    pass() {
      for (const callback of [...waiting.keys()]) {
        waiting.delete(callback);
        callback();
      }
    },
  };
}

const never = new Promise<never>(() => undefined);

test('a pause ends with its time, or at the signal, and leaves no timer', async () => {
  const clock = handClock();
  const end = new AbortController();
  const first = pause({ clock, signal: end.signal }, 100);
  expect([...clock.waiting.values()]).toEqual([100]);
  clock.pass();
  await first;
  const second = pause({ clock, signal: end.signal }, 100);
  end.abort();
  await second;
  await pause({ clock, signal: end.signal }, 100);
  expect(clock.waiting.size).toBe(0);
});

test('work that ends in time is told from work that does not, and from work that fails', async () => {
  const clock = handClock();
  expect(await endsWithin(clock, 100, Promise.resolve('x'))).toBe(true);
  await expect(endsWithin(clock, 100, Promise.reject(new Error('it failed')))).rejects.toThrow('it failed');
  expect(clock.waiting.size).toBe(0);
  const late = endsWithin(clock, 100, never);
  clock.pass();
  expect(await late).toBe(false);
});

test('a call that is late is aborted', async () => {
  const clock = handClock();
  expect(await answeredWithin(clock, 100, async () => 'answer')).toBe('answer');
  let signal: AbortSignal | null = null;
  const late = answeredWithin(clock, 2_000, (given) => {
    signal = given;
    return never;
  });
  clock.pass();
  await expect(late).rejects.toThrow('there was no answer within 2 s');
  expect(signal).toMatchObject({ aborted: true });
  expect(clock.waiting.size).toBe(0);
});
