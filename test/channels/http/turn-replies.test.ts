import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TurnCallbacks } from '../../../src/agents/http/turn-callbacks.js';
import { memoryRecords } from '../../support/memory-records.js';
import { bodyOf, token as operator, type Served, serve } from './http-fixture.js';

const turn = 'turn_0193a1b2c3d47e8f9a0b1c2d3e4f5a6b';
let served: Served;
let callbacks: TurnCallbacks;

beforeAll(async () => {
  callbacks = new TurnCallbacks(memoryRecords(), {
    attachmentLimits: () => ({ count: 1, fileBytes: 10, totalBytes: 10 }),
  });
  served = await serve({ channel: { turnReplies: callbacks } });
});
afterAll(() => served.dispose());

function reply(token: string, body: unknown, of = turn): Promise<Response> {
  return fetch(`${served.base}/v1/turns/${of}/reply`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

function deferred() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('a late reply', () => {
  it('is taken with the token of its attempt, and is the same twice', async () => {
    const token = await callbacks.begin(turn, 60_000, 10);
    await callbacks.accepted(turn);
    expect((await reply(token, { text: 'far too long' })).status).toBe(413);
    for (let count = 0; count < 2; count += 1) {
      const taken = await reply(token, { text: 'hello', metadata: { a: 1 } });
      expect(taken.status).toBe(200);
      expect(await taken.json()).toEqual({ turn_id: turn, state: 'replied' });
    }
    const signal = AbortSignal.timeout(5_000);
    expect(await callbacks.reply(turn, signal)).toEqual({ text: 'hello', metadata: { a: 1 } });
    const other = await reply(token, { text: 'other' });
    expect(other.status).toBe(409);
    expect(await bodyOf(other)).toMatchObject({ type: 'urn:sd-gateway:problem:turn-ended' });
  });

  it('may have files', async () => {
    const token = await callbacks.begin(turn, 60_000, 10);
    await callbacks.accepted(turn);
    const file = { name: 'a.txt', media_type: 'text/plain', data: 'aGVsbG8=' };
    const large = await reply(token, { text: 'a', attachments: [{ ...file, data: 'YWFhYWFhYWFhYWFhYWFh' }] });
    expect(large.status).toBe(413);
    expect(await bodyOf(large)).toMatchObject({ errors: [{ pointer: '#/attachments/0' }] });
    expect((await reply(token, { text: 'a', attachments: [file, file] })).status).toBe(422);
    expect((await reply(token, { text: 'a', attachments: [{ name: 'a.txt' }] })).status).toBe(422);
    expect((await reply(token, { text: 'a', attachments: [file] })).status).toBe(200);
    expect(await callbacks.reply(turn, AbortSignal.timeout(5_000))).toMatchObject({
      text: 'a',
      attachments: [{ name: 'a.txt', mediaType: 'text/plain', sizeBytes: 5 }],
    });
  });

  it('is refused as a whole if it has more values than a reply ever has', async () => {
    const token = await callbacks.begin(turn, 60_000, 10);
    const many = await reply(token, { text: 'a', attachments: Array(1_001).fill(1) });
    expect(many.status).toBe(422);
    // One mistake for the list, and none for each item.
    expect(await bodyOf(many)).toMatchObject({
      errors: [{ pointer: '#/attachments', detail: 'must have at most 1000 items' }],
    });
    const roomy = await callbacks.begin(turn, 60_000, 1_000_000);
    const costly = await reply(roomy, { text: 'a', attachments: Array(600_000).fill(1) });
    expect(costly.status).toBe(400);
    expect(await bodyOf(costly)).toMatchObject({
      detail: 'The body can’t be read: the JSON has more than 1048576 characters outside its strings.',
    });
  });

  it('is refused, before it is read, at a size that none of the turn’s limits takes', async () => {
    const token = await callbacks.begin(turn, 60_000, 10);
    const limitBytes = await callbacks.bodyLimitBytes(turn, token);
    const refused = await reply(token, { text: 'a'.repeat(limitBytes ?? 0) });
    expect(refused.status).toBe(413);
    expect(await bodyOf(refused)).toMatchObject({
      detail: `The body is larger than ${limitBytes} bytes (agent.reply_limit, and attachments.total_limit in base64).`,
    });
  });

  it('is to come again while others that are large are stored', async () => {
    const records = memoryRecords();
    const slow = new TurnCallbacks(records);
    const stored = deferred();
    const begun = deferred();
    let waits = 0;
    const held = await serve({
      channel: {
        turnReplies: {
          bodyLimitBytes: (id, given) => slow.bodyLimitBytes(id, given),
          take: async (...given) => {
            waits += 1;
            if (waits === 2) begun.resolve();
            if (waits <= 2) await stored.promise;
            return slow.take(...given);
          },
        },
      },
    });
    try {
      const turns = ['1', '2', '3'].map((digit) => `turn_${digit.repeat(32)}`);
      const posts = await Promise.all(
        turns.map(async (id) => {
          const given = await slow.begin(id, 60_000, 20_000_000);
          await slow.accepted(id);
          const body = JSON.stringify({ text: id.slice(-1).repeat(10_000_000) });
          const headers = { authorization: `Bearer ${given}`, 'content-type': 'application/json' };
          return () => fetch(`${held.base}/v1/turns/${id}/reply`, { method: 'POST', headers, body });
        }),
      );
      const first = [posts[0]?.(), posts[1]?.()];
      await begun.promise;
      const third = await posts[2]?.();
      expect(third?.status).toBe(503);
      expect(third?.headers.get('retry-after')).toBe('5');
      expect(await third?.json()).toMatchObject({ type: 'urn:sd-gateway:problem:too-many-uploads' });
      stored.resolve();
      expect((await Promise.all(first)).map((answer) => answer?.status)).toEqual([200, 200]);
      expect((await posts[2]?.())?.status).toBe(200);
    } finally {
      stored.resolve();
      await held.dispose();
    }
  });

  it('is 409 once another attempt has begun', async () => {
    const token = await callbacks.begin(turn, 60_000, 10);
    await callbacks.begin(turn, 60_000, 10);
    expect((await reply(token, { text: 'a' })).status).toBe(409);
  });

  it.each([
    ['the operator’s token', () => operator, turn],
    ['nonsense', () => 'nonsense', turn],
    ['another turn', (token: string) => token, 'turn_1193a1b2c3d47e8f9a0b1c2d3e4f5a6b'],
    ['what is no turn', (token: string) => token, 'x'],
  ])('is 401 with %s', async (_name, of, at) => {
    const token = await callbacks.begin(turn, 60_000, 10);
    expect((await reply(of(token), { text: 'a' }, at)).status).toBe(401);
  });

  it('opens nothing else', async () => {
    const token = await callbacks.begin(turn, 60_000, 10);
    expect((await served.get('/v1/sessions', { authorization: `Bearer ${token}` })).status).toBe(401);
  });

  it.each([[{}], [{ text: 1 }], [{ text: 'a\0' }], [{ text: 'a', metadata: [] }], [{ text: 'a', x: 1 }]])(
    'is 422 when it is %j',
    async (body) => {
      const token = await callbacks.begin(turn, 60_000, 10);
      expect((await reply(token, body)).status).toBe(422);
    },
  );
});
