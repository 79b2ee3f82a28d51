import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../src/store/store-error.js';
import { ada, botUser, directId, grace, groupId } from '../../support/matrix-stand-in.js';
import { closeStore, openStore, Scene, sessionName } from './matrix-fixture.js';

let scene: Scene;

beforeAll(openStore);
afterAll(closeStore);
beforeEach(async () => {
  scene = await Scene.make();
});
afterEach(async () => {
  await scene.end();
  expect(scene.matrix.mistakes).toEqual([]);
});

/** Lets time pass until the conversation has these texts, and no others. */
async function hears(texts: readonly string[], conversation = directId): Promise<void> {
  let found: readonly string[] = [];
  const wanted = texts.map((text) => `${text} queued`);
  const isSo = () => JSON.stringify(found) === JSON.stringify(wanted);
  const look = async () => {
    while (!isSo()) found = await scene.texts(sessionName(conversation));
  };
  await Promise.race([look(), scene.pass(isSo, 20)]).catch(() => undefined);
  expect(found).toEqual(wanted);
}

const acknowledged = () =>
  scene.pass(() => scene.matrix.isPolled && scene.matrix.since === scene.matrix.place);
const isUp = () => scene.channel.health().state === 'up' && scene.matrix.isPolled;
const mention = { 'm.mentions': { user_ids: [botUser] } };
const threaded = (eventId: string) => ({
  'm.relates_to': {
    rel_type: 'm.thread',
    event_id: eventId,
    is_falling_back: true,
    'm.in_reply_to': { event_id: eventId },
  },
});

describe('a message', () => {
  test('is acknowledged by the next poll once it is on disk with its place, and not before', async () => {
    await scene.started();
    const before = scene.matrix.since;
    scene.storeFailures.push(...Array.from({ length: 4 }, () => new StoreError('full', 'The disk is full.')));
    scene.matrix.says('hello');
    await scene.pass(() => scene.complaints.join().includes('The disk is full.'), 5);
    expect(scene.matrix.since).toBe(before);
    await hears(['hello']);
    await acknowledged();
  });

  test('that was there before the first start is not taken, and one that came while it was away is', async () => {
    scene.matrix.says('old');
    await scene.started();
    scene.matrix.says('new');
    await hears(['new']);
    await acknowledged();
    await scene.closed();
    scene.matrix.says('meanwhile');
    await scene.started(scene.made());
    await hears(['new', 'meanwhile']);
  });

  test('whose place was not acknowledged before a crash, or that is given again, is taken once', async () => {
    await scene.started();
    scene.matrix.says('1');
    await hears(['1']);
    await acknowledged();
    scene.matrix.next('GET sync', { kind: 'replay' }, { kind: 'replay' });
    scene.matrix.says('2');
    scene.matrix.says('3');
    await hears(['1', '2', '3']);
  });

  test('of a group needs a mention, the name, or an answer to the account', async () => {
    await scene.started();
    const { matrix } = scene;
    const own = matrix.gives(groupId, botUser, 'm.room.message', { msgtype: 'm.text', body: 'earlier' });
    const answer = { 'm.relates_to': { 'm.in_reply_to': { event_id: own.event_id } } };
    matrix.says('not for it', {}, groupId);
    matrix.says('Helper is a word, and others are told', { 'm.mentions': {} }, groupId);
    matrix.says('Helper: by mention', mention, groupId);
    matrix.says('by answer', answer, groupId);
    matrix.says('you there, helper?', {}, groupId);
    const heard = ['Ada L: by mention', 'Ada L: by answer', 'Ada L: you there, helper?'];
    await hears(heard, groupId);
    matrix.says('Helper: again', mention, groupId);
    await hears([...heard, 'Ada L: again'], groupId);
    // Who is in it is asked for once.
    expect(matrix.callsOf('GET joined_members').map(({ roomId }) => roomId)).toEqual([groupId]);
  });

  test('of a program, of the account itself or of a stranger is left out', async () => {
    await scene.started();
    const { matrix } = scene;
    matrix.says('a program', { msgtype: 'm.notice' });
    matrix.says('the account', {}, directId, botUser);
    matrix.says('a stranger', {}, directId, grace);
    matrix.gives(directId, ada, 'm.reaction', { 'm.relates_to': { rel_type: 'm.annotation' } });
    matrix.says('hello');
    await hears(['hello']);
    await expect.poll(() => scene.complaints.join()).toContain('A stranger was given no code');
  });

  test('of a thread is of a session of its own, and answers go there', async () => {
    await scene.started();
    const { matrix } = scene;
    const root = matrix.says('the beginning', mention, groupId);
    const inThread = matrix.says('in the thread', { ...mention, ...threaded(root.event_id) }, groupId);
    await hears(['Ada L: the beginning'], groupId);
    await hears(['Ada L: in the thread'], `${groupId}:${root.event_id}`);
    const page = await scene.store.sessionMessages(
      `${scene.name}:${sessionName(`${groupId}:${root.event_id}`)}`,
      { limit: 1, after: null },
    );
    expect(page?.items[0]?.replyTo).toEqual({
      channel: scene.name,
      address: `${groupId}:${root.event_id}`,
      options: { event_id: inThread.event_id, user_id: ada },
    });
  });

  test('that answers somebody else begins with what it answers', async () => {
    await scene.started();
    const { matrix } = scene;
    const first = matrix.says('what  about\nit?', { 'm.mentions': {} }, groupId, grace);
    const answer = { 'm.relates_to': { 'm.in_reply_to': { event_id: first.event_id } } };
    matrix.says('> <@grace:example.org> what about\n\nHelper, say', { ...mention, ...answer }, groupId);
    await hears(['Ada L: [in reply to grace: what about it?]\nsay'], groupId);
  });

  test('brings its file, and says which could not be had', async () => {
    await scene.started();
    const { matrix } = scene;
    const file = { msgtype: 'm.file', filename: 'a.txt', info: { mimetype: 'text/plain' } };
    matrix.says('look', { ...file, url: matrix.addMedia('a', Buffer.from('content')) });
    matrix.says('b.txt', { msgtype: 'm.file', url: 'mxc://169.254.169.254/../latest' });
    matrix.says('c.txt', { msgtype: 'm.image', file: { url: 'mxc://example.org/c' } });
    const missing = (name: string, why: string) =>
      `[the file "${name}" is missing: it could not be downloaded: ${why}]`;
    await hears([
      'look',
      missing('b.txt', 'its address is none of Matrix'),
      missing('c.txt', 'it is encrypted'),
    ]);
    const page = await scene.store.sessionMessages(`${scene.name}:${sessionName(directId)}`, {
      limit: 1,
      after: null,
    });
    const stored = await scene.store.message(page?.items[0]?.id ?? '');
    expect(stored?.attachments).toMatchObject([{ name: 'a.txt', sizeBytes: 7, mediaType: 'text/plain' }]);
    expect(matrix.callsOf('GET download').map(({ path }) => path)).toEqual([
      '/_matrix/client/v1/media/download/example.org/a',
    ]);
  });

  test('brings its file from a homeserver of an older version', async () => {
    scene.matrix.versions = ['r0.6.1', 'v1.10'];
    await scene.started();
    const url = scene.matrix.addMedia('a', Buffer.from('content'));
    scene.matrix.says('a.txt', { msgtype: 'm.file', url });
    await hears(['']);
    expect(scene.matrix.callsOf('GET download').map(({ path }) => path)).toEqual([
      '/_matrix/media/v3/download/example.org/a',
    ]);
  });

  test('that waits is changed by an edit and cancelled by a deletion, in its thread as well', async () => {
    await scene.started();
    const { matrix } = scene;
    const first = matrix.says('hello');
    const inThread = matrix.says('there', threaded(first.event_id));
    const thread = `${directId}:${first.event_id}`;
    await hears(['there'], thread);
    matrix.edits(first, 'hello you');
    matrix.edits({ ...first, sender: grace }, 'by somebody else');
    matrix.redacts(first);
    matrix.redacts(inThread, directId, true);
    matrix.says('last');
    await hears(['hello', 'last']);
    await expect
      .poll(() => scene.revisions)
      .toEqual([
        [directId, first.event_id, 'hello you'],
        [directId, first.event_id, null],
        [thread, inThread.event_id, null],
      ]);
  });

  test('of a stranger makes the gateway ask for no other one', async () => {
    await scene.started();
    const { matrix } = scene;
    const unknown = { event_id: '$unknown', sender: grace, type: 'm.room.message', content: {} };
    matrix.edits({ ...matrix.says('hello'), ...unknown }, 'an edit');
    matrix.says(
      'an answer',
      { 'm.relates_to': { 'm.in_reply_to': { event_id: '$other' } } },
      directId,
      grace,
    );
    matrix.says('last');
    await hears(['hello', 'last']);
    expect(matrix.callsOf('GET event')).toEqual([]);
  });

  test('that was edited to mention the account is taken then', async () => {
    await scene.started();
    const { matrix } = scene;
    const message = matrix.says('hello', { 'm.mentions': {} }, groupId);
    matrix.edits(message, 'Helper: hello', mention, groupId);
    await hears(['Ada L: hello'], groupId);
  });

  test('that can not be read is kept as it came', async () => {
    await scene.started();
    scene.matrix.says('', { msgtype: 'm.text', body: { no: 'text' } });
    scene.matrix.gives(directId, ada, 'm.room.message', { a: 1 }, { event_id: 'no id' });
    scene.matrix.says('hello');
    await scene.pass(() => scene.complaints.join().includes(`"body": Invalid input`), 20);
    await scene.pass(() => scene.matrix.since === scene.matrix.place, 20);
    expect(await scene.texts(sessionName(directId))).toEqual([
      expect.stringMatching(/^\{"type":"m.room.message".* dead$/),
      'hello queued',
    ]);
    expect(scene.complaints.join()).toContain('is none of Matrix: it is left out');
  });
});

describe('more messages than one answer has', () => {
  test('are read back down to the last one that is on disk, in order', async () => {
    await scene.started();
    scene.matrix.says('0');
    await hears(['0']);
    await acknowledged();
    await scene.closed();
    scene.matrix.largestPage = 40;
    const texts = Array.from({ length: 130 }, (_, index) => `${index}`);
    for (const text of texts.slice(1)) scene.matrix.says(text);
    await scene.started(scene.made());
    await hears(texts);
    expect(scene.matrix.callsOf('GET messages').length).toBe(2);
  });

  test('are read back to that even if the homeserver does not end there', async () => {
    scene.matrix.says('old');
    await scene.started();
    scene.matrix.says('0');
    await hears(['0']);
    await acknowledged();
    scene.matrix.obeysTo = false;
    scene.matrix.next('GET sync', { kind: 'cut', at: 'before' }, { kind: 'cut', at: 'before' });
    for (let index = 1; index <= 60; index += 1) scene.matrix.says(`${index}`);
    await hears(Array.from({ length: 61 }, (_, index) => `${index}`));
  });

  test('of which the oldest are too many are read as far as that goes, with a record', async () => {
    await scene.started();
    await acknowledged();
    await scene.closed();
    scene.matrix.largestPage = 5;
    for (let index = 0; index < 120; index += 1) scene.matrix.says(`${index}`);
    await scene.started(scene.made());
    await hears(Array.from({ length: 100 }, (_, index) => `${index + 20}`));
    expect(scene.complaints.join()).toContain('there are more than the newest 50');
  });

  test('wait for a homeserver that can not give them, and nothing is acknowledged meanwhile', async () => {
    await scene.started();
    await acknowledged();
    const before = scene.matrix.since;
    await scene.closed();
    for (let index = 0; index < 60; index += 1) scene.matrix.says(`${index}`);
    const fault = { kind: 'raw', status: 502, body: '<html>' } as const;
    scene.matrix.next('GET messages', fault, fault, fault);
    await scene.started(scene.made());
    await hears(Array.from({ length: 60 }, (_, index) => `${index}`));
    expect(
      scene.matrix.callsOf('GET sync').filter(({ query }) => query['since'] === before).length,
    ).toBeGreaterThan(3);
  });
});

describe('a room', () => {
  test('is joined if somebody invites who may write, and heard from the invitation on', async () => {
    await scene.started();
    const { matrix } = scene;
    const fresh = '!fresh:example.org';
    matrix.next('POST join', { kind: 'raw', status: 504, body: '' });
    const room = matrix.invites(fresh, [ada], {}, {});
    matrix.says('welcome', {}, fresh);
    await scene.pass(() => room.membership(botUser) === 'join', 500);
    matrix.says('hello', {}, fresh);
    await hears(['welcome', 'hello'], fresh);
  });

  test('of a stranger is joined if it is private and there are codes, and ten an hour', async () => {
    await scene.started();
    const { matrix } = scene;
    const group = matrix.invites('!g:example.org', [grace]);
    const rooms = Array.from({ length: 12 }, (_, index) =>
      matrix.invites(`!d${index}:example.org`, [grace], { is_direct: true }),
    );
    const joined = () => rooms.filter((room) => room.membership(botUser) === 'join').length;
    await scene.pass(() => joined() === 10, 20);
    await acknowledged();
    expect(joined()).toBe(10);
    expect(group.membership(botUser)).toBe('invite');
    expect(scene.complaints.join()).toContain('@grace:example.org, who may not write, invites');
    await scene.pass(() => joined() === 12, 120_000);
  });

  test.each([
    ['all', 'join'],
    ['none', 'invite'],
  ])('is joined as invites = "%s" says', async (invites, membership) => {
    await scene.started(scene.made({ invites, pairing: false }));
    const room = scene.matrix.invites('!g:example.org', [grace]);
    await scene.pass(() => scene.matrix.since === scene.matrix.place, 20);
    if (membership === 'join') await scene.pass(() => room.membership(botUser) === 'join', 20);
    expect(room.membership(botUser)).toBe(membership);
  });

  test('is joined once its inviter may write', async () => {
    await scene.started();
    const room = scene.matrix.invites('!g:example.org', [grace]);
    await acknowledged();
    await scene.closed();
    await scene.started(scene.made({ allow: [grace] }));
    await scene.pass(() => room.membership(botUser) === 'join', 20);
  });

  test('that takes the place of another one keeps the session, and replies go there', async () => {
    await scene.started();
    const { matrix } = scene;
    matrix.says('before');
    await hears(['before']);
    const next = '!next:example.org';
    const room = matrix.invites(next, [ada], { membership: 'leave' }, { predecessor: { room_id: directId } });
    matrix.gives(room, ada, 'm.room.join_rules', { join_rule: 'public' }, { state_key: '' });
    matrix.gives(directId, ada, 'm.room.tombstone', { replacement_room: next }, { state_key: '' });
    await scene.pass(() => room.membership(botUser) === 'join', 20);
    matrix.says('after', {}, next);
    await hears(['before', 'after']);
    const part = scene.channel.replySender.partsOf(scene.delivery())[0];
    if (part === undefined) throw new Error('There is no part.');
    expect(await scene.channel.replySender.send(part, new AbortController().signal)).toMatchObject({
      kind: 'delivered',
    });
    expect(room.events.at(-1)?.content['body']).toBe('hello');
  });

  test('that another one only claims to go on as has a session of its own', async () => {
    await scene.started();
    const { matrix } = scene;
    matrix.gives(directId, ada, 'm.room.tombstone', { replacement_room: groupId }, { state_key: '' });
    matrix.says('Helper: hello', mention, groupId);
    await hears(['Ada L: hello'], groupId);
  });

  test('that is encrypted is said to be unreadable once, and one record a minute tells of it', async () => {
    await scene.started();
    const { matrix } = scene;
    const encrypted = { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x', session_id: 's' };
    matrix.gives(directId, ada, 'm.room.encrypted', encrypted);
    matrix.gives(directId, ada, 'm.room.encrypted', encrypted);
    await scene.pass(() => matrix.texts.length > 0, 20);
    scene.clock.advance(600_000);
    matrix.gives(directId, ada, 'm.room.encrypted', encrypted);
    matrix.gives(directId, ada, 'm.room.encrypted', encrypted);
    matrix.says('in the clear');
    await scene.pass(() => matrix.since === matrix.place, 20);
    expect(matrix.texts).toEqual([
      'This room is encrypted, and I can’t read what is written here. Write to me in a room without encryption.',
    ]);
    expect(matrix.sent[0]?.content['msgtype']).toBe('m.notice');
    const records = scene.complaints.filter((text) => text.includes('is encrypted, and is left out'));
    expect(records.length).toBe(2);
  });
});

describe('the connection', () => {
  test('is made anew after a while, and says why there is none', async () => {
    await scene.started();
    const fault = { kind: 'raw', status: 502, body: '<html>' } as const;
    scene.matrix.next('GET sync', fault, fault, fault);
    scene.matrix.says('hello');
    await scene.pass(() => scene.channel.health().state === 'down');
    expect(scene.channel.health().reason).toBe(
      'the homeserver was not reached: the answer is none of a homeserver (HTTP 502)',
    );
    await scene.pass(isUp);
    await hears(['hello']);
  });

  test.each([
    [false, 'does not know the access token (M_UNKNOWN_TOKEN: Invalid)'],
    [true, 'wants a new login of the same device (M_UNKNOWN_TOKEN: Invalid)'],
  ])('says that the token is wrong (soft logout: %s), and reads it again', async (isSoft, reason) => {
    await scene.started();
    scene.matrix.next('GET joined_members', {
      kind: 'refuse',
      status: 401,
      body: { errcode: 'M_UNKNOWN_TOKEN', error: 'Invalid.', soft_logout: isSoft },
    });
    scene.matrix.on('GET joined_members', () => {
      scene.matrix.token = 'syt_another_0123456789';
    });
    scene.matrix.says('hello');
    await scene.pass(() => scene.channel.health().state === 'down');
    expect(scene.healths.all.join()).toContain(reason);
    expect(scene.healths.all.join()).toContain(scene.tokenFile);
    scene.writeToken(scene.matrix.token);
    await hears(['hello']);
  });

  test('waits as long as the homeserver asks for', async () => {
    await scene.started();
    scene.matrix.next('GET sync', {
      kind: 'refuse',
      status: 429,
      body: { errcode: 'M_LIMIT_EXCEEDED', error: 'Too Many Requests', retry_after_ms: 30_000 },
    });
    scene.matrix.says('hello');
    const before = scene.matrix.callsOf('GET sync').length;
    await scene.pass(() => scene.matrix.callsOf('GET sync').length > before);
    const refusedAt = scene.clock.now();
    await scene.pass(() => scene.matrix.callsOf('GET sync').length > before + 1);
    expect(scene.clock.now() - refusedAt).toBeGreaterThanOrEqual(29_000);
    await hears(['hello']);
  });

  test('takes the newest messages if the homeserver has forgotten the place', async () => {
    scene.matrix.says('old');
    scene.clock.advance(3_600_000);
    await scene.started();
    scene.matrix.says('1');
    await hears(['1']);
    await acknowledged();
    await scene.closed();
    scene.matrix.says('2');
    scene.matrix.knownFrom = 1_000_000;
    const next = scene.made();
    await next.start();
    await scene.pass(() => scene.matrix.callsOf('GET sync').at(-1)?.query['since'] === undefined);
    scene.matrix.knownFrom = 0;
    await hears(['1', '2']);
  });

  test('asks for less if the answer does not come', async () => {
    await scene.started();
    scene.matrix.next('GET sync', { kind: 'cut', at: 'in-answer' });
    scene.matrix.says('1');
    scene.matrix.says('2');
    await scene.pass(() => scene.matrix.callsOf('GET sync').length > 4);
    await hears(['1', '2']);
    const limits = scene.matrix
      .callsOf('GET sync')
      .map(({ query }) => JSON.parse(query['filter'] ?? '').room.timeline.limit);
    expect(limits).toContain(12);
  });

  test('is that of one gateway among those with one store', async () => {
    await scene.started();
    const first = scene.channel;
    const second = scene.made();
    await second.start();
    await scene.pass(() => second.health().reason !== null);
    expect(second.health()).toMatchObject({
      state: 'starting',
      reason: expect.stringContaining('another gateway with the same store has the account'),
    });
    await scene.closed(first);
    await scene.pass(() => second.health().state === 'up');
    scene.matrix.says('hello');
    await hears(['hello']);
  });

  test('ends at a stop without an answer, and nothing is lost', async () => {
    await scene.started();
    scene.matrix.next('GET sync', { kind: 'hang', at: 'before' });
    scene.matrix.says('hello');
    await scene.closed();
    await scene.started(scene.made());
    await hears(['hello']);
  });

  test('names the homeserver of a domain that is none', async () => {
    scene.matrix.homeserverOf = 'https://matrix.example.org/';
    await expect(scene.made().start()).rejects.toThrow(
      '.homeserver is no homeserver. Its .well-known/matrix/client names https://matrix.example.org: set that',
    );
  });

  test('refuses to start with something that is no token, and does not tell it', async () => {
    scene.writeToken('no token');
    await expect(scene.made().start()).rejects.toThrow('docs/channels/matrix.md says how to get one');
  });
});
