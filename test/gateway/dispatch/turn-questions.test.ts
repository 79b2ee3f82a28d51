import { expect, test } from 'vitest';
import { TurnQuestions } from '../../../src/gateway/dispatch/turn-questions.js';
import { TurnTimer } from '../../../src/gateway/dispatch/turn-timer.js';
import { systemClock } from '../../../src/lifecycle/effects/clock.js';
import type { Turn } from '../../../src/store/turns.js';
import { RecordingLog } from '../delivery/recording-log.js';

test('nobody waits for the answer of a turn that has ended by itself', async () => {
  let asked: AbortSignal | null = null;
  const questions = new TurnQuestions({
    store: { setTurnWait: async () => true },
    log: new RecordingLog(),
    ask: async (_turn, _question, signal) => {
      asked = signal;
      return new Promise<string>(() => undefined);
    },
    onWait: () => undefined,
    onGoOn: () => undefined,
  });
  const turn = { turnId: 'turn-1', metadata: {} } as unknown as Turn;
  const timer = new TurnTimer(systemClock, 60_000, () => undefined);
  const question = { kind: 'read', title: 'x', input: null, options: [] };
  const event = { type: 'question', question, answer: () => undefined } as const;
  questions.ask(turn, event, timer, new AbortController().signal);
  expect(asked).toMatchObject({ aborted: false });
  questions.end(turn);
  expect(asked).toMatchObject({ aborted: true });
  timer.cancel();
});
