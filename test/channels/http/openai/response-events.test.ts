import { expect, test } from 'vitest';
import type { Outcome } from '../../../../src/channels/http/openai/outcome.js';
import { ResponseEvents } from '../../../../src/channels/http/openai/response-events.js';
import type { Message } from '../../../../src/store/messages.js';
import { eventsIn } from './front-fixture.js';

const message = {
  id: '01a22fcd-7868-7486-94f5-7a2cca0eb3ae',
  session: 'openai:ci:a',
  state: 'running',
  metadata: { openai: { api: 'responses', model: 'default' } },
  acceptedAt: 1_000_000,
  changedAt: 1_000_000,
  collectedIn: null,
} as Partial<Message> as Message;
const ended = { ...message, state: 'replied', changedAt: 1_005_000 } as const;

const reply = (text: string): Outcome => ({ type: 'reply', text, finish: 'stop', usage: null, files: [] });

interface Event {
  readonly type: string;
  readonly sequence_number: number;
  readonly output_index?: number;
  readonly delta?: string;
  readonly response?: { readonly completed_at: number; readonly output: readonly { readonly id: string }[] };
  readonly item?: { readonly id: string };
}

const parsed = (text: string) => eventsIn(text).data.map((each) => JSON.parse(each) as Event);

test('the last event has the response as it is at its end', () => {
  const events = new ResponseEvents(message);
  events.begin(message);
  expect(parsed(events.end(reply('x'), ended)).at(-1)?.response?.completed_at).toBe(1_005);
});

test('a reply that is another text than its pieces is an item of its own, also for who goes on behind it', () => {
  const live = new ResponseEvents(message);
  const seen = parsed(
    live.begin(message) + live.piece({ position: 1, text: 'draft' }) + live.end(reply('final'), ended),
  );
  expect(seen.filter(({ delta }) => delta !== undefined)).toMatchObject([
    { output_index: 0, delta: 'draft' },
    { output_index: 1, delta: 'final' },
  ]);
  const cut = seen.find(({ delta }) => delta === 'final')?.sequence_number ?? 0;
  const later = new ResponseEvents(message, cut);
  const rest = parsed(later.begin(message) + later.end(reply('final'), ended));
  expect(rest).toEqual(seen.filter(({ sequence_number }) => sequence_number > cut));
});

test('a client that has half of a text gets the other half', () => {
  const whole = new ResponseEvents(message);
  const [begin] = parsed(whole.begin(message) + whole.piece({ position: 1, text: 'one' })).slice(-1);
  const later = new ResponseEvents(message, begin?.sequence_number);
  const rest = parsed(later.begin(message) + later.end(reply('one two'), ended));
  expect(rest[0]).toMatchObject({ type: 'response.output_text.delta', delta: ' two' });
});
