import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../../src/store/store.js';
import { openStore } from '../../gateway/dispatch/fixture.js';
import { isAlive } from '../../support/is-alive.js';
import { TelegramStandIn } from '../../support/telegram-stand-in.js';
import { IsolatedScene } from './fixture.js';

let store: Store;
let dispose: () => Promise<void>;
let telegram: TelegramStandIn;
let scene: IsolatedScene;
const never = new AbortController().signal;

beforeAll(async () => {
  ({ store, dispose } = await openStore());
});
afterAll(() => dispose());
beforeEach(async () => {
  telegram = await TelegramStandIn.start();
  telegram.addChat(42);
  scene = new IsolatedScene(store, (of) => ({
    type: 'telegram',
    token_file: of.secret(telegram.token),
    api_root: telegram.root,
    allow: ['42'],
  }));
});
afterEach(async () => {
  await scene.end();
  await telegram.close();
  expect(telegram.mistakes).toEqual([]);
  expect(JSON.stringify(scene.log.records)).not.toContain(telegram.token.split(':')[1]);
});

const confirmed = () => telegram.until(() => telegram.unconfirmed === 0);
const reached = (method: string) => new Promise<void>((resolve) => telegram.on(method, resolve));

/** The message as it is stored, once the batch that holds it waits to be. */
function held(): { readonly reached: Promise<void>; readonly release: () => void } {
  let release = () => {};
  let arrive = () => {};
  const reachedIt = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  scene.beforeAccept = () => {
    arrive();
    return released;
  };
  return { reached: reachedIt, release };
}

describe('a bot in a process of its own', () => {
  test('takes messages, sends replies, shows them by edits, and ends with all of its process', async () => {
    await scene.started();
    const [pid = 0] = scene.pids;
    expect(pid).not.toBe(process.pid);
    telegram.says('one');
    await confirmed();
    expect(await scene.texts()).toEqual(['one queued']);
    const { replySender: sender } = scene.channel;
    const target = { channel: scene.name, address: '42', options: {} };
    const receipt = await sender?.preview?.(target, 'so far', null, never);
    expect(receipt).toEqual({ message_id: 2 });
    const end = await scene.sent({ parts: [{ part: 0, receipt: receipt ?? null }], replyText: '**all**' });
    expect(end).toEqual({ kind: 'delivered', receipt: { message_id: 2 } });
    expect(telegram.callsOf('editMessageText')).toMatchObject([{ text: '<b>all</b>', message_id: 2 }]);
    await sender?.showTyping?.(target, never);
    await scene.channel.say?.({ address: '42' }, 'a word');
    expect(telegram.texts.at(-1)).toBe('a word');
    expect(sender?.addressMistake?.('nowhere at all')).toMatch(/must be the id of a chat/);
    expect(sender?.guarantee?.()).toEqual({ idempotent: false, unknown: null });
    expect(scene.channel.health()).toMatchObject({ state: 'up', reason: null });
    await scene.closed();
    expect(isAlive(pid)).toBe(false);
    expect(scene.channel.health().state).toBe('closed');
  });

  test('has files both ways, within the limits of the gateway as they are now', async () => {
    await scene.started();
    const content = Buffer.alloc(900_000, 'sd-gateway ');
    telegram.addFile('F1', content);
    const document = { file_id: 'F1', file_unique_id: 'U1', file_name: 'a.bin', file_size: content.length };
    telegram.says(null, { document, caption: 'look' });
    await confirmed();
    const [message] = await scene.messages();
    expect(message?.attachments).toMatchObject([{ name: 'a.bin', sizeBytes: content.length }]);
    const [file] = message?.attachments ?? [];
    if (file === undefined) throw new Error('There is no file.');
    expect(await scene.sent({ replyText: '', replyAttachments: [file] })).toMatchObject({
      kind: 'delivered',
    });
    scene.attachmentLimits = { count: 2, fileBytes: 1_000, totalBytes: 2_000 };
    telegram.says('between');
    await confirmed();
    telegram.says(null, { document: { ...document, file_unique_id: 'U2' }, caption: 'again' });
    await confirmed();
    expect((await scene.texts()).at(-1)).toMatch(/^again\n.*larger than 1000 bytes.* queued$/s);
  });

  test('answers words, such as a question’s', async () => {
    const words: unknown[] = [];
    await scene.started(
      {},
      {
        perform: async (word) => {
          words.push(word);
          return 'It is allowed.';
        },
      },
    );
    telegram.says('/approve K7Q2');
    await telegram.until(() => telegram.texts.includes('It is allowed.'));
    expect(words).toMatchObject([{ word: 'approve', argument: 'K7Q2' }]);
    expect(await scene.texts()).toEqual([]);
  });

  test('that does not start says why, as one in the gateway does', async () => {
    telegram.next('getMe', { kind: 'cut', at: 'before' });
    await expect(scene.started()).rejects.toThrow('Telegram was not reached');
    expect(scene.pids).toEqual([]);
  });
});

describe('a process that is killed', () => {
  test('is started again, goes on behind what is on disk, and is told of as down meanwhile', async () => {
    await scene.started();
    telegram.says('one');
    await confirmed();
    scene.kill();
    await scene.healths.until((all) => all.some((each) => each.startsWith('down: its process was killed')));
    const waits = scene.sent({ replyText: 'it waited' });
    await expect(scene.channel.say?.({ address: '42' }, 'no')).rejects.toThrow('does not run');
    telegram.says('two');
    await scene.run(2);
    await confirmed();
    expect(await scene.texts()).toEqual(['one queued', 'two queued']);
    expect(await waits).toMatchObject({ kind: 'delivered' });
    expect(telegram.texts).toEqual(['it waited']);
    await scene.healths.until((all) => all.at(-1) === 'up: null');
  });

  test('while it sends leaves that send in doubt', async () => {
    await scene.started();
    telegram.next('sendMessage', { kind: 'hang', at: 'after' });
    const arrives = reached('sendMessage');
    const end = scene.sent();
    await arrives;
    scene.kill();
    expect(await end).toMatchObject({
      kind: 'retry',
      inDoubt: true,
      reason: expect.stringContaining('SIGKILL'),
    });
  });

  test('while a message is on its way to the disk has it taken once', async () => {
    await scene.started();
    const hold = held();
    telegram.says('one');
    await hold.reached;
    scene.kill();
    hold.release();
    await scene.run(2);
    await confirmed();
    telegram.says('two');
    await confirmed();
    expect(await scene.texts()).toEqual(['one queued', 'two queued']);
    expect(telegram.callsOf('getUpdates').at(-1)).toMatchObject({ offset: 503 });
  });
});

test('a stop lets a message that has arrived get to the disk, and a reply under way end', async () => {
  await scene.started();
  const hold = held();
  telegram.says('one');
  await hold.reached;
  scene.channel.stopAccepting();
  const sent = scene.sent();
  hold.release();
  expect(await sent).toMatchObject({ kind: 'delivered' });
  await scene.closed();
  expect(await scene.texts()).toEqual(['one queued']);
});

test('an abort cuts off a send, which is in doubt if it had gone out', async () => {
  await scene.started();
  telegram.next('sendMessage', { kind: 'hang', at: 'after' });
  const arrives = reached('sendMessage');
  const abort = new AbortController();
  const end = scene.sent({}, abort.signal);
  await arrives;
  abort.abort();
  expect(await end).toEqual({ kind: 'aborted', inDoubt: true });
});
