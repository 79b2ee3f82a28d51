import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SendOutcome } from '../../../src/channels/reply-sender.js';
import { ada, directId, groupId, type MatrixFault } from '../../support/matrix-stand-in.js';
import { closeStore, openStore, Scene } from './matrix-fixture.js';

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
  expect(scene.matrix.mistakes).toEqual([]);
});

const passed: Scene['passed'] = (work) => scene.passed(work);
const send: Scene['sent'] = (members, channel) => scene.sent(members, channel);

const sends = () => scene.matrix.callsOf('PUT send');
const refused = (status: number, errcode: string, members: object = {}): MatrixFault => ({
  kind: 'refuse',
  status,
  body: { errcode, error: 'No.', ...members },
});

describe('a reply', () => {
  test('is sent with a transaction, calls nobody, and its receipt is the event', async () => {
    expect(await send({ replyText: 'a **bold** one\n@room <b>' })).toEqual({
      kind: 'delivered',
      receipt: { event_id: scene.matrix.sent[0]?.event_id },
    });
    expect(scene.matrix.sent[0]?.content).toMatchObject({
      msgtype: 'm.text',
      body: 'a bold one\n@room <b>',
      format: 'org.matrix.custom.html',
      formatted_body: 'a <strong>bold</strong> one<br>@room &lt;b&gt;',
      'm.mentions': {},
    });
    await send({ replyText: 'plain', webhookId: 'msg_2' });
    expect(scene.matrix.sent[1]?.content).not.toHaveProperty('formatted_body');
  });

  test('that is empty is not sent', async () => {
    expect(await send({ replyText: ' \n' })).toEqual({ kind: 'delivered', receipt: null });
    expect(scene.matrix.sent).toEqual([]);
  });

  test('of a group answers the message and calls its author with its first part alone, within the limits', async () => {
    const asked = scene.matrix.says('hello', {}, groupId);
    const target = {
      channel: scene.name,
      address: groupId,
      options: { event_id: asked.event_id, user_id: ada },
    };
    await send({ target, replyText: '"word" '.repeat(4_000) });
    const contents = scene.matrix.sent.map(({ content }) => content);
    expect(contents.length).toBeGreaterThan(1);
    expect(contents[0]).toMatchObject({
      'm.mentions': { user_ids: [ada] },
      'm.relates_to': { 'm.in_reply_to': { event_id: asked.event_id } },
    });
    expect(contents[1]).not.toHaveProperty('m.relates_to');
    expect(contents[1]).toMatchObject({ 'm.mentions': {} });
    expect(new Set(sends().map(({ path }) => path)).size).toBe(contents.length);
  });

  test('of a thread stays in it with all of its parts', async () => {
    const root = scene.matrix.says('hello', {}, groupId);
    const target = { channel: scene.name, address: `${groupId}:${root.event_id}`, options: {} };
    await send({ target, replyText: 'word '.repeat(5_000) });
    const relations = scene.matrix.sent.map(({ content }) => content['m.relates_to']);
    expect(relations.length).toBeGreaterThan(1);
    expect(new Set(relations.map((each) => JSON.stringify(each)))).toEqual(
      new Set([
        JSON.stringify({
          rel_type: 'm.thread',
          event_id: root.event_id,
          is_falling_back: true,
          'm.in_reply_to': { event_id: root.event_id },
        }),
      ]),
    );
  });

  test('takes the place of its preview', async () => {
    const target = { channel: scene.name, address: directId, options: {} };
    const { replySender } = scene.channel;
    const first = await passed(replySender.preview(target, 'so far', null, never));
    const second = await passed(replySender.preview(target, 'so far, so good', first, never));
    expect(second).toEqual(first);
    const parts = [{ part: 0, receipt: first }];
    expect(await send({ parts, replyText: '**done**' })).toMatchObject({ kind: 'delivered', receipt: first });
    expect(scene.matrix.texts).toEqual(['done']);
    expect(scene.matrix.sent.length).toBe(3);
  });

  test('has previews that leave the most of the homeserver’s limit to replies', async () => {
    const target = { channel: scene.name, address: directId, options: {} };
    let receipt = null;
    for (let second = 0; second < 60; second += 1) {
      receipt = await scene.channel.replySender.preview(target, `word ${second}`, receipt, never);
      scene.clock.advance(1_000);
    }
    expect(scene.matrix.sent.length).toBeGreaterThan(4);
    expect(scene.matrix.sent.length).toBeLessThan(9);
  });

  test('is shown to be written', async () => {
    await scene.channel.replySender.showTyping({ address: directId }, never);
    expect(scene.matrix.callsOf('PUT typing')[0]?.body).toEqual({ typing: true, timeout: 10_000 });
    expect(scene.channel.replySender.stream).toBe('typing');
  });

  test('to something that is no room is dead', async () => {
    expect(await send({ to: '#general' })).toMatchObject({ kind: 'dead' });
    expect(scene.channel.replySender.addressMistake('#general')).toContain('must be the id of a room');
    expect(scene.channel.replySender.addressMistake(directId)).toBeNull();
  });

  test.each<[string, MatrixFault, SendOutcome['kind']]>([
    ['the account may not write', refused(403, 'M_FORBIDDEN'), 'dead'],
    ['it is too large', refused(413, 'M_TOO_LARGE'), 'dead'],
    ['the token is wrong', refused(401, 'M_UNKNOWN_TOKEN'), 'retry'],
    ['the account is suspended', refused(403, 'M_USER_SUSPENDED'), 'retry'],
    ['the homeserver fails', refused(500, 'M_UNKNOWN'), 'retry'],
  ])('if %s ends as that says', async (_name, fault, kind) => {
    scene.matrix.next('PUT send', fault);
    expect(await send()).toMatchObject({
      kind,
      reason: expect.stringContaining('the homeserver refuses it: No ('),
    });
  });

  test('to a room in which the account is not is dead', async () => {
    scene.matrix.invites('!other:example.org', [ada]);
    expect(await send({ to: '!other:example.org' })).toMatchObject({ kind: 'dead' });
  });

  test.each<[string, MatrixFault]>([
    ['member', refused(429, 'M_LIMIT_EXCEEDED', { retry_after_ms: 60_000 })],
    ['header', { ...refused(429, 'M_LIMIT_EXCEEDED'), headers: { 'retry-after': '60' } } as MatrixFault],
  ])('waits for the time that the homeserver asks for by a %s, and others go on', async (_name, fault) => {
    scene.matrix.next('PUT send', fault);
    expect(await send()).toMatchObject({ kind: 'retry', retryAfterMilliseconds: 60_000, inDoubt: false });
    expect(await send()).toMatchObject({ kind: 'retry', pausesHost: true });
    expect(await send({ to: groupId })).toMatchObject({ kind: 'delivered' });
    expect(sends()).toHaveLength(2);
    scene.clock.advance(60_000);
    expect(await send()).toMatchObject({ kind: 'delivered' });
  });

  test('is tried for as long as the configuration says', async () => {
    scene.matrix.next('PUT send', refused(500, 'M_UNKNOWN'));
    const outcome = await send({ dueSince: scene.clock.now() - 3_600_000 });
    expect(outcome).toMatchObject({ kind: 'dead', reason: expect.stringContaining('it was tried for 1h') });
  });

  test('goes at the pace of one a second and room, behind the first ones', async () => {
    const before = scene.clock.now();
    for (let each = 0; each < 8; each += 1) await send({ replyText: `${each}`, webhookId: `msg_${each}` });
    const tookMs = scene.clock.now() - before;
    expect(tookMs).toBeGreaterThanOrEqual(3_000);
    expect(tookMs).toBeLessThan(6_000);
  });
});

describe('a text at once', () => {
  test('is a notice, which programs leave alone', async () => {
    await passed(scene.channel.say({ address: directId }, 'a *word* <b>'));
    expect(scene.matrix.sent[0]?.content).toMatchObject({ msgtype: 'm.notice', body: 'a *word* <b>' });
  });

  test('rejects if it was not sent', async () => {
    scene.matrix.next('PUT send', refused(403, 'M_FORBIDDEN'));
    await expect(passed(scene.channel.say({ address: directId }, 'word'))).rejects.toThrow('M_FORBIDDEN');
  });
});

describe('a send in doubt', () => {
  test.each<[string, MatrixFault, number]>([
    ['cut before its effect', { kind: 'cut', at: 'before' }, 2],
    ['cut after its effect', { kind: 'cut', at: 'after' }, 1],
    ['cut in its answer', { kind: 'cut', at: 'in-answer' }, 1],
    ['answered by a proxy', { kind: 'raw', status: 502, body: '<html>' }, 2],
  ])('that is %s is settled by the messages of its room', async (_name, fault, puts) => {
    scene.matrix.next('PUT send', fault);
    const repliedAt = scene.clock.now() + 1;
    expect(await send({ repliedAt })).toMatchObject({ kind: 'retry', inDoubt: true });
    expect(await send({ attempt: 2, repliedAt })).toMatchObject({ kind: 'delivered' });
    expect(scene.matrix.texts).toEqual(['hello']);
    expect(sends()).toHaveLength(puts);
  });

  test('whose room can not be read is sent again as the same transaction, which is taken once', async () => {
    scene.matrix.unreadable.add(directId);
    scene.matrix.next('PUT send', { kind: 'cut', at: 'after' });
    const repliedAt = scene.clock.now() + 1;
    await send({ repliedAt });
    scene.clock.advance(1_000_000);
    expect(await send({ attempt: 2, repliedAt })).toMatchObject({ kind: 'delivered' });
    expect(scene.matrix.texts).toEqual(['hello']);
    expect(sends()).toHaveLength(2);
    expect(sends()[1]?.path).toBe(sends()[0]?.path);
  });

  test('before a crash is found by the next start, behind others', async () => {
    await send();
    const repliedAt = scene.clock.now();
    for (let index = 0; index < 30; index += 1) scene.matrix.says(`${index}`);
    scene.matrix.largestPage = 12;
    scene.clock.advance(7_200_000);
    const next = scene.made();
    await next.start();
    expect(await send({ repliedAt, attempt: 2 }, next)).toEqual({
      kind: 'delivered',
      receipt: { event_id: scene.matrix.sent[0]?.event_id },
    });
    expect(scene.matrix.texts).toEqual(['hello']);
  });

  test.each([
    ['resend', 'delivered'],
    ['ask', 'dead'],
    [null, 'dead'],
  ])(
    'that is older than transactions are kept, and whose room can not be read, ends as unknown = %s says',
    async (unknown, kind) => {
      scene.matrix.unreadable.add(directId);
      const repliedAt = scene.clock.now();
      scene.clock.advance(3_600_000);
      const next = scene.made(unknown === null ? {} : { unknown });
      await next.start();
      expect(await send({ attempt: 2, repliedAt }, next)).toMatchObject({ kind });
    },
  );
});

describe('a file of a reply', () => {
  const stored = async (name: string, mediaType: string, content: Buffer) => {
    const blob = await scene.store.putBlob([content], 200_000);
    if (blob === null) throw new Error('It is too large.');
    return [{ ...blob, name, mediaType }];
  };

  test('follows the text, as the kind that it is', async () => {
    const replyAttachments = await stored('a.png', 'image/png', Buffer.from('picture'));
    expect(await send({ replyAttachments })).toMatchObject({ kind: 'delivered' });
    expect(scene.matrix.sent[1]?.content).toMatchObject({
      msgtype: 'm.image',
      body: 'a.png',
      filename: 'a.png',
      info: { mimetype: 'image/png', size: 7 },
    });
    const url = String(scene.matrix.sent[1]?.content['url']);
    expect(scene.matrix.media.get(url.split('/').at(-1) ?? '')?.toString()).toBe('picture');
  });

  test('that is larger than the homeserver takes is named', async () => {
    const name = 'big.bin';
    const larger = await stored(name, 'application/octet-stream', Buffer.alloc(100_001));
    const refusedOne = await stored(name, 'application/octet-stream', Buffer.alloc(100_000));
    scene.matrix.next('POST upload', refused(413, 'M_TOO_LARGE'));
    const replyAttachments = [...larger, ...refusedOne];
    expect(await send({ replyAttachments })).toMatchObject({ kind: 'delivered' });
    const words = '[the file "big.bin" of 1 MB is larger than the homeserver takes]';
    expect(scene.matrix.texts.slice(1)).toEqual([words, words]);
    expect(scene.matrix.callsOf('POST upload')).toHaveLength(1);
  });

  test('whose upload fails is tried again, and is in no doubt', async () => {
    const replyAttachments = await stored('a.txt', 'text/plain', Buffer.alloc(0));
    scene.matrix.next('POST upload', { kind: 'cut', at: 'after' });
    const repliedAt = scene.clock.now() + 1;
    expect(await send({ replyAttachments, repliedAt })).toMatchObject({ kind: 'retry', inDoubt: false });
    expect(await send({ replyAttachments, repliedAt, attempt: 2 })).toMatchObject({ kind: 'delivered' });
    expect(scene.matrix.texts).toEqual(['hello', 'a.txt']);
  });

  test('that is no longer stored is named', async () => {
    const replyAttachments = await stored('a.txt', 'text/plain', Buffer.from('x'));
    const lost = replyAttachments.map((file) => ({ ...file, id: '00000000-0000-4000-8000-000000000000' }));
    expect(await send({ replyAttachments: lost })).toMatchObject({ kind: 'delivered' });
    expect(scene.matrix.texts[1]).toBe('[the file "a.txt" is no longer stored]');
  });
});
