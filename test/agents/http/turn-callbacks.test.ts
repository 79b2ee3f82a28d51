import { expect, it } from 'vitest';
import { TurnCallbacks } from '../../../src/agents/http/turn-callbacks.js';
import { memoryRecords } from '../../support/memory-records.js';

const reply = { text: 'hello', metadata: { a: 1 } };
const limits = { count: 2, fileBytes: 10, totalBytes: 15 };
const never = new AbortController().signal;

function made(start = 1_000) {
  let now = start;
  const store = memoryRecords();
  const callbacks = new TurnCallbacks(store, { now: () => now, attachmentLimits: () => limits });
  return {
    store,
    callbacks,
    pass: (ms: number) => {
      now += ms;
    },
    another: () => new TurnCallbacks(store, { now: () => now, attachmentLimits: () => limits }),
  };
}

it('takes the reply of an attempt once, and the same one again', async () => {
  const { callbacks, store } = made();
  const token = await callbacks.begin('t', 5_000, 100);
  expect(JSON.stringify([...store.all.values()])).not.toContain(token);
  await callbacks.accepted('t');
  const waiting = callbacks.reply('t', never);
  expect(await callbacks.take('t', token, reply)).toEqual({ outcome: 'taken' });
  expect(await waiting).toEqual(reply);
  expect(await callbacks.take('t', token, reply)).toEqual({ outcome: 'repeated' });
  expect(await callbacks.take('t', token, { ...reply, text: 'other' })).toEqual({ outcome: 'ended' });
  // The turn's end, which comes after it, changes nothing.
  await callbacks.end('t');
  expect(await callbacks.take('t', token, reply)).toEqual({ outcome: 'repeated' });
});

it('may come before the agent’s 202', async () => {
  const { callbacks } = made();
  const token = await callbacks.begin('t', 5_000, 100);
  await callbacks.take('t', token, reply);
  await callbacks.accepted('t');
  expect(await callbacks.reply('t', never)).toEqual(reply);
});

it('is not open before the agent has said so, and after the end', async () => {
  const { callbacks, another } = made();
  expect(await callbacks.isOpen('t')).toBe(false);
  await callbacks.begin('t', 5_000, 100);
  expect(await callbacks.isOpen('t')).toBe(false);
  await callbacks.accepted('t');
  expect(await another().isOpen('t')).toBe(true);
  await callbacks.end('t');
  expect(await callbacks.isOpen('t')).toBe(false);
  await callbacks.accepted('t');
  expect(await callbacks.isOpen('t')).toBe(false);
});

it.each(['ended', 'late', 'begun anew', 'never begun'])(
  'is not taken when the attempt is %s',
  async (how) => {
    const { callbacks, pass } = made();
    const token = how === 'never begun' ? 'x' : await callbacks.begin('t', 5_000, 100);
    if (how === 'ended') await callbacks.end('t');
    if (how === 'late') pass(5_000);
    if (how === 'begun anew') await callbacks.begin('t', 5_000, 100);
    expect((await callbacks.bodyLimitBytes('t', token)) !== null).toBe(how !== 'never begun');
    expect(await callbacks.take('t', token, reply)).toEqual({ outcome: 'ended' });
    expect(await callbacks.bodyLimitBytes('t', 'nonsense')).toBeNull();
  },
);

it('is not taken if it is too large', async () => {
  const { callbacks } = made();
  const token = await callbacks.begin('t', 5_000, 4);
  expect(await callbacks.take('t', token, reply)).toEqual({ outcome: 'too-large', limitBytes: 4 });
  expect(await callbacks.take('t', token, { text: 'abcd', metadata: {} })).toEqual({ outcome: 'taken' });
});

it('is waited for until the deadline, which a restart doesn’t change', async () => {
  const { callbacks, pass, another } = made();
  await callbacks.begin('t', 5_000, 100);
  await callbacks.accepted('t');
  pass(5_000);
  expect(await another().reply('t', never)).toBeNull();
});

it('ends with the signal', async () => {
  const { callbacks } = made();
  await callbacks.begin('t', 5_000, 100);
  const abort = new AbortController();
  const waiting = callbacks.reply('t', abort.signal);
  abort.abort(new Error('stop'));
  await expect(waiting).rejects.toThrow('stop');
});

it('takes one of two replies that come at the same time', async () => {
  const { callbacks, another } = made();
  const token = await callbacks.begin('t', 5_000, 100);
  const outcomes = await Promise.all([
    callbacks.take('t', token, { text: 'a', metadata: {} }),
    another().take('t', token, { text: 'b', metadata: {} }),
  ]);
  expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['ended', 'taken']);
});

const file = (name: string, content: string) => ({
  name,
  mediaType: 'text/plain',
  data: Buffer.from(content).toString('base64'),
});

it('has its files, which are stored once', async () => {
  const { callbacks, another, store } = made();
  const token = await callbacks.begin('t', 5_000, 100);
  await callbacks.accepted('t');
  const given = { ...reply, files: [file('dir/a.txt', 'first'), file('b.txt', 'second')] };
  expect(await Promise.all([callbacks.take('t', token, given), another().take('t', token, given)])).toEqual(
    expect.arrayContaining([{ outcome: 'taken' }, { outcome: 'repeated' }]),
  );
  expect(await callbacks.take('t', token, given)).toEqual({ outcome: 'repeated' });
  const others = [file('dir/a.txt', 'first'), file('b.txt', 'other')];
  expect(await callbacks.take('t', token, { ...reply, files: others })).toEqual({ outcome: 'ended' });
  expect(await callbacks.take('t', token, reply)).toEqual({ outcome: 'ended' });
  const taken = await callbacks.reply('t', never);
  expect(taken).toMatchObject({ ...reply, attachments: [{ name: 'a.txt' }, { name: 'b.txt' }] });
  const kept = taken?.attachments?.map(({ id }) => store.blobs.get(id)?.toString());
  expect(kept).toEqual(['first', 'second']);
  expect(store.blobs.size).toBe(2);
});

it.each([
  ['too many', [file('a', 'a'), file('b', 'b'), file('c', 'c')], 2, 'count', 'attachments.count_limit'],
  ['too large', [file('a', 'a'), file('b', 'longer than ten')], 1, 'size', 'attachments.file_limit'],
  ['no base64', [file('a', 'a'), { ...file('b', ''), data: '????' }], 1, 'count', 'no base64'],
])('is refused with files that are %s, and taken without', async (_, files, index, limit, message) => {
  const { callbacks, store } = made();
  const token = await callbacks.begin('t', 5_000, 100);
  await callbacks.accepted('t');
  expect(await callbacks.take('t', token, { ...reply, files })).toMatchObject({
    outcome: 'file-refused',
    index,
    limit,
    message: expect.stringContaining(message),
  });
  expect(store.blobs.size).toBe(0);
  expect(await callbacks.take('t', token, reply)).toEqual({ outcome: 'taken' });
  expect(await callbacks.reply('t', never)).toEqual(reply);
});

it('fails the attempt if its files are gone, and the next one is posted', async () => {
  const { callbacks, store } = made();
  const token = await callbacks.begin('t', 5_000, 100);
  await callbacks.accepted('t');
  await callbacks.take('t', token, { ...reply, files: [file('a.txt', 'a')] });
  store.blobs.clear();
  await expect(callbacks.reply('t', never)).rejects.toThrow('"a.txt" of the agent’s late reply is no longer');
  expect(await callbacks.isOpen('t')).toBe(false);
});
