import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { HookAnswer } from '../../../src/channels/hooks.js';
import { StoreError } from '../../../src/store/store-error.js';
import { closeStore, openStore, Scene } from './slack-fixture.js';

let scene: Scene;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
  scene.made({ mode: 'events', app_token_file: null });
  await scene.channel.start();
  await scene.healths.until((all) => all.at(-1) === 'up: null');
});
afterEach(async () => {
  await scene.end();
  expect(scene.slack.mistakes).toEqual([]);
  expect(JSON.stringify([scene.log.records, scene.healths.all])).not.toContain(scene.slack.signingSecret);
});

function headersFor(body: Buffer, { secret = scene.slack.signingSecret, ageMs = 0 } = {}) {
  const at = String(Math.floor((scene.clock.now() - ageMs) / 1_000));
  const digest = createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex');
  return { 'x-slack-signature': `v0=${digest}`, 'x-slack-request-timestamp': at, 'x-slack-retry-num': '1' };
}

async function post(body: Buffer, headers: Record<string, string> = headersFor(body)): Promise<HookAnswer> {
  const hook = scene.hooks.of(scene.name);
  if (hook === null) throw new Error('There is no hook.');
  return hook.check?.(headers, null) ?? hook.handle({ headers, body, client: null });
}

async function postOldest(): Promise<HookAnswer> {
  const posted = scene.slack.posted;
  if (posted === null) throw new Error('There is no event.');
  const answer = await post(posted.body);
  if (answer.outcome === 'taken') posted.taken();
  return answer;
}

test('Slack posts each event, which is acknowledged once it is on disk, and taken once', async () => {
  expect(await post(Buffer.from('{"token":"x","challenge":"3eZb","type":"url_verification"}'))).toEqual({
    outcome: 'taken',
    body: { challenge: '3eZb' },
  });
  scene.slack.says('one');
  const { body } = scene.slack.posted ?? { body: Buffer.from('') };
  scene.storeFailures.push(new StoreError('full', 'The disk is full.'));
  const posting = postOldest();
  await scene.pass(() => scene.slack.unacknowledged === 0);
  expect(await posting).toEqual({ outcome: 'taken' });
  expect(await post(body)).toEqual({ outcome: 'taken' });
  expect(await scene.texts()).toEqual(['one queued']);
  expect(scene.slack.callsOf('apps.connections.open')).toEqual([]);
});

test('an event that can’t be stored in time is to be sent again, and is taken once', async () => {
  scene.slack.says('one');
  const away = () => new StoreError('unavailable', 'The store is away.');
  scene.storeFailures.push(...Array.from({ length: 1_000 }, away));
  let answer: HookAnswer | null = null;
  void postOldest().then((given) => {
    answer = given;
  });
  await scene.pass(() => answer !== null);
  expect(answer).toMatchObject({ outcome: 'unavailable' });
  scene.storeFailures.length = 0;
  let again: HookAnswer | null = null;
  void postOldest().then((given) => {
    again = given;
  });
  await scene.pass(() => again !== null);
  expect(again).toEqual({ outcome: 'taken' });
  expect(await scene.texts()).toEqual(['one queued']);
});

test('a request that Slack has not signed, or long ago, is refused; one that is no event is not sent again', async () => {
  scene.slack.says('one');
  const { body } = scene.slack.posted ?? { body: Buffer.from('') };
  const good = headersFor(body);
  const wrong: Record<string, string>[] = [
    {},
    headersFor(body, { secret: '0'.repeat(32) }),
    headersFor(body, { ageMs: 301_000 }),
    headersFor(body, { ageMs: -301_000 }),
    headersFor(Buffer.from('{}')),
    { ...good, 'x-slack-request-timestamp': `${good['x-slack-request-timestamp']}0` },
    { ...good, 'x-slack-signature': good['x-slack-signature'].replace('v0=', 'v1=') },
    { 'x-slack-signature': good['x-slack-signature'] },
  ];
  for (const headers of wrong) expect(await post(body, headers)).toMatchObject({ outcome: 'unauthorized' });
  for (const text of ['', '[]', 'x', '{"type":"app_rate_limited"}', '{"type":"event_callback","event":7}']) {
    expect(await post(Buffer.from(text))).toEqual({ outcome: 'taken' });
  }
  expect(await scene.texts()).toEqual([]);
});

test('Slack is asked by a call after a silence, and is down if it does not know the token any more', async () => {
  scene.slack.isKnown = false;
  await scene.pass(() => scene.channel.health().state === 'down', 1_000);
  expect(scene.channel.health().reason).toContain(scene.secretFile('token'));
  scene.slack.isKnown = true;
  await scene.pass(() => scene.channel.health().state === 'up', 1_000);
});
