import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
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
});

/** Writes while nobody listens, and Slack gives the events up. */
async function away(write: () => void): Promise<void> {
  await scene.closed();
  scene.slack.keepsEvents = false;
  write();
  scene.slack.keepsEvents = true;
  scene.clock.advance(3_600_000);
  scene.made();
}

const queued = (texts: readonly string[]) => texts.map((text) => `${text} queued`);

async function until(conversation: string, count: number): Promise<void> {
  await expect.poll(async () => (await scene.texts(conversation)).length, { timeout: 5_000 }).toBe(count);
}

test('what was written while nobody listened is taken, in order, and once', async () => {
  await scene.started();
  scene.slack.says('1');
  const thread = scene.slack.says('<@U0BOT> a', { channel: 'C1' });
  await scene.acknowledged();
  await away(() => {
    scene.slack.says('2');
    scene.slack.says('3');
    scene.slack.says('b', { channel: 'C1', thread_ts: thread });
    const other = scene.slack.says('<@U0BOT> c', { channel: 'C1' });
    scene.slack.says('d', { channel: 'C1', thread_ts: other });
    scene.slack.says('chatter', { channel: 'C1' });
  });
  await scene.started();
  scene.slack.says('4');
  await scene.acknowledged();
  expect(await scene.texts()).toEqual(queued(['1', '2', '3', '4']));
  await until(`C1:${thread}`, 2);
  expect(await scene.texts(`C1:${thread}`)).toEqual(queued(['Ada: a', 'Ada: b']));
  const other = scene.slack.messagesOf('C1').find(({ text }) => text.endsWith(' c'))?.ts;
  await until(`C1:${other}`, 2);
  expect(await scene.texts(`C1:${other}`)).toEqual(queued(['Ada: c', 'Ada: d']));
});

test('a long absence is read page by page, and Slack may ask for time', async () => {
  await scene.started();
  scene.slack.says('0');
  await scene.acknowledged();
  await away(() => {
    for (let count = 1; count < 40; count += 1) scene.slack.says(`${count}`);
    for (let count = 0; count < 205; count += 1) scene.slack.says('chatter', { channel: 'C1' });
  });
  scene.slack.next('conversations.history', { kind: 'refuse', error: 'ratelimited', retryAfter: 7 });
  await scene.started();
  const count = async () => (await scene.texts()).length;
  let found = 0;
  while (found < 40) {
    scene.clock.advance(500);
    found = await count();
  }
  expect(await scene.texts()).toEqual(queued(Array.from({ length: 40 }, (_, index) => `${index}`)));
});

test('nothing is looked for at the first start, nor behind a connection that was replaced in time', async () => {
  scene.slack.says('before');
  scene.slack.keepsEvents = false;
  await scene.started();
  scene.slack.disconnect('warning');
  await scene.slack.until(() => scene.slack.peers.length === 2);
  scene.slack.says('one');
  await scene.acknowledged();
  expect(scene.slack.callsOf('conversations.history')).toEqual([]);
});

test('what can’t be looked for is said, and nothing else waits for it', async () => {
  await scene.started();
  scene.slack.says('1');
  await scene.acknowledged();
  scene.slack.scopes.delete('im:history');
  scene.slack.scopes.delete('channels:read');
  await away(() => scene.slack.says('2'));
  await scene.started();
  scene.slack.says('3');
  await scene.acknowledged();
  expect(await scene.texts()).toEqual(queued(['1', '3']));
  expect(scene.complaints).toContainEqual(expect.stringContaining('may be missing'));
});
