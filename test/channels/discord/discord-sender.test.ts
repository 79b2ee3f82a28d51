import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SendOutcome } from '../../../src/channels/reply-sender.js';
import { type DiscordFault, directId, guildChannelId } from '../../support/discord-stand-in.js';
import { closeStore, openStore, Scene } from './discord-fixture.js';

let scene: Scene;
const never = new AbortController().signal;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
  await scene.channel.start();
});
afterEach(async () => {
  await scene.end();
  expect(scene.discord.mistakes).toEqual([]);
  expect(scene.discord.limited).toBe(0);
});

const passed: Scene['passed'] = (work) => scene.passed(work);
const send: Scene['sent'] = (members, channel) => scene.sent(members, channel);

const refused = (status: number, code: number, message: string): DiscordFault => ({
  kind: 'refuse',
  status,
  body: { message, code },
});

describe('a reply', () => {
  test('is sent with a number, calls nobody, and its receipt is the message', async () => {
    const outcome = await send({ replyText: 'a **bold** @everyone' });
    expect(outcome).toEqual({ kind: 'delivered', receipt: { message_id: scene.discord.sent[0]?.id } });
    expect(scene.discord.callsOf('POST messages')[0]?.body).toEqual({
      content: 'a **bold** @everyone',
      nonce: expect.stringMatching(/^[\w-]{24}$/),
      enforce_nonce: true,
      allowed_mentions: { parse: [] },
    });
  });

  test('of a server answers the message with its first part alone, within the limits', async () => {
    const target = {
      channel: scene.name,
      address: guildChannelId,
      options: { message_id: '700000000000000001' },
    };
    await send({ target, replyText: 'word '.repeat(2_500) });
    const bodies = scene.discord.callsOf('POST messages').map(({ body }) => body);
    expect(bodies.length).toBeGreaterThan(5);
    expect(bodies[0]).toMatchObject({
      message_reference: { message_id: '700000000000000001', fail_if_not_exists: false },
    });
    expect(bodies[1]).not.toHaveProperty('message_reference');
    expect(new Set(bodies.map(({ nonce }) => nonce)).size).toBe(bodies.length);
  });

  test('that is empty is not sent', async () => {
    expect(await send({ replyText: ' \n' })).toEqual({ kind: 'delivered', receipt: null });
    expect(scene.discord.sent).toEqual([]);
  });

  test('where the history may not be read goes without the message that it answers', async () => {
    scene.discord.next(
      'POST messages',
      refused(400, 160_002, 'Cannot reply without permission to read history'),
    );
    const target = {
      channel: scene.name,
      address: guildChannelId,
      options: { message_id: '700000000000000001' },
    };
    expect(await send({ target })).toMatchObject({ kind: 'delivered' });
    expect(scene.discord.sent[0]).not.toHaveProperty('message_reference');
  });

  test('takes the place of its preview, or is a new message if that is gone', async () => {
    const target = { channel: scene.name, address: directId, options: {} };
    const preview = () => passed(scene.channel.replySender.preview(target, 'so far', null, never));
    const first = await preview();
    const parts = [{ part: 0, receipt: first }];
    expect(await send({ parts, replyText: 'done' })).toMatchObject({ kind: 'delivered', receipt: first });
    expect(scene.discord.texts).toEqual(['done']);
    const gone = [{ part: 0, receipt: { message_id: '700000000000000009' } }];
    expect(await send({ parts: gone, replyText: 'again', webhookId: 'msg_2' })).toMatchObject({
      kind: 'delivered',
    });
    expect(scene.discord.texts).toEqual(['done', 'again']);
  });

  test.each<[string, DiscordFault, SendOutcome['kind']]>([
    ['the bot has no access', refused(403, 50_001, 'Missing Access'), 'dead'],
    ['the person takes no messages', refused(403, 50_007, 'Cannot send messages to this user'), 'dead'],
    ['there is no such channel', refused(404, 10_003, 'Unknown Channel'), 'dead'],
    ['the token is wrong', refused(401, 0, '401: Unauthorized'), 'retry'],
    ['Discord fails', refused(500, 0, 'Internal Server Error'), 'retry'],
  ])('if %s ends as that says', async (_name, fault, kind) => {
    scene.discord.next('POST messages', fault);
    expect(await send()).toMatchObject({ kind, reason: expect.stringContaining('Discord refuses it') });
  });

  test('to something that is no channel is dead', async () => {
    expect(await send({ to: '#general' })).toMatchObject({ kind: 'dead' });
    expect(scene.channel.replySender.addressMistake('#general')).toContain('must be the id of a channel');
    expect(scene.channel.replySender.addressMistake(directId)).toBeNull();
  });

  test('waits for the time that Discord asks for, in its channel or in all', async () => {
    const limited = { message: 'You are being rate limited.', retry_after: 60, global: false };
    scene.discord.next('POST messages', { kind: 'refuse', status: 429, body: limited });
    expect(await send()).toMatchObject({ kind: 'retry', retryAfterMilliseconds: 60_000, inDoubt: false });
    expect(await send()).toMatchObject({ kind: 'retry', pausesHost: true });
    expect(await send({ to: guildChannelId })).toMatchObject({ kind: 'delivered' });
    scene.discord.next('POST messages', { kind: 'refuse', status: 429, body: { ...limited, global: true } });
    await send({ to: guildChannelId, webhookId: 'msg_2' });
    expect(await send({ to: guildChannelId, webhookId: 'msg_3' })).toMatchObject({ kind: 'retry' });
    expect(scene.discord.callsOf('POST messages')).toHaveLength(3);
  });
});

describe('a send in doubt', () => {
  test.each<[string, DiscordFault, number]>([
    ['cut before its effect', { kind: 'cut', at: 'before' }, 2],
    ['cut after its effect', { kind: 'cut', at: 'after' }, 1],
    ['cut in its answer', { kind: 'cut', at: 'in-answer' }, 1],
    ['answered by a proxy', { kind: 'raw', status: 502, body: '<html>' }, 2],
    ['not answered', { kind: 'hang', at: 'after' }, 1],
  ])('that is %s is settled by the messages of its channel', async (_name, fault, posts) => {
    scene.discord.next('POST messages', fault);
    const repliedAt = scene.clock.now() + 1;
    expect(await send({ repliedAt })).toMatchObject({ kind: 'retry', inDoubt: true });
    expect(await send({ attempt: 2, repliedAt })).toMatchObject({ kind: 'delivered' });
    expect(scene.discord.texts).toEqual(['hello']);
    expect(scene.discord.callsOf('POST messages')).toHaveLength(posts);
  });

  test.each([true, false])(
    'before a crash is found by the next start (number told: %s)',
    async (tellsNonce) => {
      scene.discord.tellsNonce = tellsNonce;
      await send({ replyText: 'other', webhookId: 'msg_0' });
      await send({ replyText: 'hello **you**' });
      scene.clock.advance(600_000);
      const next = scene.made();
      await next.start();
      const repliedAt = scene.clock.now() - 600_000;
      expect(await send({ replyText: 'hello **you**', repliedAt, attempt: 2 }, next)).toEqual({
        kind: 'delivered',
        receipt: { message_id: scene.discord.sent[1]?.id },
      });
      expect(scene.discord.texts).toEqual(['other', 'hello **you**']);
    },
  );

  test('whose channel can not be read is sent again within minutes, as Discord takes it once', async () => {
    scene.discord.unreadable.add(directId);
    scene.discord.next('POST messages', { kind: 'cut', at: 'after' });
    await send();
    scene.clock.advance(30_000);
    expect(await send({ attempt: 2, repliedAt: scene.clock.now() - 31_000 })).toMatchObject({
      kind: 'delivered',
    });
    expect(scene.discord.texts).toEqual(['hello']);
  });

  test.each([
    ['resend', 'delivered'],
    ['ask', 'dead'],
    [null, 'dead'],
  ])('later is treated as unknown = %s says', async (unknown, kind) => {
    scene.discord.unreadable.add(directId);
    const repliedAt = scene.clock.now();
    scene.clock.advance(600_000);
    const next = scene.made(unknown === null ? {} : { unknown });
    await next.start();
    expect(await send({ attempt: 2, repliedAt }, next)).toMatchObject({ kind });
  });
});

describe('files and signs', () => {
  test('of a reply follow its text, each with a number', async () => {
    const blob = await scene.store.putBlob([Buffer.from('content')], 1_000);
    if (blob === null) throw new Error('It is too large.');
    const stored = { ...blob, name: 'a "naïve".txt', mediaType: 'text/plain' };
    const big = { ...stored, name: 'big.bin', sizeBytes: 11 * 1024 ** 2 };
    const gone = { ...stored, id: '00000000-0000-4000-8000-000000000000', name: 'gone.txt' };
    expect(await send({ replyAttachments: [stored, big, gone] })).toMatchObject({ kind: 'delivered' });
    expect(scene.discord.sent.map(({ content, attachments }) => [content, attachments.length])).toEqual([
      ['hello', 0],
      ['', 1],
      [expect.stringContaining('big.bin'), 0],
      [expect.stringContaining('no longer stored'), 0],
    ]);
    expect(scene.discord.sent[1]?.attachments).toMatchObject([{ filename: 'a %22naïve%22.txt', size: 7 }]);
  });

  test('typing is shown', async () => {
    await passed(scene.channel.replySender.showTyping({ address: directId }, never));
    expect(scene.discord.typing).toEqual([directId]);
  });
});
