import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Channel } from '../../../src/channels/channel.js';
import type { ReplySender } from '../../../src/channels/reply-sender.js';
import type { AskedQuestion } from '../../../src/channels/surroundings.js';
import { QuestionMessages } from '../../../src/gateway/questions/question-messages.js';
import type { Turn } from '../../../src/store/turns.js';
import { RecordingLog } from '../delivery/recording-log.js';
import { ManualClock } from '../dispatch/fixture.js';

const target = { channel: 'tg', address: '7', options: { message_id: 3 } };
const turn = { messageId: 'm1', metadata: {}, session: 'tg:7', replyTo: target } as unknown as Turn;

function bench(say: Channel['say'], sender: Partial<ReplySender> | null = {}) {
  const clock = new ManualClock();
  const log = new RecordingLog();
  const messages = new QuestionMessages({
    senderOf: () => sender as ReplySender | null,
    sayOf: () => say,
    log,
    clock,
  });
  const question = {
    code: 'K7Q2',
    kind: 'execute',
    title: 'Run rm -rf build',
    input: `{"command":"${'x'.repeat(1_000)}"}`,
    expiresAt: clock.now() + 600_000,
  } as AskedQuestion;
  return { clock, log, messages, question };
}

test('a question is put to the chat that the reply goes to, with the words that answer it', async () => {
  const said: [object, string][] = [];
  const { messages, question } = bench(async (...words) => void said.push(words));
  await messages.put(question, turn);
  const [[to, text] = [{}, '']] = said;
  expect(to).toEqual(target);
  const lines = text.split('\n');
  expect(lines[0]).toBe('May I do this? Run rm -rf build (execute)');
  expect(lines[1]).toMatch(/^\{"command":"x+…$/);
  expect(lines[2]).toBe(
    '/approve K7Q2 allows it, /deny K7Q2 does not. Without an answer within 10min it is a no.',
  );
  for (const replyTo of [null, { channel: 'webhook', address: 'https://a.example/', options: {} }]) {
    await messages.put(question, { ...turn, replyTo });
  }
  expect(said).toHaveLength(1);
});

test('a channel that has a form of its own for questions gets the choices', async () => {
  const asked: unknown[] = [];
  const ask: ReplySender['ask'] = async (_target, { id, choices }) => {
    asked.push({ id, choices });
    return null;
  };
  const { messages, question } = bench(undefined, { ask });
  await messages.put(question, turn);
  expect(asked).toEqual([{ id: 'K7Q2', choices: ['approve', 'deny'] }]);
});

test.each([
  ['fails', async () => Promise.reject(new Error('429')), {}, '429'],
  ['does not answer', () => new Promise<void>(() => undefined), {}, 'no answer within 10 s'],
  ['does not run', undefined, null, 'does not run'],
])('a channel that %s is tried again, and then the log says so', async (_name, say, sender, reason) => {
  const { clock, log, messages, question } = bench(say, sender);
  let isOver = false;
  const put = messages.put(question, turn).then(() => {
    isOver = true;
  });
  const began = clock.now();
  while (!isOver) {
    clock.advance(500);
    await nextTurn();
  }
  await put;
  expect(clock.now() - began).toBeGreaterThanOrEqual(40_000);
  expect(log.records).toEqual([
    expect.objectContaining({ priority: 'warning', message: expect.stringContaining(reason) }),
  ]);
  expect(log.records[0]?.message).toContain('sd-gateway approve K7Q2');
});
