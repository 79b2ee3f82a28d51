import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SendOutcome } from '../../../src/channels/reply-sender.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { Fault } from '../../support/telegram-stand-in.js';
import { closeStore, openStore, Scene } from './telegram-fixture.js';

let scene: Scene;
const never = new AbortController().signal;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
  for (const chat of [42, -100, -200]) scene.telegram.addChat(chat);
  await scene.channel.start();
});
afterEach(async () => {
  await scene.end();
  expect(scene.telegram.mistakes).toEqual([]);
});

type Members = Partial<Delivery> & { readonly to?: string };

/** Sends all parts, as the gateway does, and gives the end of the last one. */
async function send(members: Members = {}, signal = never): Promise<SendOutcome> {
  const delivery = scene.delivery(members);
  let outcome: SendOutcome | undefined;
  for (const part of scene.channel.replySender.partsOf(delivery)) {
    let isOver = false;
    const sending = scene.channel.replySender.send(part, signal).finally(() => {
      isOver = true;
    });
    await scene.pass(() => isOver);
    outcome = await sending;
    if (outcome.kind !== 'delivered') return outcome;
  }
  if (outcome === undefined) throw new Error('There is no part.');
  return outcome;
}

const refused = (code: number, description: string, parameters?: object): Fault => ({
  kind: 'refuse',
  code,
  description,
  ...(parameters && { parameters }),
});

describe('a reply', () => {
  test('is sent as HTML, and its receipt is the message', async () => {
    expect(await send({ replyText: 'a **bold** <word>' })).toEqual({
      kind: 'delivered',
      receipt: { message_id: 1 },
    });
    expect(scene.telegram.texts).toEqual(['a bold <word>']);
    expect(scene.telegram.sent[0]?.parameters).toMatchObject({ chat_id: 42, parse_mode: 'HTML' });
  });

  test('to a topic answers the message there, with its first part alone', async () => {
    const target = { channel: scene.name, address: '-100:7', options: { message_id: 5 } };
    await send({ target, replyText: 'word '.repeat(1_500) });
    expect(scene.telegram.sent.map(({ parameters }) => parameters)).toMatchObject([
      {
        chat_id: -100,
        message_thread_id: 7,
        reply_parameters: { message_id: 5, allow_sending_without_reply: true },
      },
      { chat_id: -100, message_thread_id: 7 },
    ]);
    expect(scene.telegram.sent[1]?.parameters).not.toHaveProperty('reply_parameters');
  });

  test('that is empty is not sent', async () => {
    expect(await send({ replyText: ' \n' })).toEqual({ kind: 'delivered', receipt: null });
    expect(scene.telegram.sent).toEqual([]);
  });

  test('whose markup Telegram refuses is sent as plain text', async () => {
    scene.telegram.next(
      'sendMessage',
      refused(400, "Bad Request: can't parse entities: Unsupported start tag"),
    );
    expect(await send({ replyText: '**a**' })).toMatchObject({ kind: 'delivered' });
    expect(scene.telegram.callsOf('sendMessage').at(-1)).toEqual({ chat_id: 42, text: 'a' });
  });

  test('to a group that has moved goes to its new id, then and later', async () => {
    scene.telegram.migrated.set(-100, -200);
    expect(await send({ to: '-100' })).toMatchObject({ kind: 'delivered' });
    await send({ to: '-100', replyText: 'again' });
    expect(scene.telegram.callsOf('sendMessage').map(({ chat_id: id }) => id)).toEqual([-100, -200, -200]);
  });

  test.each([
    ['the bot is blocked', refused(403, 'Forbidden: bot was blocked by the user'), 'dead'],
    ['there is no such chat', refused(400, 'Bad Request: chat not found'), 'dead'],
    ['there is no such topic', refused(400, 'Bad Request: message thread not found'), 'dead'],
    ['the token is wrong', refused(401, 'Unauthorized'), 'retry'],
    ['Telegram fails', refused(500, 'Internal Server Error'), 'retry'],
  ])('is %s', async (_name, fault, kind) => {
    scene.telegram.next('sendMessage', fault);
    expect(await send()).toMatchObject({ kind, reason: expect.stringContaining('Telegram refuses it') });
  });

  test('to something that is no chat is dead', async () => {
    expect(await send({ to: 'ada' })).toMatchObject({
      kind: 'dead',
      reason: expect.stringContaining('"ada"'),
    });
    expect(scene.channel.replySender.addressMistake('ada')).toContain('must be the id of a chat');
    expect(scene.channel.replySender.addressMistake('@my_channel')).toBeNull();
  });

  test.each<[string, Fault, boolean]>([
    ['cut before its effect', { kind: 'cut', at: 'before' }, true],
    ['cut after its effect', { kind: 'cut', at: 'after' }, true],
    ['cut in its answer', { kind: 'cut', at: 'in-answer' }, true],
    ['answered by a proxy', { kind: 'raw', status: 502, body: '<html>' }, true],
    ['refused by a proxy', { kind: 'raw', status: 403, body: '<html>' }, false],
    ['not answered', { kind: 'hang', at: 'after' }, true],
  ])('that is %s may have arrived', async (_name, fault, inDoubt) => {
    scene.telegram.next('sendMessage', fault);
    expect(await send()).toMatchObject({ kind: 'retry', inDoubt });
  });

  test('is in doubt if it is aborted under way, and not before', async () => {
    const end = new AbortController();
    scene.telegram.next('sendMessage', { kind: 'hang', at: 'before' });
    const sending = send({}, end.signal);
    await scene.telegram.until(() => scene.telegram.callsOf('sendMessage').length === 1);
    end.abort();
    expect(await sending).toEqual({ kind: 'aborted', inDoubt: true });
    expect(await send({}, end.signal)).toEqual({ kind: 'aborted', inDoubt: false });
  });

  test('is surely not there if Telegram can’t be connected to', async () => {
    await scene.telegram.close();
    expect(await send()).toMatchObject({ kind: 'retry', inDoubt: false });
    await scene.telegram.listen();
  });

  test('that has failed for an hour is set aside', async () => {
    scene.telegram.next('sendMessage', refused(500, 'x'), refused(500, 'x'));
    expect(await send({ dueSince: scene.clock.now() - 3_590_000 })).toMatchObject({ kind: 'retry' });
    expect(await send({ dueSince: scene.clock.now() - 3_600_000 })).toMatchObject({
      kind: 'dead',
      reason: expect.stringContaining(`(channels.${scene.name}.retry_for)`),
    });
  });

  test('for which Telegram asks for time waits, and others of the chat with it, previews too', async () => {
    scene.telegram.next('sendMessage', refused(429, 'Too Many Requests: retry after 9', { retry_after: 9 }));
    expect(await send()).toMatchObject({
      kind: 'retry',
      retryAfterMilliseconds: 9_000,
      pausesHost: true,
      inDoubt: false,
    });
    expect(await send({ replyText: 'other' })).toMatchObject({ kind: 'retry', pausesHost: true });
    const { replySender } = scene.channel;
    expect(await replySender.preview(scene.delivery().target, 'so far', null, never)).toBeNull();
    expect(scene.telegram.callsOf('sendMessage')).toHaveLength(1);
    expect(await send({ to: '-100' })).toMatchObject({ kind: 'delivered' });
  });
});

describe('a preview', () => {
  test('grows, and becomes the reply, once', async () => {
    const { replySender } = scene.channel;
    const { target } = scene.delivery();
    const first = await replySender.preview(target, 'so', null, never);
    expect(await replySender.preview(target, 'so far', first, never)).toEqual(first);
    const parts = [{ part: 0, receipt: first }];
    scene.clock.advance(60_000);
    scene.telegram.next('editMessageText', { kind: 'cut', at: 'after' });
    // It may be made again: an edit has no second effect.
    expect(await send({ parts, replyText: 'so far, so good' })).toMatchObject({
      kind: 'retry',
      inDoubt: false,
    });
    expect(await send({ parts, replyText: 'so far, so good' })).toEqual({
      kind: 'delivered',
      receipt: first,
    });
    expect(scene.telegram.texts).toEqual(['so far, so good']);
  });

  test('that was deleted is no loss', async () => {
    const parts = [{ part: 0, receipt: { message_id: 99 } }];
    expect(await send({ parts })).toEqual({ kind: 'delivered', receipt: { message_id: 1 } });
  });

  test('is not sent faster than the chat takes messages', async () => {
    const { replySender } = scene.channel;
    let receipt = null;
    for (let count = 1; count <= 50; count += 1) {
      receipt = (await replySender.preview(scene.delivery().target, `text ${count}`, receipt, never)) as null;
    }
    expect(scene.telegram.callsOf('editMessageText').length).toBeLessThan(4);
  });

  test('and a sign of typing go to the topic', async () => {
    await scene.channel.replySender.showTyping({ address: '-100:7' }, never);
    expect(scene.telegram.actions).toEqual([{ chat_id: -100, message_thread_id: 7, action: 'typing' }]);
  });
});

describe('a file of a reply', () => {
  async function attachment(content: Buffer, name: string, mediaType: string) {
    const blob = await scene.store.putBlob([content], 10_000_000);
    if (blob === null) throw new Error('It is too large.');
    return { ...blob, name, mediaType };
  }

  test('is a message of its own behind the text: a photo, or a document', async () => {
    const content = Buffer.from([0, 1, 13, 10, 255, 13, 10]);
    const replyAttachments = [
      await attachment(content, 'a "b"\r\n.bin', 'application/octet-stream'),
      await attachment(content, 'c.png', 'image/png'),
    ];
    expect(await send({ replyAttachments })).toEqual({ kind: 'delivered', receipt: { message_id: 3 } });
    expect(scene.telegram.sent.map(({ method }) => method)).toEqual([
      'sendMessage',
      'sendDocument',
      'sendPhoto',
    ]);
    expect(scene.telegram.sent[1]?.parameters).toEqual({ chat_id: 42, document: content });
    expect(scene.telegram.sent[2]?.parameters).toEqual({ chat_id: 42, photo: content });
  });

  test('that is no photo for Telegram goes as a document; one that is gone is named', async () => {
    const photo = await attachment(Buffer.from('x'), 'c.png', 'image/png');
    scene.telegram.next('sendPhoto', refused(400, 'Bad Request: PHOTO_INVALID_DIMENSIONS'));
    const gone = { ...photo, id: '00000000-0000-4000-8000-000000000000', name: 'gone.png' };
    expect(await send({ replyText: '', replyAttachments: [photo, gone] })).toMatchObject({
      kind: 'delivered',
    });
    expect(scene.telegram.sent.map(({ method }) => method)).toEqual(['sendDocument', 'sendMessage']);
    expect(scene.telegram.texts.at(-1)).toContain('"gone.png" is no longer stored');
  });

  test('whose upload is cut off has not arrived', async () => {
    const file = await attachment(Buffer.alloc(5_000_000), 'a.bin', 'application/octet-stream');
    scene.telegram.next('sendDocument', { kind: 'cut', at: 'after' });
    expect(await send({ replyText: '', replyAttachments: [file] })).toMatchObject({
      kind: 'retry',
      inDoubt: true,
    });
  });
});

test('a short text is sent once, or refused', async () => {
  await scene.channel.say({ address: '42' }, 'a <code> & more');
  expect(scene.telegram.texts).toEqual(['a <code> & more']);
  scene.telegram.next('sendMessage', refused(403, 'Forbidden: bot was blocked by the user'));
  await expect(scene.channel.say({ address: '42' }, 'x')).rejects.toThrow('blocked');
  await expect(scene.channel.say({ address: 'x' }, 'x')).rejects.toThrow('must be the id of a chat');
});
