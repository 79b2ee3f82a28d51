import fc from 'fast-check';
import { expect, it } from 'vitest';
import { chatMessages, turnsInBudget } from '../../../src/agents/openai/chat-messages.js';

const turn = (text: string, reply: string) => ({ text, reply: { text: reply, metadata: {} } });
const plenty = { messages: 100, bytes: 10_000 };

it('begins with the system’s message, and ends with the one to be answered', () => {
  expect(chatMessages('Be brief.', [turn('one', 'eins'), turn('two', 'zwei')], 'three', plenty)).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'one' },
    { role: 'assistant', content: 'eins' },
    { role: 'user', content: 'two' },
    { role: 'assistant', content: 'zwei' },
    { role: 'user', content: 'three' },
  ]);
  expect(chatMessages(null, [], 'one', plenty)).toEqual([{ role: 'user', content: 'one' }]);
});

it.each([
  ['by messages', { messages: 3, bytes: 10_000 }, ['two']],
  ['by bytes', { messages: 100, bytes: 7 }, ['two']],
  ['by bytes of UTF-8', { messages: 100, bytes: 14 }, ['one', 'two']],
  ['by neither', { messages: 0, bytes: 10_000 }, []],
  ['without bytes', { messages: 100, bytes: 0 }, []],
])('takes what fits, %s', (_name, budget, expected) => {
  const history = [turn('one', 'eins'), turn('two', 'zwei')];
  const texts = chatMessages(null, history, 'three', budget).map(({ content }) => String(content));
  expect(texts.filter((text) => ['one', 'two'].includes(text))).toEqual(expected);
});

it('has the files behind the text, and no empty text', () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,YQ==' } } as const;
  const contents = (text: string) =>
    chatMessages(null, [], text, plenty, [image]).map(({ content }) => content);
  expect(contents('look')).toEqual([[{ type: 'text', text: 'look' }, image]]);
  expect(contents('')).toEqual([[image]]);
});

it('names an earlier message of files alone, as servers refuse an empty one', () => {
  const texts = chatMessages(null, [turn('', 'eins')], 'two', plenty);
  expect(texts.map(({ content }) => content)).toEqual(['(files without a text)', 'eins', 'two']);
});

it('leaves out a turn without a reply’s text, which servers refuse', () => {
  const texts = chatMessages(null, [turn('one', ''), turn('two', 'zwei')], 'three', plenty);
  expect(texts.map(({ content }) => String(content))).toEqual(['two', 'zwei', 'three']);
});

it('never exceeds the budget, takes the newest, and leaves no gap', () => {
  const turns = fc.array(
    fc.record({ text: fc.string({ minLength: 1 }), reply: fc.string({ minLength: 1 }) }),
  );
  fc.assert(
    fc.property(turns, fc.nat(20), fc.nat(100), (all, messages, bytes) => {
      const history = all.map(({ text, reply }) => turn(text, reply));
      const past = chatMessages(null, history, 'now', { messages, bytes }).slice(0, -1);
      expect(past.length).toBeLessThanOrEqual(messages);
      expect(past.length / 2).toBeLessThanOrEqual(turnsInBudget({ messages, bytes }));
      expect(
        past.reduce((sum, { content }) => sum + Buffer.byteLength(String(content)), 0),
      ).toBeLessThanOrEqual(bytes);
      const newest = all.slice(all.length - past.length / 2).flatMap(({ text, reply }) => [text, reply]);
      expect(past.map(({ content }) => String(content))).toEqual(newest);
    }),
  );
});

it('a client’s own text for the system stands behind the operator’s', () => {
  expect(
    chatMessages('Be brief.', [], 'one', plenty, [], 'In French.').map(({ content }) => content),
  ).toEqual(['Be brief.', 'In French.', 'one']);
});
