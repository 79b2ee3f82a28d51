import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HookAnswer } from '../../../src/channels/hooks.js';
import { StoreError } from '../../../src/store/store-error.js';
import { type Served, serve } from '../http/http-fixture.js';
import { closeStore, openStore, Scene } from './telegram-fixture.js';

let scene: Scene;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
  scene.made({ mode: 'webhook' });
});
afterEach(async () => {
  await scene.end();
  expect(scene.telegram.mistakes).toEqual([]);
});

async function started(): Promise<void> {
  await scene.channel.start();
  await scene.telegram.until(() => scene.telegram.webhook !== '');
}

/** Posts the oldest update, as Telegram does. */
async function post(secret = scene.telegram.webhookSecret): Promise<HookAnswer> {
  const hook = scene.hooks.of(scene.name);
  if (hook === null) throw new Error('There is no hook.');
  const headers = { 'x-telegram-bot-api-secret-token': secret };
  const answer =
    hook.check?.(headers, null) ??
    (await hook.handle({ headers, body: scene.telegram.posted, client: null }));
  if (answer.outcome === 'taken') scene.telegram.confirm();
  return answer;
}

test('Telegram posts each update, which is acknowledged once it is on disk', async () => {
  await started();
  expect(scene.telegram.webhook).toBe(`https://gateway.example/hooks/${scene.name}`);
  scene.telegram.says('one');
  scene.storeFailures.push(new StoreError('full', 'The disk is full.'));
  const posting = post();
  await scene.pass(() => scene.telegram.unconfirmed === 0);
  expect(await posting).toEqual({ outcome: 'taken' });
  expect(await scene.texts()).toEqual(['one queued']);
  // The position of polls does not move: another update may not have come yet.
  expect(await scene.store.record(`checkpoint:${scene.name}`, 'offset:123456789')).toBeNull();
  expect(scene.telegram.callsOf('getUpdates')).toEqual([]);
  expect(scene.channel.health().state).toBe('up');
});

test('an update that can’t be stored in time is to be sent again, and is taken once', async () => {
  await started();
  scene.telegram.says('one');
  const away = () => new StoreError('unavailable', 'The store is away.');
  scene.storeFailures.push(...Array.from({ length: 1_000 }, away));
  let answer: HookAnswer | null = null;
  void post().then((given) => {
    answer = given;
  });
  await scene.pass(() => answer !== null);
  expect(answer).toMatchObject({ outcome: 'unavailable' });
  scene.storeFailures.length = 0;
  expect(await post()).toEqual({ outcome: 'taken' });
  scene.clock.advance(10_000);
  expect(await scene.texts()).toEqual(['one queued']);
});

test('a request with a wrong secret, or none, is refused, as is one that is no update', async () => {
  await started();
  scene.telegram.says('one');
  for (const secret of ['', 'x', `${scene.telegram.webhookSecret}x`]) {
    expect(await post(secret)).toMatchObject({ outcome: 'unauthorized' });
  }
  scene.telegram.confirm();
  for (const body of ['', '[]', '{"x":1}', 'x']) {
    const answer = scene.hooks.of(scene.name)?.handle({ headers: {}, body: Buffer.from(body), client: null });
    expect(await answer).toMatchObject({ outcome: 'malformed' });
  }
  expect(await scene.texts()).toEqual([]);
});

test('the webhook stays when the gateway stops; its secret stands in nothing that is told', async () => {
  await started();
  await scene.closed();
  expect(scene.hooks.of(scene.name)).toBeNull();
  expect(scene.telegram.webhook).not.toBe('');
  expect(JSON.stringify([scene.log.records, scene.healths.all])).not.toContain(scene.telegram.webhookSecret);
});

test('without a public URL it is down, and says what is missing', async () => {
  scene.publicUrl = null;
  await scene.channel.start();
  await scene.healths.until((all) => all.at(-1)?.includes('needs http.public_url') ?? false);
  scene.publicUrl = 'https://gateway.example';
  await scene.pass(() => scene.channel.health().state === 'up');
});

test.each([
  [
    'something else takes it away',
    () => {
      scene.telegram.webhook = 'https://other.example/';
    },
    'has taken the webhook',
  ],
  [
    'Telegram can’t deliver',
    () => {
      scene.telegram.says('one');
      scene.telegram.webhookError = {
        last_error_date: 4_000_000_000,
        last_error_message: 'Connection refused',
      };
    },
    'Connection refused',
  ],
])('is down if %s', async (_name, happen, said) => {
  await started();
  happen();
  await scene.pass(() => scene.channel.health().state === 'down');
  expect(scene.channel.health().reason).toContain(said);
  scene.telegram.webhookError = {};
  await scene.pass(() => scene.channel.health().state === 'up');
  expect(scene.telegram.webhook).toContain('gateway.example');
});

describe('over HTTP', () => {
  let served: Served;

  beforeEach(async () => {
    served = await serve({ channel: { hooks: scene.hooks }, settings: { channelNames: [scene.name] } });
    await started();
    scene.telegram.says('one');
  });
  afterEach(() => served.dispose());

  function send(body: Uint8Array<ArrayBuffer>, secret: string | null = scene.telegram.webhookSecret) {
    const headers = {
      'content-type': 'application/json',
      ...(secret !== null && { 'x-telegram-bot-api-secret-token': secret }),
    };
    return fetch(`${served.base}/hooks/${scene.name}`, { method: 'POST', headers, body });
  }

  test('an update is taken once, however often it comes', async () => {
    for (let times = 0; times < 3; times += 1) {
      const answer = await send(new Uint8Array(scene.telegram.posted));
      expect([answer.status, await answer.json()]).toEqual([200, {}]);
    }
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('a request with another secret, or none, is refused, however large it is', async () => {
    for (const secret of [null, 'f', 'f'.repeat(64), '\u00fc'.repeat(64)]) {
      expect((await send(new Uint8Array(scene.telegram.posted), secret)).status).toBe(401);
      expect((await send(new Uint8Array(1024 ** 2 + 1), secret)).status).toBe(401);
    }
    expect(await scene.texts()).toEqual([]);
  });

  test('a body above 1 MiB, or one that is no update, is refused, and the next update taken', async () => {
    expect((await send(new Uint8Array(1024 ** 2 + 1))).status).toBe(413);
    expect((await send(new Uint8Array(1024 ** 2))).status).toBe(400);
    expect((await send(new Uint8Array(scene.telegram.posted))).status).toBe(200);
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('an update is to come again while the gateway stops', async () => {
    await scene.closed();
    const answer = await send(new Uint8Array(scene.telegram.posted));
    expect([answer.status, answer.headers.has('retry-after')]).toEqual([503, true]);
  });
});
