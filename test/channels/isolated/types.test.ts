import { createHmac, hash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { HookAnswer } from '../../../src/channels/hooks.js';
import type { Store } from '../../../src/store/store.js';
import { openStore } from '../../gateway/dispatch/fixture.js';
import * as discordPlace from '../../support/discord-stand-in.js';
import * as matrixPlace from '../../support/matrix-stand-in.js';
import { SlackStandIn } from '../../support/slack-stand-in.js';
import { TelegramStandIn } from '../../support/telegram-stand-in.js';
import { ImapServer } from '../email/imap-server.js';
import { MailServer } from '../email/smtp-server.js';
import { IsolatedScene } from './fixture.js';

/** The types besides Telegram, of which telegram.test.ts is: messages both ways, and a process that is killed. */

let store: Store;
let dispose: () => Promise<void>;
let scene: IsolatedScene;
let closePlatform: () => Promise<void> | void = () => undefined;

beforeAll(async () => {
  ({ store, dispose } = await openStore());
});
afterAll(() => dispose());
afterEach(async () => {
  await scene.end();
  await closePlatform();
  closePlatform = () => undefined;
});

async function post(headers: Readonly<Record<string, string>>, body: Buffer): Promise<HookAnswer> {
  const hook = scene.hooks.of(scene.name);
  if (hook === null) throw new Error('There is no hook.');
  return hook.check?.(headers, null) ?? (await hook.handle({ headers, body, client: '192.0.2.1' }));
}

test('Matrix: messages and files both ways, and a message while the process was gone', async () => {
  const { ada, directId, MatrixStandIn } = matrixPlace;
  const matrix = await MatrixStandIn.start();
  closePlatform = () => matrix.close();
  scene = new IsolatedScene(store, (of) => ({
    type: 'matrix',
    token_file: of.secret(matrix.token),
    homeserver: matrix.root,
    allow: [ada],
  }));
  await scene.started();
  const taken = () => matrix.until(() => matrix.since === matrix.place);
  await matrix.until(() => matrix.isPolled);
  const content = Buffer.alloc(90_000, 'matrix');
  const url = matrix.addMedia('m1', content);
  matrix.says('a.bin', { msgtype: 'm.file', url, filename: 'a.bin', info: { size: content.length } });
  matrix.says('one');
  await taken();
  const messages = await scene.messages('~21direct:example.org');
  expect(messages.map(({ text }) => text)).toEqual(['', 'one']);
  expect(messages[0]?.attachments).toMatchObject([{ sha256: hash('sha256', content) }]);
  const files = messages[0]?.attachments ?? [];
  const sent = await scene.sent({ to: directId, replyText: '**yes**', replyAttachments: files });
  expect(sent).toMatchObject({ kind: 'delivered' });
  expect(matrix.texts).toEqual(['yes', 'a.bin']);
  const target = { channel: scene.name, address: directId, options: {} };
  const { replySender: sender } = scene.channel;
  const receipt = (await sender?.preview?.(target, 'so far', null, new AbortController().signal)) ?? null;
  await scene.sent({ to: directId, webhookId: 'msg_2', parts: [{ part: 0, receipt }], replyText: 'all' });
  expect(matrix.texts.at(-1)).toBe('all');
  expect(matrix.texts).not.toContain('so far');
  scene.kill();
  await scene.healths.until((all) => all.some((each) => each.startsWith('down: ')));
  matrix.says('two');
  await scene.run(2);
  await taken();
  expect((await scene.messages('~21direct:example.org')).map(({ text }) => text)).toEqual(['', 'one', 'two']);
  expect(matrix.mistakes).toEqual([]);
});

test('Discord: messages both ways, and a message while the process was gone', async () => {
  const { ada, directId, DiscordStandIn } = discordPlace;
  const discord = await DiscordStandIn.start();
  closePlatform = () => discord.close();
  scene = new IsolatedScene(store, (of) => ({
    type: 'discord',
    token_file: of.secret(discord.token),
    api_root: discord.root,
    allow: [ada.id],
  }));
  await scene.started();
  await scene.healths.until((all) => all.includes('up: null'));
  discord.says('one');
  await scene.stored.until((all) => all.includes('one'));
  expect(await scene.sent({ to: directId })).toMatchObject({ kind: 'delivered' });
  expect(discord.texts).toEqual(['hello']);
  scene.kill();
  await scene.healths.until((all) => all.some((each) => each.startsWith('down: ')));
  discord.says('two');
  await scene.run(2);
  await scene.stored.until((all) => all.includes('two'));
  expect(await scene.texts(directId)).toEqual(['one queued', 'two queued']);
  expect(discord.mistakes).toEqual([]);
});

test.each(['socket', 'events'] as const)('Slack (%s): messages both ways', async (mode) => {
  const slack = await SlackStandIn.start();
  closePlatform = () => slack.close();
  scene = new IsolatedScene(store, (of) => ({
    type: 'slack',
    mode,
    token_file: of.secret(slack.botToken),
    app_token_file: of.secret(slack.appToken, 'app'),
    signing_secret_file: of.secret(slack.signingSecret, 'signing'),
    api_root: slack.root,
    allow: ['U42'],
  }));
  await scene.started();
  await scene.healths.until((all) => all.includes('up: null'));
  slack.says('one');
  if (mode === 'events') {
    const { body = Buffer.alloc(0), taken } = slack.posted ?? {};
    const at = String(Math.floor(Date.now() / 1_000));
    const signature = `v0=${createHmac('sha256', slack.signingSecret).update(`v0:${at}:`).update(body).digest('hex')}`;
    const headers = { 'x-slack-request-timestamp': at, 'x-slack-signature': signature };
    expect(await post({ 'x-slack-request-timestamp': at }, body)).toMatchObject({ outcome: 'unauthorized' });
    expect(await post(headers, body)).toEqual({ outcome: 'taken' });
    taken?.();
  }
  await slack.until(() => slack.unacknowledged === 0);
  expect(await scene.texts('D42')).toEqual(['one queued']);
  expect(await scene.sent({ to: 'D42' })).toMatchObject({ kind: 'delivered' });
  expect(slack.textsIn()).toContain('hello');
  expect(slack.mistakes).toEqual([]);
});

test('webhooks in: requests are handed over whole; while the process is gone they are to come again', async () => {
  const secret = '0123456789abcdef0123456789abcdef';
  scene = new IsolatedScene(store, (of) => ({
    type: 'webhook',
    scheme: 'github',
    token_file: of.secret(secret),
    body_limit: '8M',
  }));
  await scene.started();
  expect(scene.channel.replySender).toBeUndefined();
  const body = Buffer.from(JSON.stringify({ action: 'opened', text: 'x'.repeat(3_000_000) }));
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'issues',
    'x-github-delivery': 'd1',
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  };
  expect(await post({ ...headers, 'x-hub-signature-256': 'sha256=00' }, body)).toMatchObject({
    outcome: 'unauthorized',
  });
  expect(await post(headers, body)).toMatchObject({ outcome: 'taken', body: { state: 'accepted' } });
  expect(await post(headers, body)).toMatchObject({ outcome: 'taken', body: { state: 'repeated' } });
  scene.kill();
  await scene.healths.until((all) => all.some((each) => each.startsWith('down: ')));
  expect(await post({ ...headers, 'x-github-delivery': 'd2' }, body)).toMatchObject({
    outcome: 'unavailable',
  });
  await scene.run(2);
  expect(await post({ ...headers, 'x-github-delivery': 'd2' }, body)).toMatchObject({ outcome: 'taken' });
});

test('Telegram that posts its updates', async () => {
  const telegram = await TelegramStandIn.start();
  closePlatform = () => telegram.close();
  scene = new IsolatedScene(store, (of) => ({
    type: 'telegram',
    mode: 'webhook',
    token_file: of.secret(telegram.token),
    api_root: telegram.root,
    allow: ['42'],
  }));
  await scene.started();
  await telegram.until(() => telegram.webhook !== '');
  expect(telegram.webhook).toBe(`https://gateway.example/hooks/${scene.name}`);
  await scene.healths.until((all) => all.includes('up: null'));
  telegram.says('one');
  const headers = { 'x-telegram-bot-api-secret-token': telegram.webhookSecret };
  expect(await post({ 'x-telegram-bot-api-secret-token': 'no' }, telegram.posted)).toMatchObject({
    outcome: 'unauthorized',
  });
  expect(await post(headers, telegram.posted)).toEqual({ outcome: 'taken' });
  expect(await scene.texts()).toEqual(['one queued']);
});

test('e-mail: mails in with their files, and out; a mail while the process was gone', async () => {
  const [imap, smtp] = [new ImapServer(), new MailServer()];
  closePlatform = () => {
    imap.close();
    smtp.close();
  };
  const [imapPort, smtpPort] = [await imap.listen(), await smtp.listen()];
  scene = new IsolatedScene(store, (of) => ({
    type: 'email',
    token_file: of.secret(imap.password),
    address: 'agent@example.net',
    authserv_id: 'mx.example.net',
    imap: `imap://agent@127.0.0.1:${imapPort}`,
    smtp: `smtp://agent@127.0.0.1:${smtpPort}`,
    allow: ['ada@example.org'],
  }));
  await scene.started();
  const mail = (id: string, text: string) =>
    [
      'Authentication-Results: mx.example.net; dmarc=pass header.from=example.org',
      'From: Ada <ada@example.org>',
      `Message-ID: <${id}@example.org>`,
      'Subject: Greetings',
      '',
      text,
    ].join('\r\n');
  const texts = async () => {
    const { items } = await store.sessions({ limit: 1_000, after: null });
    const own = items.filter(({ session }) => session.startsWith(`${scene.name}:`));
    const found = await Promise.all(
      own.map(({ session }) => store.sessionMessages(session, { limit: 100, after: null })),
    );
    return found.flatMap((page) => page?.items.map(({ text }) => text) ?? []).toSorted();
  };
  imap.add(mail('a', `One\r\n${'word '.repeat(60_000)}`));
  await scene.stored.until((all) => all.length === 1);
  expect((await texts())[0]).toMatch(/^Subject: Greetings\n\nOne\nword .*All of it is in mail\.txt/s);
  const target = { channel: scene.name, address: 'ada@example.org', options: { subject: 'Re: Greetings' } };
  expect(await scene.sent({ target, text: 'hello', replyText: 'Good day' })).toMatchObject({
    kind: 'delivered',
  });
  expect(smtp.mails).toMatchObject([expect.stringContaining('Good day')]);
  scene.kill();
  await scene.healths.until((all) => all.some((each) => each.startsWith('down: ')));
  imap.add(mail('b', 'Two'));
  await scene.stored.until((all) => all.some((text) => text.includes('Two')));
  expect(await texts()).toEqual([expect.stringContaining('One'), 'Subject: Greetings\n\nTwo']);
});
