import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../src/store/store-error.js';
import { ada, directId, grace, guildChannelId, threadId } from '../../support/discord-stand-in.js';
import { closeStore, openStore, Scene } from './discord-fixture.js';

let scene: Scene;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
});
afterEach(async () => {
  await scene.end();
  expect(scene.discord.mistakes).toEqual([]);
});

/** Lets time pass until the session has these texts, and no others. */
async function hears(texts: readonly string[], conversation = directId): Promise<void> {
  let found: readonly string[] = [];
  const wanted = texts.map((text) => `${text} queued`);
  const isSo = () => JSON.stringify(found) === JSON.stringify(wanted);
  const look = async () => {
    while (!isSo()) found = await scene.texts(conversation);
  };
  await Promise.race([look(), scene.pass(isSo, 20)]).catch(() => undefined);
  expect(found).toEqual(wanted);
}

const session = () => [...scene.discord.gateway.sessions.values()].at(-1);
const isUp = () => scene.discord.gateway.isConnected && scene.channel.health().state === 'up';

describe('a message', () => {
  test('is acknowledged by a heartbeat once it is on disk with its place, and not before', async () => {
    await scene.started();
    scene.storeFailures.push(...Array.from({ length: 6 }, () => new StoreError('full', 'The disk is full.')));
    scene.discord.says('hello');
    scene.discord.gateway.op(1);
    await scene.discord.until(() => scene.discord.gateway.beats.length > 0);
    expect(scene.discord.gateway.beats.at(-1)).toBeNull();
    await hears(['hello']);
    await scene.pass(() => session()?.acknowledged === session()?.seq, 5_000);
    expect(scene.complaints.join()).toContain('The disk is full.');
  });

  test('that was sent again or in another order is taken once', async () => {
    await scene.started();
    scene.discord.says('1');
    scene.discord.says('2');
    await hears(['1', '2']);
    scene.discord.gateway.replay(2);
    scene.discord.says('3');
    await hears(['1', '2', '3']);
  });

  test('of a server needs a mention or an answer to the bot; a thread is a session of its own', async () => {
    await scene.started();
    const { discord } = scene;
    const answered = { author: discord.bot, content: 'earlier' };
    discord.says('not for it', { channel_id: guildChannelId });
    discord.says('', { ...discord.mention('hello'), channel_id: guildChannelId });
    discord.says('by answer', {
      channel_id: guildChannelId,
      referenced_message: answered,
      mentions: [discord.bot],
    });
    discord.says('', { ...discord.mention('in a thread'), channel_id: threadId });
    await hears(['Ada L: hello', 'Ada L: by answer'], guildChannelId);
    await hears(['Ada L: in a thread'], threadId);
  });

  test('of a program or of a stranger is left out', async () => {
    await scene.started();
    const { discord } = scene;
    discord.says('a bot', { author: { ...grace, bot: true } });
    discord.says('a webhook', { webhook_id: '500000000000000001' });
    discord.says('a stranger', { author: grace });
    discord.says('joined', { type: 7 });
    discord.says('hello');
    await hears(['hello']);
    await expect.poll(() => scene.complaints.join()).toContain('A stranger was given no code');
  });

  test('brings its files, and says which could not be had', async () => {
    await scene.started();
    const { discord } = scene;
    discord.next('file', { kind: 'cut', at: 'after' });
    const foreign = {
      id: '600000000000000001',
      filename: 'x',
      size: 1,
      url: 'http://169.254.169.254/latest',
    };
    discord.says('look', { attachments: [discord.addFile('a.txt', Buffer.from('content')), foreign] });
    await hears([
      'look\n[the file "x" is missing: it could not be downloaded: it is on a host that is none of Discord]',
    ]);
    const page = await scene.store.sessionMessages(`${scene.name}:${directId}`, { limit: 1, after: null });
    const stored = await scene.store.message(page?.items[0]?.id ?? '');
    expect(stored?.attachments).toMatchObject([{ name: 'a.txt', sizeBytes: 7 }]);
  });

  test('that was edited to mention the bot is taken then', async () => {
    await scene.started();
    const { discord } = scene;
    const message = discord.says('hello', { channel_id: guildChannelId });
    discord.edits(message, discord.mention('hello'));
    discord.edits(message, discord.mention('again'));
    await hears(['Ada L: hello'], guildChannelId);
  });

  test('that waits is changed by an edit, and cancelled by its deletion', async () => {
    await scene.started();
    const { discord } = scene;
    const first = discord.says('hello');
    discord.edits(first, { content: 'hello you' });
    // Such as one that shows the page of a link.
    discord.edits(first, { edited_timestamp: null, content: 'with a picture' });
    discord.deletes(first);
    discord.says('last');
    await hears(['hello', 'last']);
    expect(scene.revisions).toEqual([
      [first.id, 'hello you'],
      [first.id, null],
    ]);
  });

  test('that can not be read is kept, and those around it are taken', async () => {
    await scene.started();
    scene.discord.says('1');
    scene.discord.gateway.dispatch('MESSAGE_CREATE', 1 << 12, () => ({ id: 5, content: {} }));
    scene.discord.gateway.dispatch('MESSAGE_CREATE', 1 << 12, () => null);
    scene.discord.gateway.raw('{"op":');
    scene.discord.gateway.raw(JSON.stringify({ op: 0, t: 7, s: 'x', d: '\u0000' }));
    scene.discord.says('2');
    await hears(['1', '2']);
    expect(scene.channel.health().state).toBe('up');
    expect(scene.complaints.join()).toContain('none of the gateway');
  });

  test('that is nested thousands of times is left out', async () => {
    await scene.started();
    const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    scene.discord.gateway.raw(`{"op":0,"s":1,"t":"MESSAGE_CREATE","d":${nested}}`);
    scene.discord.says('1');
    await hears(['1']);
    expect(scene.complaints.join()).toContain('none of the gateway');
  });

  test('that has millions of values is not taken apart', async () => {
    await scene.started();
    scene.discord.gateway.raw(`{"op":0,"s":1,"t":"X","d":[${'[],'.repeat(1_500_000)}0]}`);
    scene.discord.says('1');
    await hears(['1']);
    expect(scene.complaints.join()).toContain('none of the gateway');
  });
});

describe('a session', () => {
  test('goes on after a break, and by the next start, with all that came meanwhile', async () => {
    await scene.started();
    scene.discord.says('1');
    await hears(['1']);
    scene.discord.gateway.cut();
    scene.discord.says('2');
    await hears(['1', '2']);
    await scene.closed();
    scene.discord.says('3');
    await scene.started(scene.made());
    await hears(['1', '2', '3']);
    expect(scene.discord.gateway).toMatchObject({ identifies: 1, resumes: 2 });
    expect(scene.complaints).toEqual([]);
  });

  test.each([
    ['asks for a new connection', () => scene.discord.gateway.op(7)],
    ['closes with 4000', () => scene.discord.gateway.close(4_000)],
    ['closes with 4008', () => scene.discord.gateway.close(4_008)],
    ['says for now that the session is invalid', () => scene.discord.gateway.op(9, true)],
  ])('goes on if Discord %s', async (_name, act) => {
    await scene.started();
    act();
    await scene.pass(() => scene.discord.gateway.resumes === 1 && isUp());
    scene.discord.says('hello');
    await hears(['hello']);
    expect(scene.discord.gateway.identifies).toBe(1);
  });

  test('goes on if nobody answers heartbeats any more', async () => {
    await scene.started();
    scene.discord.gateway.answersBeats = false;
    await scene.pass(() => scene.discord.gateway.beats.length > 0, 5_000);
    scene.discord.gateway.answersBeats = true;
    await scene.pass(() => scene.discord.gateway.resumes === 1 && isUp(), 5_000);
  });

  test.each([
    ['4007', 120, () => scene.discord.gateway.close(4_007)],
    ['4009', 3, () => scene.discord.gateway.close(4_009)],
    ['an invalid session', 3, () => scene.discord.gateway.op(9, false)],
  ])('begins anew after %s, and what was missed is read back in its order', async (_name, most, act) => {
    await scene.started();
    const { discord } = scene;
    discord.says('1');
    await hears(['1']);
    discord.says('', { ...discord.mention('a'), channel_id: guildChannelId });
    await hears(['Ada L: a'], guildChannelId);
    act();
    discord.gateway.expireSessions();
    for (let count = 2; count <= most; count += 1) discord.says(String(count));
    discord.says('', { ...discord.mention('b'), channel_id: guildChannelId });
    discord.says('', { ...discord.mention('c'), channel_id: threadId });
    await scene.pass(() => discord.gateway.identifies === 2);
    discord.says('last');
    await hears([...Array.from({ length: most }, (_, index) => String(index + 1)), 'last']);
    await hears(['Ada L: a', 'Ada L: b'], guildChannelId);
    await hears(['Ada L: c'], threadId);
    await scene.pass(() => session()?.acknowledged === session()?.seq, 5_000);
  });

  test('whose gap could not be filled yet is not acknowledged, and no further one is begun', async () => {
    await scene.started();
    const { discord } = scene;
    discord.says('1');
    await hears(['1']);
    const fault = { kind: 'refuse', status: 500, body: { message: 'Internal', code: 0 } } as const;
    discord.next('GET messages', ...Array.from({ length: 4 }, () => fault));
    discord.gateway.op(9, false);
    discord.gateway.expireSessions();
    discord.says('2');
    await scene.pass(() => discord.gateway.identifies === 2);
    discord.says('3');
    await hears(['1', '2', '3']);
    expect(discord.gateway.identifies).toBe(2);
  });

  test('is not begun with few starts left', async () => {
    scene.discord.startsLeft = 3;
    await scene.channel.start();
    await scene.pass(() => scene.channel.health().state === 'down');
    expect(scene.channel.health().reason).toContain('too many sessions');
    expect(scene.discord.gateway.identifies).toBe(0);
    scene.discord.startsLeft = 1_000;
    scene.clock.advance(3_600_000);
    await scene.pass(isUp);
  });

  test.each([
    [4_014, 'Message Content Intent'],
    [4_011, 'too many servers'],
    [4_004, 'token'],
  ])('that Discord refuses with %d is not asked for over and over', async (closeCode, reason) => {
    scene.discord.gateway.refusal = { closeCode };
    await scene.channel.start();
    await scene.pass(() => scene.channel.health().state === 'down');
    expect(scene.channel.health().reason).toContain(reason);
    await scene.pass(isUp, 5_000);
    expect(scene.discord.gateway.identifies).toBe(2);
  });

  test('gets the text of all messages of servers only if that is asked for', async () => {
    const channel = scene.made({ groups: 'all' });
    await scene.started(channel);
    scene.discord.says('for all', { channel_id: guildChannelId });
    await hears(['Ada L: for all'], guildChannelId);
    expect(session()?.intents).toBe(1 + (1 << 9) + (1 << 12) + (1 << 15));
  });

  test('is of one gateway among those with a store, until that ends', async () => {
    await scene.started();
    const first = scene.channel;
    const second = scene.made();
    await second.start();
    await scene.pass(() => (second.health().reason ?? '').includes('another gateway'));
    expect(scene.discord.gateway.identifies).toBe(1);
    await scene.closed(first);
    await scene.pass(() => second.health().state === 'up');
    expect(scene.discord.gateway).toMatchObject({ identifies: 1, resumes: 1 });
  });

  test('is left when the token goes, and begun with the new one', async () => {
    await scene.started();
    const before = scene.discord.token;
    scene.discord.token = `${before}x`;
    scene.discord.gateway.close(4_004, 'Authentication failed.');
    await scene.pass(() => scene.channel.health().state === 'down');
    expect(scene.channel.health().reason).toContain(scene.tokenFile);
    await scene.pass(() => (scene.channel.health().reason ?? '').includes('401'), 1_000);
    scene.writeToken(scene.discord.token);
    await scene.pass(isUp, 1_000);
    expect(JSON.stringify(scene.log.records)).not.toContain(before);
  });
});

describe('a start', () => {
  test.each([
    ['a wrong form', 'abc', 'is no token of a bot'],
    [
      'a token that Discord does not know',
      'OTAwMDAwMDAwMDAwMDAwMDAx.Gwrong.0123456789abcdefghijklmnopq',
      '401',
    ],
  ])('with %s fails, and says what to do', async (_name, token, reason) => {
    scene.writeToken(token);
    await expect(scene.made().start()).rejects.toThrow(reason);
  });

  test('is given a code for a stranger in private alone', async () => {
    expect(scene.channel.health().state).toBe('starting');
    await scene.started();
    await scene.channel.say({ address: directId }, 'Your *code*');
    expect(scene.discord.texts).toEqual(['Your \\*code\\*']);
    await expect(scene.channel.say({ address: '1' }, 'x')).rejects.toThrow('Unknown Channel');
    expect(scene.discord.sent[0]).toMatchObject({ author: { id: scene.discord.bot.id } });
    expect(ada.id).not.toBe(grace.id);
  });
});
