import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../src/store/store-error.js';
import { closeStore, openStore, Scene } from './slack-fixture.js';

let scene: Scene;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
});
afterEach(async () => {
  await scene.end();
  expect(scene.slack.mistakes).toEqual([]);
  const told = JSON.stringify([scene.log.records, scene.healths.all, scene.channel.health()]);
  for (const secret of [scene.slack.botToken, scene.slack.appToken]) expect(told).not.toContain(secret);
});

describe('the start', () => {
  test('asks who the bot is, connects, and says that it is up', async () => {
    await scene.started();
    await scene.healths.until((all) => all.at(-1) === 'up: null');
    expect(scene.slack.callsOf('apps.connections.open')).toHaveLength(1);
    expect(scene.log.records.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('the bot @stand_in of the workspace Stand-in'),
    );
  });

  test.each([
    ['the bot’s token is not known', 'token', 'xoxb-9999999999-unknown', 'does not take the token'],
    ['the bot’s token is none', 'token', 'xapp-1-A0-2222222222', 'begins with "xoxb-"'],
    ['the app’s token is none', 'app_token', 'hunter2', 'begins with "xapp-"'],
  ])('fails if %s, without a word of it', async (_name, key, secret, said) => {
    scene.writeSecret(key, secret);
    const failure = await scene.channel.start().catch((error: unknown) => String(error));
    expect(failure).toContain(said);
    expect(failure).not.toContain(secret);
  });

  test('says which scopes are missing', async () => {
    scene.slack.scopes.delete('files:read');
    await scene.started();
    expect(scene.complaints).toEqual([expect.stringContaining('files:read (files of people are missing)')]);
  });
});

describe('an event', () => {
  test('is acknowledged once its message is on disk', async () => {
    await scene.started();
    scene.storeFailures.push(new StoreError('full', 'The disk is full.'));
    scene.slack.says('one');
    await scene.pass(() => scene.complaints.some((text) => text.includes('The disk is full.')));
    expect(scene.slack.unacknowledged).toBe(1);
    await scene.pass(() => scene.slack.unacknowledged === 0);
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('that has not been stored when the channel ends comes again, and only once', async () => {
    await scene.started();
    const away = () => new StoreError('unavailable', 'The store is away.');
    scene.storeFailures.push(...Array.from({ length: 1_000 }, away));
    scene.slack.says('one');
    await scene.pass(() => scene.complaints.length > 0);
    scene.channel.stopAccepting();
    await scene.closed();
    scene.storeFailures.length = 0;
    expect(scene.slack.unacknowledged).toBe(1);
    scene.made();
    await scene.started();
    await scene.acknowledged();
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('that comes again, or as a mention too, is taken once', async () => {
    await scene.started();
    const ts = scene.slack.says('<@U0BOT> one', { channel: 'C1' });
    scene.slack.force({ type: 'app_mention', user: 'U42', text: '<@U0BOT> one', ts, channel: 'C1' });
    await scene.acknowledged();
    scene.slack.replay();
    scene.slack.says('two');
    await scene.acknowledged();
    expect(await scene.texts(`C1:${ts}`)).toEqual(['Ada: one queued']);
  });

  test('of nobody who may write is acknowledged and not kept', async () => {
    scene.made({ pairing: false });
    await scene.started();
    scene.slack.says('let me in', { channel: 'D77' }, 'U77');
    scene.slack.says('beep', { bot_id: 'B1' });
    scene.slack.says('beep', {}, 'U0BOT');
    scene.slack.says('has joined', { channel: 'C1', subtype: 'channel_join' });
    scene.slack.force({ type: 'reaction_added', user: 'U42' });
    scene.slack.force({ type: 'something_new' });
    await scene.acknowledged();
    expect(await scene.texts('D77')).toEqual([]);
    expect(await scene.texts()).toEqual([]);
    expect(scene.complaints).toEqual([expect.stringContaining('"U77"')]);
    expect(scene.slack.callsOf('users.info')).toEqual([]);
  });

  test('that can’t be read is kept as it came, and takes nothing good with it', async () => {
    await scene.started();
    scene.slack.force({ type: 'message', channel: 'D42', user: 'U42', text: 7, ts: '1780000000.000001' });
    scene.slack.says('good \0 &lt;tag&gt;');
    await scene.acknowledged();
    const [first, second] = await scene.texts();
    expect(first).toMatch(/"text":7.* dead$/);
    expect(second).toBe('good \ufffd <tag> queued');
  });

  test('that the store can’t ever take is left out, and the others are not', async () => {
    await scene.started();
    scene.storeFailures.push(new Error('it is broken'));
    scene.slack.says('one');
    scene.slack.says('two');
    await scene.acknowledged();
    expect(await scene.texts()).toEqual(['two queued']);
    expect(scene.complaints).toEqual([expect.stringContaining('it is broken')]);
  });

  test('is none: it leaves one record, and the connection goes on', async () => {
    await scene.started();
    const [peer] = scene.slack.peers;
    for (const text of ['', '[]', '{"type":7}', 'x'.repeat(10_000)]) peer?.send(text);
    scene.slack.says('one');
    await scene.acknowledged();
    expect(await scene.texts()).toEqual(['one queued']);
    expect(scene.complaints).toHaveLength(1);
    expect(scene.complaints[0]?.length).toBeLessThan(300);
  });
});

describe('a conversation', () => {
  test('is a direct message, or a thread of a channel, and replies go there', async () => {
    await scene.started();
    const ts = scene.slack.says('<@U0BOT>: hi <@U43>', { channel: 'C1' });
    await scene.acknowledged();
    const page = await scene.store.sessionMessages(`${scene.name}:C1:${ts}`, { limit: 1, after: null });
    expect(page?.items[0]).toMatchObject({
      text: 'Ada: hi @Ada',
      sender: 'U42',
      replyTo: { channel: scene.name, address: `C1:${ts}`, options: { message_ts: ts } },
      metadata: { slack: { channel: 'C1', ts } },
    });
  });

  test('of a thread in which the bot was called needs no further mention, also after a restart', async () => {
    await scene.started();
    scene.slack.says('chatter', { channel: 'C1' });
    const ts = scene.slack.says('<@U0BOT> hi', { channel: 'C1' });
    scene.slack.says('more', { channel: 'C1', thread_ts: ts });
    const other = scene.slack.says('nobody is called', { channel: 'C1' });
    scene.slack.says('nor here', { channel: 'C1', thread_ts: other });
    await scene.acknowledged();
    await scene.closed();
    scene.made();
    await scene.started();
    scene.slack.says('and more', { channel: 'C1', thread_ts: ts });
    await scene.acknowledged();
    expect(await scene.texts(`C1:${ts}`)).toEqual([
      'Ada: hi queued',
      'Ada: more queued',
      'Ada: and more queued',
    ]);
    expect(await scene.texts(`C1:${other}`)).toEqual([]);
  });

  test('has the new text of a message that waits, and not one that was deleted', async () => {
    await scene.started();
    const [one, two] = ['one', 'two'].map((text) => scene.slack.says(text));
    await scene.acknowledged();
    const edited = { user: 'U42', ts: '9.000009' };
    const message = { type: 'message', user: 'U42', ts: one, text: 'ones', edited };
    const change = { type: 'message', channel: 'D42', previous_message: { text: 'one' } };
    scene.slack.force({ ...change, subtype: 'message_changed', message });
    scene.slack.force({ ...change, subtype: 'message_deleted', deleted_ts: two });
    await scene.acknowledged();
    expect(scene.revisions).toEqual([
      { conversation: 'D42', id: `T0TEAM/D42/${one}`, text: 'ones' },
      { conversation: 'D42', id: `T0TEAM/D42/${two}`, text: null },
    ]);
  });

  test('is the whole channel with threads = false', async () => {
    scene.made({ threads: false });
    await scene.started();
    scene.slack.says('<@U0BOT> one', { channel: 'C1' });
    scene.slack.says('<@U0BOT> two', { channel: 'C1' });
    await scene.acknowledged();
    expect(await scene.texts('C1')).toEqual(['Ada: one queued', 'Ada: two queued']);
  });
});

describe('a file', () => {
  test('comes with its message', async () => {
    await scene.started();
    const file = scene.slack.addFile('F1', Buffer.from('hello'));
    scene.slack.says('see', { subtype: 'file_share', files: [file] });
    await scene.acknowledged();
    const page = await scene.store.sessionMessages(`${scene.name}:D42`, { limit: 1, after: null });
    expect(page?.items[0]).toMatchObject({
      text: 'see',
      attachments: [{ name: 'F1.txt', mediaType: 'text/plain', sizeBytes: 5 }],
    });
  });

  test('that can’t be had is named in the text; the token goes to nobody but Slack', async () => {
    await scene.started();
    scene.slack.scopes.delete('files:read');
    const elsewhere = { url_private: 'https://slack.com.evil.example/x', url_private_download: null };
    const files = [
      scene.slack.addFile('F1', Buffer.from('x')),
      scene.slack.addFile('F2', Buffer.from('x'), elsewhere),
    ];
    scene.slack.says('see', { subtype: 'file_share', files });
    await scene.acknowledged();
    const [text] = await scene.texts();
    expect(text).toContain(
      '[the file "F1.txt" is missing: it could not be downloaded: Slack does not give it',
    );
    expect(text).toContain(
      '[the file "F2.txt" is missing: it could not be downloaded: it is not kept by Slack',
    );
  });
});

describe('Slack', () => {
  test('asks for another connection: the new one is open before the old one ends', async () => {
    await scene.started();
    const [first] = scene.slack.peers;
    scene.slack.disconnect('warning');
    await scene.slack.until(() => scene.slack.peers.length === 2);
    scene.slack.says('one');
    await scene.acknowledged();
    await scene.slack.until(() => first?.isGone === true);
    expect(first?.closeCode).toBe(1000);
    expect(await scene.texts()).toEqual(['one queued']);
    expect(scene.healths.all.filter((each) => each !== 'up: null')).toEqual([]);
  });

  test('breaks the connection: what it has not had an answer to comes again', async () => {
    await scene.started();
    scene.slack.peers[0]?.cut();
    await scene.slack.until(() => !scene.slack.isConnected);
    scene.slack.says('one');
    await scene.pass(() => scene.slack.unacknowledged === 0);
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('has gone silent: the connection is tried, and replaced', async () => {
    await scene.started();
    const [first] = scene.slack.peers;
    first?.pause();
    await scene.pass(() => scene.slack.peers.length === 2, 1_000);
    expect(first?.pings).toBe(0);
    scene.slack.says('one');
    await scene.pass(() => scene.slack.unacknowledged === 0);
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('has gone silent while another connection opens: it sends again what was not answered', async () => {
    await scene.started();
    scene.slack.disconnect('warning');
    scene.slack.peers[0]?.pause();
    for (const text of ['one', 'two', 'three']) scene.slack.says(text);
    await scene.pass(() => scene.slack.unacknowledged === 0);
    expect((await scene.texts()).toSorted()).toEqual(['one queued', 'three queued', 'two queued']);
    expect(scene.slack.peers[0]?.isGone).toBe(true);
  });

  test('is asked by a call after a silence; a connection that answers is kept', async () => {
    await scene.started();
    await scene.pass(() => scene.slack.callsOf('auth.test').length === 3, 500);
    expect(scene.slack.peers).toHaveLength(1);
    expect(scene.slack.peers[0]?.pings).toBeGreaterThan(1);
  });

  test.each([
    ['link_disabled', 'Socket Mode is turned off'],
    ['too_many_websockets', 'something else uses the same app'],
  ])('ends the connection for %s: the way out is said', async (reason, said) => {
    await scene.started();
    scene.slack.disconnect(reason);
    await scene.healths.until((all) => all.at(-1)?.includes(said) ?? false);
    await scene.pass(() => scene.channel.health().state === 'up');
  });

  test('takes the token back: a new one in the file is found', async () => {
    await scene.started();
    scene.slack.isKnown = false;
    scene.slack.peers[0]?.cut();
    await scene.pass(() => scene.channel.health().reason?.includes(scene.secretFile('app_token')) ?? false);
    scene.slack.isKnown = true;
    scene.slack.says('one');
    await scene.pass(() => scene.slack.unacknowledged === 0);
    expect(scene.channel.health().state).toBe('up');
  });

  test('asks for time, or never says hello: it is tried again, after longer and longer waits', async () => {
    await scene.started();
    scene.slack.next('apps.connections.open', { kind: 'refuse', error: 'ratelimited', retryAfter: 17 });
    scene.slack.peers[0]?.cut();
    await scene.pass(() => scene.slack.callsOf('apps.connections.open').length === 2);
    const refusedAt = scene.clock.now();
    scene.slack.saysHello = false;
    await scene.pass(() => scene.slack.callsOf('apps.connections.open').length === 3);
    expect(scene.clock.now() - refusedAt).toBeGreaterThanOrEqual(17_000);
    await scene.pass(() => scene.channel.health().state === 'down');
    scene.slack.saysHello = true;
    await scene.pass(() => scene.channel.health().state === 'up');
  });
});

test('no message is lost or doubled, whatever becomes of the connections', async () => {
  const faults: readonly (() => void)[] = [
    () => scene.slack.peers.at(-1)?.cut(),
    () => scene.slack.peers.at(-1)?.pause(),
    () => scene.slack.disconnect('warning', scene.slack.peers.at(-1)),
    () => scene.slack.disconnect('refresh_requested', scene.slack.peers.at(-1)),
    () => scene.slack.peers.at(-1)?.close(1001, 'restart'),
    () => scene.slack.replay(),
    () => scene.slack.retry(),
    () => scene.storeFailures.push(new StoreError('unavailable', 'The store is away.')),
    () => scene.slack.next('apps.connections.open', { kind: 'cut', at: 'after' }),
    () => scene.slack.next('apps.connections.open', { kind: 'refuse', error: 'internal_error' }),
  ];
  await scene.started();
  let runs = 0;
  const steps = fc.array(fc.tuple(fc.constantFrom(...faults), fc.integer({ min: 1, max: 3 })), {
    minLength: 3,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (all, isRestarted) => {
      const channel = `D42${++runs}`;
      let written = 0;
      for (const [fault, messages] of all) {
        fault();
        for (let left = messages; left > 0; left -= 1) scene.slack.says(`message ${++written}`, { channel });
      }
      if (isRestarted) {
        await scene.closed();
        await scene.made().start();
      }
      await scene.pass(() => scene.slack.unacknowledged === 0, 500);
      // Slack promises no order between two connections, nor for what it sends again.
      expect((await scene.texts(channel)).toSorted()).toEqual(
        Array.from({ length: written }, (_, index) => `message ${index + 1} queued`).toSorted(),
      );
    }),
    { numRuns: 2, endOnFailure: true },
  );
});

test('of two gateways with one store, one is connected; the other takes over when it ends', async () => {
  await scene.started();
  const first = scene.channel;
  const second = scene.made();
  await second.start();
  await scene.healths.until((all) => all.at(-1)?.includes('another gateway') ?? false);
  expect(scene.slack.peers).toHaveLength(1);
  await scene.closed(first);
  await scene.pass(() => scene.slack.peers.length === 2);
  await scene.pass(() => second.health().state === 'up');
});

test('a stop ends the connection once what has come is on disk', async () => {
  await scene.started();
  scene.slack.says('one');
  scene.channel.stopAccepting();
  await scene.closed();
  expect(scene.channel.health().state).toBe('closed');
  expect(scene.slack.isConnected).toBe(false);
  expect(scene.slack.unacknowledged === 0).toBe((await scene.texts()).length === 1);
});
