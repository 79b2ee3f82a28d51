import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ChannelContext, ChannelMessage } from '../../src/channels/channel.js';
import { type Hook, Hooks } from '../../src/channels/hooks.js';
import { channelContext } from '../../src/gateway/channel-context.js';
import { Intake } from '../../src/gateway/intake.js';
import type { NewMessage } from '../../src/store/messages.js';
import type { Store } from '../../src/store/store.js';
import { FakeHost } from '../channels/command/fake-program.js';
import { RecordingLog } from './delivery/recording-log.js';
import { openStore } from './dispatch/fixture.js';

let store: Store;
let dispose: () => Promise<void>;
let context: ChannelContext;
let wakes: number;
let hooks: Hooks;
let publicUrl: string | null;
let end: AbortController;
const told: string[] = [];
const taken: NewMessage[] = [];
const log = new RecordingLog();

beforeEach(async () => {
  ({ store, dispose } = await openStore());
  wakes = 0;
  hooks = new Hooks();
  publicUrl = null;
  end = new AbortController();
  told.length = 0;
  taken.length = 0;
  const intake = new Intake({
    store,
    dispatcher: {
      reserveSlot: () => null,
      wake: () => {
        wakes += 1;
      },
    },
    onAccepted: ({ text }) => told.push(text),
  });
  context = channelContext({
    name: 'tg',
    store,
    host: new FakeHost(),
    attachmentLimits: () => ({ count: 1, fileBytes: 10, totalBytes: 10 }),
    accept: (messages, checkpoint) => {
      taken.push(...messages);
      return intake.acceptAll(messages, { session: 2, total: 100 }, checkpoint);
    },
    guaranteeOf: (channel) => (channel === 'irc' ? { idempotent: false, unknown: 'drop' } : null),
    hooks,
    publicUrl: () => publicUrl,
    log,
    signal: end.signal,
    healthChanged: () => undefined,
  });
});
afterEach(() => dispose());

const message = (id: string, text: string): ChannelMessage => ({
  conversation: 'chat 1',
  text,
  sender: 'alice',
  id,
  replyTo: { address: '1', options: { quote: id } },
});

test('messages and the position behind them are on disk together, each with its own outcome', async () => {
  const batch = [message('a', 'one'), message('b', 'two'), message('c', 'three')];
  const outcomes = await context.accept(batch, { key: 'offset', value: 42 });
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted', 'full']);
  expect(await context.checkpoint('offset')).toBe(42);
  expect(await context.checkpoint('other')).toBeNull();
  expect(told).toEqual(['one', 'two']);
  expect(wakes).toBe(1);
  const page = await store.sessionMessages('tg:chat~201', { limit: 10, after: null });
  expect(page?.items[0]).toMatchObject({
    text: 'one',
    sender: 'alice',
    channel: 'tg',
    replyTo: { channel: 'tg', address: '1', options: { quote: 'a' } },
  });
});

test('what the platform sends again is taken once, though it was edited since', async () => {
  await context.accept([message('a', 'one')]);
  const [again] = await context.accept([message('a', 'one, edited')]);
  expect(again).toMatchObject({ outcome: 'repeated', message: { text: 'one' } });
  expect(await store.counts()).toMatchObject({ queued: 1 });
});

test('files come with a message, and are removed if it is not accepted', async () => {
  const withFile = async (id: string, content: string): Promise<ChannelMessage> => {
    const files = context.newFiles();
    await files.add({ name: '../photo.png', mediaType: 'image/png' }, [Buffer.from(content)]);
    return { ...message(id, 'look'), attachments: files.list };
  };
  const first = await withFile('a', 'one');
  const again = await withFile('a', 'two');
  const outcomes = await context.accept([first, again]);
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['accepted', 'repeated']);
  const stored = async ({ attachments: [file] = [] }: ChannelMessage) => context.openFile(file ?? { id: '' });
  expect(await stored(first)).not.toBeNull();
  expect(await stored(again)).toBeNull();
  const page = await store.sessionMessages('tg:chat~201', { limit: 10, after: null });
  expect(page?.items[0]?.attachments).toMatchObject([
    { name: 'photo.png', mediaType: 'image/png', sizeBytes: 3 },
  ]);
  await expect(context.newFiles().add({ name: 'b', mediaType: null }, [Buffer.alloc(11)])).rejects.toThrow(
    /attachments.file_limit/,
  );
});

test('a record names the channel', () => {
  context.log.warning('slow', { SD_GATEWAY_SESSION: 's' });
  expect(log.records.at(-1)).toEqual({
    priority: 'warning',
    message: 'slow',
    fields: { SD_GATEWAY_CHANNEL: 'tg', SD_GATEWAY_SESSION: 's' },
  });
});

test('a channel has one hook, at the address below the gateway’s own, until it is closed', () => {
  const hook = (limitBytes: number): Hook => ({ limitBytes, handle: async () => ({ outcome: 'taken' }) });
  expect(context.hook.url()).toBeNull();
  publicUrl = 'https://gateway.example.org/sd';
  expect(context.hook.url()).toBe('https://gateway.example.org/sd/hooks/tg');
  expect(hooks.of('tg')).toBeNull();
  context.hook.serve(hook(1));
  context.hook.serve(hook(2));
  expect(hooks.of('tg')?.limitBytes).toBe(2);
  expect(hooks.of('other')).toBeNull();
  end.abort();
  expect(hooks.of('tg')).toBeNull();
  context.hook.serve(hook(3));
  expect(hooks.of('tg')).toBeNull();
});

test('a closed channel does not take the hook of the one after it away', () => {
  const hook: Hook = { limitBytes: 1, handle: async () => ({ outcome: 'taken' }) };
  context.hook.serve({ ...hook });
  hooks.serve('tg', hook, new AbortController().signal);
  end.abort();
  expect(hooks.of('tg')).toBe(hook);
});

test('the reply of another channel has the guarantee of that one', async () => {
  const to = (channel: string) => ({ ...message(channel, 'one'), replyTo: { channel, address: '2' } });
  const outcomes = await context.accept([to('irc'), to('mail')]);
  const accepted = outcomes.map((outcome) => ('message' in outcome ? outcome.message.replyTo : null));
  expect(accepted).toEqual([
    { channel: 'irc', address: '2', options: {} },
    { channel: 'mail', address: '2', options: {} },
  ]);
  expect(taken.map(({ replyIdempotent, replyUnknown }) => [replyIdempotent, replyUnknown])).toEqual([
    [false, 'drop'],
    [true, null],
  ]);
});

test('what is stored of a message has a bound, whatever the platform sends', async () => {
  const long = 'x'.repeat(3_000_000);
  const given = { ...message(`a${long}`, long), sender: `b${long}`, setAside: long };
  const other = { ...message(`a${long}y`, 'short'), sender: `b${long}y` };
  const outcomes = await context.accept([given, other, given]);
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['set-aside', 'accepted', 'repeated']);
  const [first, second] = taken;
  expect(first?.text).toBe(`${'x'.repeat(1_048_576)}…\n[The text is cut.]`);
  expect(first?.setAside).toBe(`${'x'.repeat(1_000)}…`);
  expect(first?.sender).toHaveLength(1_024);
  expect(second?.sender).toHaveLength(1_024);
  expect(second?.sender).not.toBe(first?.sender);
});
