import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../src/store/store-error.js';
import type { Fault } from '../../support/telegram-stand-in.js';
import { closeStore, openStore, Scene } from './telegram-fixture.js';

let scene: Scene;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
});
afterEach(async () => {
  await scene.end();
  expect(scene.telegram.mistakes).toEqual([]);
  const told = JSON.stringify([scene.log.records, scene.healths.all, scene.channel.health()]);
  expect(told).not.toContain(scene.telegram.token.split(':')[1]);
});

async function started(): Promise<void> {
  await scene.channel.start();
  await scene.telegram.until(() => scene.telegram.isPolled);
}

describe('the start', () => {
  test('asks who the bot is, polls, and says that it is up', async () => {
    await started();
    expect(scene.channel.health()).toMatchObject({ state: 'up', reason: null });
    expect(scene.telegram.callsOf('getUpdates')).toEqual([
      { timeout: 25, allowed_updates: ['message', 'edited_message'] },
    ]);
  });

  test.each([
    ['is not known', '987654321:AAF-another_token_that_nobody_knows_00', 'does not know the bot'],
    ['is none', 'hunter2', 'is no token of a bot'],
  ])('fails if the token %s, without a word of it', async (_name, token, said) => {
    scene.writeToken(token);
    const failure = await scene.channel.start().catch((error: unknown) => String(error));
    expect(failure).toContain(said);
    expect(failure).not.toContain(token.split(':').at(-1));
  });

  test('fails if Telegram is not reached, or answers with something else', async () => {
    scene.telegram.next('getMe', { kind: 'cut', at: 'before' });
    await expect(scene.channel.start()).rejects.toThrow('Telegram was not reached');
    scene.telegram.next('getMe', { kind: 'raw', status: 502, body: `<html>${scene.telegram.token}</html>` });
    await expect(scene.made().start()).rejects.toThrow('none of the Bot API (HTTP 502)');
  });
});

describe('an update', () => {
  test('is acknowledged once it is on disk with the position behind it', async () => {
    await started();
    scene.storeFailures.push(new StoreError('full', 'The disk is full.'));
    scene.telegram.says('one');
    await scene.pass(() => scene.complaints.some((text) => text.includes('The disk is full.')));
    expect(scene.telegram.callsOf('getUpdates')).toHaveLength(1);
    await scene.pass(() => scene.telegram.unconfirmed === 0);
    expect(await scene.texts()).toEqual(['one queued']);
    expect(scene.telegram.callsOf('getUpdates').at(-1)).toMatchObject({ offset: 502 });
    scene.telegram.says('two');
    await scene.confirmed();
    await scene.closed();
    scene.made();
    await started();
    expect(scene.telegram.callsOf('getUpdates').at(-1)).toMatchObject({ offset: 503 });
    expect(await scene.texts()).toEqual(['one queued', 'two queued']);
  });

  test('that has not been stored when the channel ends comes again, and only once', async () => {
    await started();
    const away = () => new StoreError('unavailable', 'The store is away.');
    scene.storeFailures.push(...Array.from({ length: 1_000 }, away));
    scene.telegram.says('one');
    await scene.pass(() => scene.complaints.length > 0);
    scene.channel.stopAccepting();
    await scene.closed();
    scene.storeFailures.length = 0;
    expect(scene.telegram.unconfirmed).toBe(1);
    scene.made();
    await scene.channel.start();
    await scene.confirmed();
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('that is given again, or in another order, is taken once', async () => {
    await started();
    for (const text of ['one', 'two']) scene.telegram.says(text);
    await scene.confirmed();
    scene.telegram.next('getUpdates', { kind: 'replay' });
    scene.telegram.says('three');
    await scene.confirmed();
    // Its ids are lower than those before: a week has passed.
    scene.telegram.restartIds(20);
    scene.telegram.says('four');
    await scene.telegram.until(() => scene.telegram.callsOf('getUpdates').at(-1)?.['offset'] === 22);
    expect(await scene.texts()).toEqual(['one queued', 'two queued', 'three queued', 'four queued']);
  });

  test.each([
    ['cut', 'after'],
    ['cut', 'in-answer'],
    ['hang', 'after'],
  ] as const)('comes again if its answer is lost (%s %s)', async (kind, at) => {
    await started();
    scene.telegram.next('getUpdates', { kind, at } as never);
    scene.telegram.says('zero');
    await scene.confirmed();
    scene.telegram.says('one');
    await scene.pass(() => scene.telegram.unconfirmed === 0);
    expect(await scene.texts()).toEqual(['zero queued', 'one queued']);
  });

  test('of a stranger, or of a kind that nobody asked for, is acknowledged and not kept', async () => {
    scene.made({ pairing: false });
    await started();
    scene.telegram.says('let me in', {}, 77);
    scene.telegram.force({ poll: { id: '1' } });
    scene.telegram.force({ something_new: 7 });
    scene.telegram.says(null, { new_chat_title: 'x' });
    scene.telegram.says('beep', { from: { id: 42, is_bot: true, first_name: 'Bot' } });
    await scene.confirmed();
    expect(await scene.texts('77')).toEqual([]);
    expect(await scene.texts()).toEqual([]);
    expect(scene.complaints).toEqual([expect.stringContaining('"77"')]);
  });

  test('that can’t be read is kept as it came, and takes nothing good with it', async () => {
    await started();
    scene.telegram.force({ message: { chat: { id: 42 }, from: { id: 42 }, text: 7 } });
    scene.telegram.says(null, { hologram: { id: 1 } });
    scene.telegram.says('good \0 \ud800');
    await scene.confirmed();
    const [first, second, third] = await scene.texts();
    expect(first).toMatch(/"text":7.* dead$/);
    expect(second).toMatch(/"hologram":\{"id":1\}.* dead$/);
    expect(third).toBe('good \ufffd \ufffd queued');
  });

  test('that the store can’t ever take is left out, and the others are not', async () => {
    await started();
    const broken = () => new Error('it is broken');
    scene.storeFailures.push(broken(), broken());
    scene.telegram.says('one');
    scene.telegram.says('two');
    await scene.confirmed();
    expect(await scene.texts()).toEqual(['two queued']);
    expect(scene.complaints).toEqual([expect.stringContaining('it is broken')]);
  });
});

describe('a file', () => {
  const document = (id: string) => ({
    document: { file_id: id, file_name: `${id}.txt`, mime_type: 'text/plain', file_size: 5 },
    caption: `see ${id}`,
  });

  test('comes with its message, in its place', async () => {
    scene.telegram.addFile('a', Buffer.from('hello'));
    await started();
    scene.telegram.says('before');
    scene.telegram.says(null, document('a'));
    scene.telegram.says('after');
    await scene.confirmed();
    const page = await scene.store.sessionMessages(`${scene.name}:42`, { limit: 3, after: null });
    expect(page?.items.map(({ text }) => text)).toEqual(['before', 'see a', 'after']);
    expect(page?.items[1]?.attachments).toMatchObject([
      { name: 'a.txt', mediaType: 'text/plain', sizeBytes: 5 },
    ]);
  });

  test('that can’t be had is named in the text', async () => {
    scene.telegram.addFile('large', Buffer.alloc(200_000));
    scene.telegram.addFile('cut', Buffer.from('hello'));
    scene.telegram.next('file', { kind: 'cut', at: 'in-answer' });
    await started();
    scene.telegram.says(null, document('gone'));
    scene.telegram.says(null, document('cut'));
    scene.telegram.says(null, document('large'));
    await scene.pass(() => scene.telegram.unconfirmed === 0);
    const texts = await scene.texts();
    expect(texts[0]).toContain('[the file "gone.txt" is missing: it could not be downloaded');
    expect(texts[1]).toBe('see cut queued');
    expect(texts[2]).toContain('is larger than 100000 bytes (attachments.file_limit)');
  });

  test('of a stranger is not fetched, and one that is under way is no reason to lose its message', async () => {
    scene.telegram.addFile('a', Buffer.from('hello'));
    await started();
    scene.telegram.says(null, document('a'), 77);
    await scene.confirmed();
    expect(scene.telegram.callsOf('getFile')).toEqual([]);
    scene.telegram.next('file', { kind: 'hang', at: 'before' });
    scene.telegram.says(null, document('a'));
    await scene.telegram.until(() => scene.telegram.callsOf('file').length === 1);
    await scene.closed();
    expect(await scene.texts()).toEqual([]);
    await scene.made().start();
    await scene.confirmed();
    expect(await scene.texts()).toEqual(['see a queued']);
  });
});

describe('a conversation', () => {
  const group = { chat: { id: -100, type: 'supergroup', title: 'Group' } };

  test('is a chat or a topic of it, and replies go there', async () => {
    await started();
    scene.telegram.says('@stand_in_bot hi', {
      ...group,
      entities: [{ type: 'mention', offset: 0, length: 13 }],
      message_thread_id: 7,
      is_topic_message: true,
    });
    await scene.confirmed();
    const page = await scene.store.sessionMessages(`${scene.name}:-100:7`, { limit: 1, after: null });
    expect(page?.items[0]).toMatchObject({
      sender: '42',
      replyTo: { channel: scene.name, address: '-100:7', options: { message_id: 1 } },
    });
  });

  test('keeps its session when the group becomes a supergroup, also after a restart', async () => {
    const mention = { entities: [{ type: 'mention', offset: 0, length: 13 }] };
    await started();
    scene.telegram.says('@stand_in_bot 1', { ...group, ...mention });
    scene.telegram.says(null, { ...group, migrate_to_chat_id: -200 });
    scene.telegram.says('@stand_in_bot 2', { chat: { ...group.chat, id: -200 }, ...mention });
    await scene.confirmed();
    await scene.closed();
    scene.made();
    await started();
    scene.telegram.says('@stand_in_bot 3', { chat: { ...group.chat, id: -200 }, ...mention });
    await scene.confirmed();
    expect(await scene.texts('-100')).toEqual([
      expect.stringContaining('@stand_in_bot 1'),
      expect.stringContaining('@stand_in_bot 2'),
      expect.stringContaining('@stand_in_bot 3'),
    ]);
    expect(await scene.texts('-200')).toEqual([]);
  });
});

describe('Telegram', () => {
  const refused = (code: number, description: string, parameters?: object) =>
    ({ kind: 'refuse', code, description, ...(parameters && { parameters }) }) as const;

  test('says that another program polls: the way out is said, and the poll goes on', async () => {
    await started();
    scene.telegram.conflict();
    await scene.healths.until((all) => all.at(-1)?.includes('something else polls the same bot') ?? false);
    expect(scene.channel.health().state).toBe('down');
    scene.telegram.says('one');
    await scene.pass(() => scene.channel.health().state === 'up');
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('has a webhook: it is not removed', async () => {
    scene.telegram.webhook = 'https://other.example/hook';
    await scene.channel.start();
    await scene.healths.until((all) => all.at(-1)?.includes('deleteWebhook') ?? false);
    expect(scene.telegram.webhook).not.toBe('');
    expect(scene.telegram.callsOf('deleteWebhook')).toEqual([]);
    scene.telegram.webhook = '';
    await scene.pass(() => scene.channel.health().state === 'up');
  });

  test('takes the token back: a new one in the file is found', async () => {
    await started();
    scene.telegram.isKnown = false;
    scene.telegram.says('one');
    await scene.healths.until((all) => all.at(-1)?.includes('does not know the bot') ?? false);
    expect(scene.channel.health().reason).toContain(scene.tokenFile);
    scene.telegram.isKnown = true;
    await scene.pass(() => scene.telegram.unconfirmed === 0);
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('asks for time: no poll comes before that', async () => {
    await started();
    scene.telegram.next('getUpdates', refused(429, 'Too Many Requests: retry after 17', { retry_after: 17 }));
    scene.telegram.says('one');
    await scene.telegram.until(() => scene.telegram.callsOf('getUpdates').length === 2);
    const refusedAt = scene.clock.now();
    await scene.pass(() => scene.telegram.callsOf('getUpdates').length === 3);
    expect(scene.clock.now() - refusedAt).toBeGreaterThanOrEqual(17_000);
    // One such answer passes by itself.
    expect(scene.channel.health().state).toBe('up');
  });

  test('fails: it is tried again after longer and longer waits', async () => {
    await started();
    const failures = 6;
    scene.telegram.next('getUpdates', ...Array.from({ length: failures }, () => refused(500, 'restart')));
    const begun = scene.clock.now();
    scene.telegram.says('one');
    await scene.pass(() => scene.telegram.callsOf('getUpdates').length === 2 + failures);
    // 1 + 2 + 4 + 8 + 16 + 32 s, less a fifth at most.
    expect(scene.clock.now() - begun).toBeGreaterThan(50_000);
    expect(scene.clock.now() - begun).toBeLessThan(75_000);
    await scene.pass(() => scene.channel.health().state === 'up');
    expect(scene.complaints).toHaveLength(1);
  });

  test('does not answer a poll: it is given up', async () => {
    await started();
    scene.telegram.next('getUpdates', { kind: 'hang', at: 'before' });
    scene.telegram.says('one');
    await scene.telegram.until(() => scene.telegram.callsOf('getUpdates').length === 2);
    await scene.pass(() => scene.telegram.unconfirmed === 0);
    expect(await scene.texts()).toEqual(['one queued']);
  });

  test('is asked by another call after a silence, and polled anew if that fails', async () => {
    await scene.made({ health_interval: '30s' }).start();
    await scene.telegram.until(() => scene.telegram.isPolled);
    scene.telegram.next('getMe', { kind: 'cut', at: 'before' });
    scene.clock.advance(30_000);
    // The connection that was cut may be the one that the next poll takes: there may be one more.
    await scene.pass(() => scene.telegram.callsOf('getUpdates').length >= 2);
    expect(scene.telegram.callsOf('getMe')).toHaveLength(2);
  });

  test('has an answer that is none: it is tried again', async () => {
    await started();
    scene.telegram.next(
      'getUpdates',
      { kind: 'raw', status: 200, body: '{"ok":true,"result":[{"id":1}]}' },
      { kind: 'raw', status: 200, body: '{"ok":true,"result":"x"' },
    );
    scene.telegram.says('one');
    await scene.pass(() => scene.telegram.unconfirmed === 0);
    expect(await scene.texts()).toEqual(['one queued']);
  });
});

test('no message is lost, doubled or out of order, whatever becomes of the polls', async () => {
  const faults: readonly Fault[] = [
    { kind: 'cut', at: 'before' },
    { kind: 'cut', at: 'after' },
    { kind: 'cut', at: 'in-answer' },
    { kind: 'hang', at: 'after' },
    { kind: 'raw', status: 502, body: '<html>' },
    { kind: 'refuse', code: 409, description: 'Conflict: terminated by other getUpdates request' },
    { kind: 'refuse', code: 429, description: 'Too Many Requests', parameters: { retry_after: 2 } },
    { kind: 'replay' },
    { kind: 'reorder' },
  ];
  await started();
  let written = 0;
  const steps = fc.array(
    fc.record({ fault: fc.constantFrom(...faults), messages: fc.integer({ min: 1, max: 3 }) }),
    {
      minLength: 4,
      maxLength: 8,
    },
  );
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (all, isRestarted) => {
      for (const { fault, messages } of all) {
        scene.telegram.next('getUpdates', fault);
        for (let left = messages; left > 0; left -= 1) scene.telegram.says(`message ${++written}`);
        if (isRestarted && fault.kind === 'hang') {
          await scene.closed();
          await scene.made().start();
        }
      }
      await scene.pass(() => scene.telegram.unconfirmed === 0, 500);
      expect(await scene.texts()).toEqual(
        Array.from({ length: written }, (_, index) => `message ${index + 1} queued`),
      );
    }),
    { numRuns: 2 },
  );
});

test('of two gateways with one store, one polls; the other takes over when it ends', async () => {
  await started();
  const first = scene.channel;
  const second = scene.made();
  await second.start();
  await scene.healths.until((all) => all.at(-1)?.includes('another gateway') ?? false);
  expect(second.health().state).toBe('starting');
  expect(scene.telegram.callsOf('getUpdates')).toHaveLength(1);
  await scene.closed(first);
  await scene.pass(() => scene.telegram.callsOf('getUpdates').length > 1);
  expect(second.health().state).toBe('up');
});

test('a stop ends the open poll, and asks for nothing more', async () => {
  await started();
  scene.channel.stopAccepting();
  await scene.closed();
  expect(scene.channel.health().state).toBe('closed');
  scene.telegram.says('one');
  expect(scene.telegram.callsOf('getUpdates')).toHaveLength(1);
});
