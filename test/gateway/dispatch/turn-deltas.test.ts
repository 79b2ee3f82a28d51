import { expect, test } from 'vitest';
import type { MessageProgress } from '../../../src/channels/surroundings.js';
import { TurnDeltas } from '../../../src/gateway/dispatch/turn-deltas.js';
import type { Turn } from '../../../src/store/turns.js';
import { ManualClock, recordingLog } from './fixture.js';

/** @param before pieces that the turn has written in earlier attempts */
function deltasOf(before: readonly string[] = []) {
  const clock = new ManualClock();
  const stored = [...before];
  const calls: (readonly string[])[] = [];
  const progress: MessageProgress[] = [];
  let fails = false;
  const deltas = new TurnDeltas({ messageId: 'm', metadata: {}, deltas: before.length } as Turn, {
    store: {
      appendDeltas: async (_turn, texts) => {
        if (fails) throw new Error('the disk is full');
        calls.push(texts);
        stored.push(...texts);
        return stored.length;
      },
    },
    clock,
    log: recordingLog().log,
    onProgress: (_turn, event) => progress.push(event),
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    deltas,
    stored,
    calls,
    settle,
    fail: (now: boolean) => {
      fails = now;
    },
    pieces: () =>
      progress.flatMap((event) => (event.type === 'delta' ? [`${event.position} ${event.text}`] : [])),
    timesStored: () => progress.filter(({ type }) => type === 'stored').length,
  };
}

test('each piece is given at once under its number, and all are written together within 250 ms', async () => {
  const { deltas, clock, pieces, calls, settle, timesStored } = deltasOf();
  deltas.add('one ');
  deltas.add('two ');
  expect(pieces()).toEqual(['1 one ', '2 two ']);
  await settle();
  deltas.add('three');
  expect(pieces()).toEqual(['1 one ', '2 two ', '3 three']);
  clock.advance(249);
  await settle();
  expect(calls).toEqual([]);
  clock.advance(1);
  await settle();
  expect(calls).toEqual([['one ', 'two ', 'three']]);
  expect(timesStored()).toBe(1);
  deltas.end();
  expect(clock.timers).toBe(0);
});

test('a turn that runs again says first that what it wrote before is void', async () => {
  const { deltas, clock, pieces, stored, settle } = deltasOf(['old', 'text']);
  deltas.add('new');
  await settle();
  expect(pieces()).toEqual(['3 ', '4 new']);
  clock.advance(250);
  await settle();
  expect(stored).toEqual(['old', 'text', '', 'new']);
});

test('a turn that runs again says so when its agent is started; a first run says nothing', async () => {
  const again = deltasOf(['old']);
  again.deltas.begin();
  expect(again.pieces()).toEqual(['2 ']);
  await again.settle();
  // Before the end of the turn, which may come at once.
  expect(again.stored).toEqual(['old', '']);
  const first = deltasOf();
  first.deltas.begin();
  first.deltas.add('one');
  expect(first.pieces()).toEqual(['1 one']);
  first.deltas.end();
  expect(first.clock.timers).toBe(0);
});

test('much text is written without delay, in pieces that a reader takes in one step', async () => {
  const { deltas, calls, settle } = deltasOf();
  deltas.add('x');
  await settle();
  deltas.add('y'.repeat(20_000));
  await settle();
  expect(calls.map((texts) => texts.map(({ length }) => length))).toEqual([[1, 8_192, 8_192]]);
});

test('what the store does not take keeps its number, and is written later', async () => {
  const { deltas, clock, pieces, stored, settle, fail } = deltasOf();
  deltas.add('one');
  await settle();
  fail(true);
  clock.advance(250);
  await settle();
  deltas.add('two');
  fail(false);
  clock.advance(250);
  await settle();
  expect(pieces()).toEqual(['1 one', '2 two']);
  expect(stored).toEqual(['one', 'two']);
});

test('nothing is written once the turn has ended', async () => {
  const { deltas, clock, calls, settle } = deltasOf();
  deltas.add('one');
  await settle();
  deltas.end();
  deltas.add('two');
  clock.advance(1_000);
  await settle();
  expect(calls).toEqual([]);
});

test('no piece has half a character', async () => {
  const { deltas, pieces, settle } = deltasOf();
  deltas.add('a\ud83d');
  deltas.add('\ude00b\0\udc00');
  deltas.add(`${'x'.repeat(8_191)}😀`);
  await settle();
  expect(pieces()).toEqual(['1 a', '2 😀b\ufffd\ufffd', `3 ${'x'.repeat(8_191)}`, '4 😀']);
});
