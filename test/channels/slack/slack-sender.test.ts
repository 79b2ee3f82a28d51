import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SendOutcome } from '../../../src/channels/reply-sender.js';
import type { SlackChannel } from '../../../src/channels/slack/slack-channel.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { SlackFault } from '../../support/slack-stand-in.js';
import { closeStore, openStore, Scene } from './slack-fixture.js';

let scene: Scene;
const never = new AbortController().signal;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
  for (const id of ['D42', 'C1', 'C2']) scene.slack.addConversation(id);
  await scene.started();
});
afterEach(async () => {
  await scene.end();
  expect(scene.slack.mistakes).toEqual([]);
});

type Members = Partial<Delivery> & { readonly to?: string };

/** Sends all parts, as the gateway does, and gives the end of the last one. */
async function send(
  members: Members = {},
  signal = never,
  channel: SlackChannel = scene.channel,
): Promise<SendOutcome> {
  const delivery = scene.delivery(members);
  let outcome: SendOutcome | undefined;
  for (const part of channel.replySender.partsOf(delivery)) {
    let isOver = false;
    const sending = channel.replySender.send(part, signal).finally(() => {
      isOver = true;
    });
    await scene.pass(() => isOver);
    outcome = await sending;
    if (outcome.kind !== 'delivered') return outcome;
  }
  if (outcome === undefined) throw new Error('There is no part.');
  return outcome;
}

const refused = (error: string, retryAfter?: number): SlackFault => ({
  kind: 'refuse',
  error,
  ...(retryAfter === undefined ? {} : { retryAfter }),
});

/** The second attempt of the same reply. */
const again = { attempt: 2 };

describe('a reply', () => {
  test('is sent as mrkdwn, names its delivery, and has the message for its receipt', async () => {
    const outcome = await send({ replyText: 'a **bold** <!channel> & [link](https://a.example)' });
    const [message] = scene.slack.messagesOf('D42');
    expect(outcome).toEqual({ kind: 'delivered', receipt: { ts: message?.ts } });
    expect(message).toMatchObject({
      text: 'a *bold* &lt;!channel&gt; &amp; <https://a.example|link>',
      metadata: { event_type: 'sd_gateway_reply', event_payload: { delivery: 'msg_1', part: 1 } },
    });
    expect(scene.slack.callsOf('chat.postMessage')).toMatchObject([
      { unfurl_links: false, unfurl_media: false },
    ]);
  });

  test('goes to its thread, in parts', async () => {
    const ts = scene.slack.says('<@U0BOT> go', { channel: 'C1' });
    await send({ to: `C1:${ts}`, replyText: 'word '.repeat(1_500) });
    expect(scene.slack.messagesOf('C1').slice(1)).toMatchObject([
      { thread_ts: ts, metadata: { event_payload: { part: 1 } } },
      { thread_ts: ts, metadata: { event_payload: { part: 2 } } },
    ]);
  });

  test('that is empty is not sent', async () => {
    expect(await send({ replyText: ' \n' })).toEqual({ kind: 'delivered', receipt: null });
    expect(scene.slack.textsIn()).toEqual([]);
  });

  test.each([
    ['the conversation is archived', 'is_archived', 'dead'],
    ['the bot is not in it', 'not_in_channel', 'dead'],
    ['there is no such thread', 'thread_not_found', 'dead'],
    ['the token is wrong', 'invalid_auth', 'retry'],
    ['the scope is missing', 'missing_scope', 'retry'],
    ['Slack is down', 'service_unavailable', 'retry'],
  ])('is told apart: %s', async (_name, error, kind) => {
    scene.slack.next('chat.postMessage', refused(error));
    expect(await send()).toMatchObject({ kind, reason: expect.stringContaining(error) });
  });

  test('to something that is no conversation is dead', async () => {
    expect(await send({ to: '#general' })).toMatchObject({
      kind: 'dead',
      reason: expect.stringContaining('"#general"'),
    });
    expect(scene.channel.replySender.addressMistake('C0123:1780000000.000100')).toBeNull();
  });

  test.each<[string, SlackFault, number]>([
    ['cut before its effect', { kind: 'cut', at: 'before' }, 2],
    ['cut after its effect', { kind: 'cut', at: 'after' }, 1],
    ['cut in its answer', { kind: 'cut', at: 'in-answer' }, 1],
    ['answered by a proxy', { kind: 'raw', status: 502, body: '<html>' }, 2],
    ['answered with an inner error', refused('internal_error'), 2],
    ['not answered', { kind: 'hang', at: 'after' }, 1],
  ])('that is %s is looked for, and is there once', async (_name, fault, posts) => {
    scene.slack.next('chat.postMessage', fault);
    expect(await send()).toMatchObject({ kind: 'retry', inDoubt: true });
    const outcome = await send(again);
    expect(outcome).toEqual({ kind: 'delivered', receipt: { ts: scene.slack.messagesOf('D42')[0]?.ts } });
    expect(scene.slack.textsIn()).toEqual(['hello']);
    expect(scene.slack.callsOf('chat.postMessage')).toHaveLength(posts);
  });

  test('is looked for behind the message that it answers, also if the clock was an hour ahead', async () => {
    const ts = scene.slack.says('hello?');
    const target = { channel: scene.name, address: 'D42', options: { message_ts: ts } };
    const repliedAt = scene.clock.now() + 3_600_000;
    await send({ target, repliedAt });
    expect(await send({ ...again, target, repliedAt })).toMatchObject({ kind: 'delivered' });
    expect(scene.slack.textsIn()).toEqual(['hello']);
  });

  test('that was under way at a crash is looked for in its thread, part by part, after others have written', async () => {
    const ts = scene.slack.says('<@U0BOT> go', { channel: 'C1' });
    const members = { to: `C1:${ts}`, replyText: 'word '.repeat(1_500) };
    const repliedAt = scene.clock.now();
    await send({ ...members, repliedAt });
    for (let count = 1; count <= 250; count += 1)
      scene.slack.says('chatter', { channel: 'C1', thread_ts: ts });
    scene.clock.advance(60_000);
    await scene.closed();
    const next = scene.made();
    await scene.started();
    expect(await send({ ...members, repliedAt }, never, next)).toMatchObject({ kind: 'delivered' });
    expect(scene.slack.callsOf('chat.postMessage')).toHaveLength(2);
    expect(scene.slack.textsIn('C1')).toHaveLength(2);
  });

  test.each([
    [null, 'dead', 1],
    ['ask', 'dead', 1],
    ['resend', 'delivered', 2],
  ] as const)('that can’t be looked for is as unknown = %j says', async (unknown, kind, posts) => {
    await scene.closed();
    const channel = scene.made(unknown === null ? {} : { unknown });
    await scene.started();
    scene.slack.scopes.delete('im:history');
    scene.slack.next('chat.postMessage', { kind: 'cut', at: 'after' });
    await send({}, never, channel);
    expect(await send(again, never, channel)).toMatchObject({ kind });
    expect(scene.slack.callsOf('chat.postMessage')).toHaveLength(posts);
  });

  test('is not sent while Slack can’t be asked for it', async () => {
    scene.slack.next('chat.postMessage', { kind: 'cut', at: 'after' });
    scene.slack.next('conversations.history', refused('internal_error'));
    await send();
    expect(await send(again)).toMatchObject({ kind: 'retry', inDoubt: false });
    expect(await send(again)).toMatchObject({ kind: 'delivered' });
    expect(scene.slack.textsIn()).toEqual(['hello']);
  });

  test('is in doubt if it is aborted under way, and not before', async () => {
    const end = new AbortController();
    scene.slack.next('chat.postMessage', { kind: 'hang', at: 'before' });
    const sending = send({}, end.signal);
    await scene.slack.until(() => scene.slack.callsOf('chat.postMessage').length === 1);
    end.abort();
    expect(await sending).toEqual({ kind: 'aborted', inDoubt: true });
    expect(await send({}, end.signal)).toEqual({ kind: 'aborted', inDoubt: false });
  });

  test('that has failed for an hour is set aside', async () => {
    scene.slack.next('chat.postMessage', refused('service_unavailable'));
    expect(await send({ dueSince: scene.clock.now() - 3_600_000 })).toMatchObject({
      kind: 'dead',
      reason: expect.stringContaining(`(channels.${scene.name}.retry_for)`),
    });
  });

  test('for which Slack asks for time waits, and others of the conversation with it, previews too', async () => {
    scene.slack.next('chat.postMessage', refused('ratelimited', 9));
    expect(await send()).toMatchObject({
      kind: 'retry',
      retryAfterMilliseconds: 9_000,
      pausesHost: true,
      inDoubt: false,
    });
    expect(await send({ replyText: 'other' })).toMatchObject({ kind: 'retry', pausesHost: true });
    const { replySender } = scene.channel;
    expect(await replySender.preview(scene.delivery().target, 'so far', null, never)).toBeNull();
    expect(scene.slack.callsOf('chat.postMessage')).toHaveLength(1);
    expect(await send({ to: 'C1' })).toMatchObject({ kind: 'delivered' });
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
    scene.slack.next('chat.update', { kind: 'cut', at: 'after' });
    // It may be made again: an edit has no second effect.
    expect(await send({ parts, replyText: 'so far, so good' })).toMatchObject({
      kind: 'retry',
      inDoubt: false,
    });
    expect(await send({ parts, replyText: 'so far, so good', ...again })).toEqual({
      kind: 'delivered',
      receipt: first,
    });
    expect(scene.slack.textsIn()).toEqual(['so far, so good']);
  });

  test.each(['message_not_found', 'edit_window_closed', 'msg_too_long'])(
    'that can’t be edited (%s) is no loss, and its reply is sent once',
    async (error) => {
      const { replySender } = scene.channel;
      const first = await replySender.preview(scene.delivery().target, 'so', null, never);
      const parts = [{ part: 0, receipt: first }];
      scene.slack.next('chat.update', refused(error), refused(error));
      scene.slack.next('chat.postMessage', { kind: 'cut', at: 'after' });
      expect(await send({ parts })).toMatchObject({ kind: 'retry', inDoubt: true });
      expect(await send({ parts, ...again })).toMatchObject({ kind: 'delivered' });
      expect(scene.slack.textsIn()).toEqual(['so', 'hello']);
    },
  );

  test('is not sent faster than Slack takes edits', async () => {
    const { replySender } = scene.channel;
    const { target } = scene.delivery();
    let receipt = await replySender.preview(target, 'text', null, never);
    for (let count = 1; count <= 100; count += 1) {
      scene.clock.advance(600);
      receipt = await replySender.preview(target, `text ${count}`, receipt, never);
    }
    const edits = scene.slack.callsOf('chat.update').length;
    expect(edits).toBeGreaterThan(30);
    expect(edits).toBeLessThanOrEqual(50);
  });
});

describe('a file', () => {
  async function attachment(name: string, content = 'hello') {
    const blob = await scene.store.putBlob([Buffer.from(content)], 100_000);
    if (blob === null) throw new Error('The store has not taken it.');
    return { ...blob, name, mediaType: 'text/plain' };
  }

  test('is uploaded, and shared in its thread behind the text', async () => {
    const ts = scene.slack.says('<@U0BOT> go', { channel: 'C1' });
    const replyAttachments = [await attachment('a.txt')];
    expect(await send({ to: `C1:${ts}`, replyText: 'see', replyAttachments })).toMatchObject({
      kind: 'delivered',
      receipt: { file: expect.stringMatching(/^F/) },
    });
    expect(scene.slack.messagesOf('C1').slice(1)).toMatchObject([
      { text: 'see', thread_ts: ts },
      { files: [{ name: 'a.txt', size: 5 }], thread_ts: ts },
    ]);
  });

  test.each<[string, string, SlackFault, boolean, number]>([
    ['asked for a place', 'files.getUploadURLExternal', { kind: 'cut', at: 'after' }, false, 1],
    ['shared', 'files.completeUploadExternal', { kind: 'cut', at: 'after' }, true, 1],
    ['shared in vain', 'files.completeUploadExternal', { kind: 'cut', at: 'before' }, true, 2],
  ])(
    'that was being %s when the connection broke is there once',
    async (_name, method, fault, inDoubt, shares) => {
      const replyAttachments = [await attachment('a.txt')];
      scene.slack.next(method, fault);
      expect(await send({ replyText: '', replyAttachments })).toMatchObject({ kind: 'retry', inDoubt });
      expect(await send({ replyText: '', replyAttachments, ...again })).toMatchObject({ kind: 'delivered' });
      expect(scene.slack.messagesOf('D42')).toMatchObject([{ files: [{ name: 'a.txt' }] }]);
      expect(scene.slack.callsOf('files.completeUploadExternal')).toHaveLength(shares);
    },
  );

  test('that is no longer stored is named, and an empty one as well', async () => {
    const gone = {
      id: '018f0000-0000-7000-8000-000000000000',
      name: 'a.txt',
      mediaType: 'text/plain',
      sizeBytes: 5,
    };
    const replyAttachments = [gone, { ...gone, name: 'b.txt', sizeBytes: 0 }] as never;
    await send({ replyText: 'see', replyAttachments });
    expect(scene.slack.textsIn()).toEqual([
      'see',
      '[the file "a.txt" is no longer stored]',
      '[the file "b.txt" is empty]',
    ]);
  });
});

test('a short text is said at once, as it is written', async () => {
  await scene.channel.say({ address: 'D42' }, 'Stopped <here> & *now*.');
  expect(scene.slack.textsIn()).toEqual(['Stopped &lt;here&gt; &amp; *now*.']);
  await expect(scene.channel.say({ address: 'D9' }, 'x')).rejects.toThrow('channel_not_found');
});
