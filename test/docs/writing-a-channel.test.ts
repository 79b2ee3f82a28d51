import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Channel } from '../../src/channels/channel.js';
import { channelContext } from '../../src/gateway/channel-context.js';
import { Channels } from '../../src/gateway/channels.js';
import { Intake } from '../../src/gateway/intake.js';
import type { Delivery } from '../../src/store/deliveries.js';
import type { Message } from '../../src/store/messages.js';
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.js';
import type { Store } from '../../src/store/store.js';
import { FakeHost } from '../channels/command/fake-program.js';
import { RecordingLog } from '../gateway/delivery/recording-log.js';
import { Occurrences } from '../gateway/dispatch/fixture.js';
import { followGuide } from '../support/guide.js';
import { typeErrors } from '../support/type-errors.js';

const project = new URL('../../', import.meta.url).pathname;
let directory: string;
let inbox: string;
let outbox: string;
let store: Store;
let accepted: Occurrences<Message>;
/** Each change of a channel's health. */
let changes: Occurrences<string | null>;
let channels: Channels<{ required: boolean }>;

beforeAll(() => {
  // Inside the project, so that its packages are found.
  mkdirSync(join(project, 'node_modules/.cache'), { recursive: true });
  directory = mkdtempSync(join(project, 'node_modules/.cache/writing-a-channel-'));
  followGuide('docs/writing-a-channel.md', directory);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeEach(async () => {
  const data = mkdtempSync(join(directory, 'data-'));
  inbox = join(data, 'in');
  outbox = join(data, 'out');
  ({ store } = await openSqliteStore({ path: join(data, 'gateway.db'), busyTimeout: 5_000, maxAttempts: 3 }));
  accepted = new Occurrences();
  changes = new Occurrences();
  channels = await madeChannels();
});
afterEach(async () => {
  await channels.close();
  await store.close();
});

async function madeChannels() {
  const { createChannel } = await import(join(directory, 'src/channels/create-channel.ts'));
  const intake = new Intake({
    store,
    dispatcher: { reserveSlot: () => null, wake: () => undefined },
    onAccepted: (message) => accepted.add(message),
  });
  const log = new RecordingLog();
  const made: Channels<{ required: boolean }> = new Channels({
    create: (name, configuration, signal): Promise<Channel> =>
      createChannel(
        configuration,
        channelContext({
          name,
          store,
          host: new FakeHost(),
          attachmentLimits: () => ({ count: 1, fileBytes: 1_000, totalBytes: 1_000 }),
          accept: (messages, checkpoint) =>
            intake.acceptAll(messages, { session: 3, total: 100 }, checkpoint),
          log,
          signal,
          healthChanged: () => changes.add(made.trouble()),
        }),
      ),
    log,
    changed: () => changes.add(made.trouble()),
  });
  return made;
}

async function configured() {
  const { configurationSchema } = await import(join(directory, 'src/config/schema.ts'));
  return configurationSchema.parse({ channels: { notes: { type: 'file', inbox, outbox } } }).channels;
}

test('the channel of the guide passes the type check', { timeout: 120_000 }, () => {
  expect(typeErrors(directory)).toBe('');
});

test('it takes each line once, in order, also after a restart', async () => {
  writeFileSync(inbox, 'one\ntwo\n\nthr');
  await channels.start(await configured());
  await accepted.until((all) => all.some(({ text }) => text === 'two'));
  appendFileSync(inbox, 'ee\n');
  await accepted.until((all) => all.some(({ text }) => text === 'three'));
  channels.stopAccepting();
  await channels.close();
  appendFileSync(inbox, 'four\nfive\n');
  changes = new Occurrences();
  channels = await madeChannels();
  await channels.start(await configured());
  await changes.until((all) => all.at(-1) === null);
  const page = await store.sessionMessages('notes:inbox', { limit: 10, after: null });
  expect(page?.items.map(({ text, state }) => `${text} ${state}`)).toEqual([
    'one queued',
    'two queued',
    'three queued',
    'four dead',
    'five dead',
  ]);
  expect(page?.items[0]?.replyTo).toEqual({ channel: 'notes', address: outbox, options: {} });
  // The queue of the session has three places.
  expect(readFileSync(outbox, 'utf8')).toBe('2 lines were set aside: too many wait.\n');
});

test('it is down while its file is gone, and up again once it is there', async () => {
  writeFileSync(inbox, '');
  await channels.start(await configured());
  await changes.until((all) => all.at(-1) === null);
  rmSync(inbox);
  await changes.until((all) => all.at(-1)?.includes(`${inbox} was not read: ENOENT`) ?? false);
  writeFileSync(inbox, 'one\n');
  await accepted.until((all) => all.some(({ text }) => text === 'one'));
  await changes.until(() => channels.trouble() === null);
});

test('it sends replies, and says what has failed', async () => {
  writeFileSync(inbox, '');
  await channels.start(await configured());
  await changes.until((all) => all.at(-1) === null);
  const sender = channels.senderOf('notes');
  const send = async (address: string) => {
    const target = { channel: 'notes', address, options: {} };
    const [part] = sender?.partsOf({ target, notice: null, replyText: 'hello' } as Delivery) ?? [];
    return part && sender?.send(part, new AbortController().signal);
  };
  expect(await send(outbox)).toEqual({ kind: 'delivered', receipt: null });
  expect(readFileSync(outbox, 'utf8')).toBe('hello\n');
  expect(await send(directory)).toMatchObject({
    kind: 'retry',
    reason: expect.stringContaining('EISDIR'),
  });
});
