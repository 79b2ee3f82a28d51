import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PeopleConfiguration } from '../../../src/config/channel-table.js';
import { People } from '../../../src/gateway/people/people.js';
import { PeopleActions } from '../../../src/gateway/people/people-actions.js';
import type { Store } from '../../../src/store/store.js';
import { newMessage, noLimits } from '../../store/samples.js';
import { RecordingLog } from '../delivery/recording-log.js';
import { openStore } from '../dispatch/fixture.js';

const rules: PeopleConfiguration = {
  allow: ['ada'],
  owners: ['olga'],
  approvals: 'author',
  words: true,
  notices: 'failures',
  texts: null,
};

let store: Store;
let dispose: () => Promise<void>;
let log: RecordingLog;
let channels: Map<string, PeopleConfiguration>;
let now: number;
let people: People;
let actions: PeopleActions;
let count = 0;

beforeAll(async () => {
  ({ store, dispose } = await openStore());
});
afterAll(() => dispose());

/** Names of channels that no other test has. */
let tg: string;
let irc: string;
beforeEach(() => {
  count += 1;
  [tg, irc] = [`tg${count}`, `irc${count}`];
  channels = new Map([
    [tg, rules],
    [irc, { ...rules, allow: [] }],
  ]);
  log = new RecordingLog();
  now = Date.now();
  people = new People({ store, log, channels: () => channels, now: () => now });
  actions = new PeopleActions({
    people,
    store,
    sessions: {
      deleteSession: async (session) => {
        if (session.endsWith('busy')) return 'busy';
        return (await store.deleteSession(session, 500)) === 'deleted' ? 'deleted' : null;
      },
    },
    log,
    channels: () => [...channels.keys()],
  });
});

async function codeFor(id: string, channel = tg, name: string | null = null): Promise<string> {
  const offer = await people.offerCode(channel, { id, name });
  if (offer.outcome !== 'code') throw new Error(`There is no code: ${offer.outcome}.`);
  return offer.code;
}

describe('pairing', () => {
  test('lets in who has the code, in this channel, once', async () => {
    const code = await codeFor('eve', tg, 'Eve\u001b[2J\nthe owner');
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{8}$/);
    expect(await people.person(tg, 'eve')).toBeNull();
    expect(await people.list()).toMatchObject({
      waiting: [{ channel: tg, id: 'eve', name: 'Eve [2J the owner' }],
    });
    const written = ` ${code.slice(0, 4).toLowerCase()}-${code.slice(4)} `;
    expect(await people.accept(written, 'user')).toMatchObject({ channel: tg, id: 'eve', role: 'user' });
    expect(await people.person(tg, 'eve')).toEqual({ role: 'user', name: 'Eve [2J the owner' });
    expect(await people.person(irc, 'eve')).toBeNull();
    expect(await people.accept(code, 'owner')).toBeNull();
    expect((await people.list()).waiting).toEqual([]);
    expect(log.records.map(({ priority }) => priority)).toEqual(['notice', 'notice']);
    expect(log.records[1]?.message).toContain('Let in by request: the person "eve"');
    expect(JSON.stringify(log.records)).not.toContain(code);
  });

  test('takes no code that was guessed, and none that another one has replaced', async () => {
    const first = await codeFor('eve');
    expect(await people.offerCode(tg, { id: 'eve', name: null })).toEqual({ outcome: 'silent' });
    now += 60_000;
    const second = await codeFor('eve');
    for (const code of [first, 'AAAAAAAA', '', '%', second.slice(0, 7)]) {
      expect(await people.accept(code, 'user')).toBeNull();
    }
    expect(await people.accept(second, 'user')).toMatchObject({ id: 'eve' });
  });

  test('has ten wait at most, all of whom come at once, and room again once one is let in or forgotten', async () => {
    const offers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => people.offerCode(tg, { id: `stranger ${index}`, name: null })),
    );
    const codes = offers.flatMap((offer) => (offer.outcome === 'code' ? [offer.code] : []));
    expect(codes).toHaveLength(10);
    expect((await people.list()).waiting).toHaveLength(10);
    expect(await codeFor('eve', irc)).toHaveLength(8);
    expect(await people.offerCode(tg, { id: 'eve', name: null })).toEqual({ outcome: 'full' });
    await people.accept(codes[0] ?? '', 'user');
    await codeFor('eve');
    expect(await actions.forget('eve', tg)).toMatchObject({ outcome: 'forgotten' });
    await codeFor('bob');
  });

  test('ends after an hour, also for one who has asked again', async () => {
    const offer = await people.offerCode(tg, { id: 'eve', name: null });
    expect(offer).toMatchObject({ minutes: 60 });
    now += 59 * 60_000;
    expect(await people.offerCode(tg, { id: 'eve', name: null })).toMatchObject({
      outcome: 'code',
      minutes: 1,
    });
  });
});

test('a role is the one of the configuration in force, or of the record', async () => {
  await people.accept(await codeFor('eve'), 'owner');
  expect(await people.person(tg, 'eve')).toMatchObject({ role: 'owner' });
  expect(await people.person(tg, 'ada')).toEqual({ role: 'user', name: null });
  expect(await people.person(tg, 'olga')).toEqual({ role: 'owner', name: null });
  channels.set(tg, { ...rules, allow: [], owners: [] });
  expect(await people.person(tg, 'ada')).toBeNull();
  expect(await people.person('none', 'ada')).toBeNull();
  expect((await people.list()).allowed).toMatchObject([
    { channel: tg, id: 'eve', role: 'owner', isConfigured: false },
    { channel: irc, id: 'olga', role: 'owner', isConfigured: true, since: null },
  ]);
});

describe('a person who is forgotten', () => {
  const write = async (session: string, sender: string | null, channel = tg) => {
    await store.acceptAll([newMessage(`${tg}:${session}`, { sender, channel })], noLimits, null);
    await store.cancelSession(`${tg}:${session}`);
  };

  test('leaves no session behind that was theirs alone, and those with others stay', async () => {
    await people.accept(await codeFor('eve'), 'user');
    await write('private', 'eve');
    await write('private', null, 'http');
    await write('busy', 'eve');
    await write('group', 'ada');
    await write('group', 'eve');
    await write('ada', 'ada');
    // An id of another channel is somebody else.
    await write('other', 'eve', irc);
    expect(await actions.forget('eve', null)).toEqual({
      outcome: 'forgotten',
      channel: tg,
      deleted: [`${tg}:private`],
      kept: [`${tg}:group`],
      busy: [`${tg}:busy`],
      mayStillWrite: false,
    });
    expect(await people.person(tg, 'eve')).toBeNull();
    expect(await store.session(`${tg}:private`)).toBeNull();
    expect(await store.session(`${tg}:other`)).not.toBeNull();
    expect(log.records.at(-1)?.message).toContain('Forgotten by request: the person "eve"');
  });

  test('is named by the channel where several know the id, and where none has a record', async () => {
    await people.accept(await codeFor('eve'), 'user');
    await codeFor('eve', irc);
    expect(await actions.forget('eve', null)).toEqual({ outcome: 'ambiguous', channels: [tg, irc] });
    expect(await actions.forget('eve', irc)).toMatchObject({ outcome: 'forgotten', channel: irc });
    expect(await people.person(tg, 'eve')).not.toBeNull();
    for (const [id, channel] of [
      ['nobody', null],
      ['nobody', tg],
      ['eve', 'none'],
    ] as const) {
      expect(await actions.forget(id, channel)).toEqual({ outcome: 'unknown' });
    }
  });

  test('may still write if the configuration says so', async () => {
    expect(await actions.forget('ada', null)).toMatchObject({ outcome: 'forgotten', mayStillWrite: true });
  });
});
