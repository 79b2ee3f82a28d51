import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ReplySender } from '../../../src/channels/reply-sender.js';
import { LiveReplies } from '../../../src/gateway/delivery/live-replies.js';
import type { JsonValue } from '../../../src/store/messages.js';
import type { Turn } from '../../../src/store/turns.js';
import { ManualClock } from '../dispatch/fixture.js';
import { RecordingLog } from './recording-log.js';

const turn = {
  messageId: 'm1',
  metadata: {},
  replyTo: { channel: 'tg', address: '7', options: {} },
  attempt: 1,
  putBacks: 0,
  deltas: 0,
} as unknown as Turn;

/** A chat whose calls are noted, and end as the test says. */
class Chat {
  readonly calls: string[] = [];
  readonly noted: JsonValue[] = [];
  /** What the next calls wait for. */
  answer: Promise<JsonValue> | null = null;
  isHeld = true;
  readonly clock = new ManualClock();
  readonly log = new RecordingLog();
  sender: Partial<ReplySender> = {
    preview: async (_target, text, receipt) => {
      this.calls.push(`${JSON.stringify(receipt)} ${text}`);
      return this.answer ?? { id: 1 };
    },
    showTyping: async () => void this.calls.push('typing'),
  };
  readonly live = new LiveReplies({
    store: {
      notePreview: async (_turn, receipt) => {
        if (this.isHeld) this.noted.push(receipt);
        return this.isHeld;
      },
    },
    senderOf: () => this.sender as ReplySender,
    log: this.log,
    clock: this.clock,
  });

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      this.clock.advance(500);
      await nextTurn();
    }
  }

  writes(text: string, of = turn): void {
    this.live.progress(of, { type: 'delta', position: 1, text });
  }
}

let chat: Chat;
beforeEach(() => {
  chat = new Chat();
});

describe('a turn that runs', () => {
  it('is shown by a sign of typing until it writes, then by its text so far, once a second', async () => {
    chat.live.changed(turn, 'running');
    await chat.pass(5_000);
    expect(chat.calls).toEqual(['typing', 'typing']);
    chat.calls.length = 0;
    for (const word of ['one ', 'two ', 'three ', 'four']) {
      chat.writes(word);
      await chat.pass(500);
    }
    await chat.pass(20_000);
    expect(chat.calls[0]).toMatch(/^null one /);
    expect(chat.calls.at(-1)).toBe('{"id":1} one two three four');
    expect(chat.calls.length).toBeLessThanOrEqual(3);
    expect(chat.noted).toEqual([{ id: 1 }]);
    chat.live.changed(turn, 'replied');
    chat.writes('more');
    await chat.pass(5_000);
    expect(chat.calls.at(-1)).toBe('{"id":1} one two three four');
    expect(await chat.live.lateReceipt('m1')).toBeNull();
    expect(chat.clock.timers).toBe(0);
  });

  it('is shown by typing alone after an earlier attempt, whose preview the reply takes the place of', async () => {
    for (const again of [{ attempt: 2 }, { putBacks: 1 }, { deltas: 3 }]) {
      const second = { ...turn, ...again };
      chat.live.changed(second, 'running');
      chat.writes('text', second);
      await chat.pass(2_000);
      chat.live.changed(second, 'queued');
    }
    expect(new Set(chat.calls)).toEqual(new Set(['typing']));
  });

  it.each([
    ['typing', ['typing']],
    ['none', []],
  ] as const)('is shown as the channel wants it: %s', async (stream, calls) => {
    chat.sender = { ...chat.sender, stream };
    chat.live.changed(turn, 'running');
    chat.writes('text');
    await chat.pass(3_000);
    expect(chat.calls).toEqual(calls);
  });

  it('is not shown as typing while it waits for a person, and nowhere if nobody waits for its reply', async () => {
    chat.live.changed(turn, 'running');
    chat.live.progress(turn, { type: 'question' } as never);
    for (const replyTo of [null, { channel: 'webhook', address: 'https://a.example/', options: {} }]) {
      const other = { ...turn, messageId: 'm2', replyTo };
      chat.live.changed(other, 'running');
      chat.writes('text', other);
    }
    await chat.pass(10_000);
    expect(chat.calls).toEqual([]);
  });

  it('is left in peace by a chat that fails: the next try comes later each time', async () => {
    chat.live.changed(turn, 'running');
    chat.sender = {
      preview: async () => {
        chat.calls.push('failed');
        throw new Error('429');
      },
    };
    chat.writes('text');
    await chat.pass(16_000);
    expect(chat.calls).toHaveLength(4);
    await chat.pass(120_000);
    expect(chat.calls).toHaveLength(7);
  });

  it('is given up by a call without an answer after 10 s', async () => {
    chat.answer = new Promise(() => undefined);
    chat.live.changed(turn, 'running');
    chat.writes('text');
    await chat.pass(500);
    chat.live.changed(turn, 'replied');
    const late = chat.live.lateReceipt('m1');
    await chat.pass(10_000);
    expect(await late).toBeNull();
  });
});

it('a preview that arrives when its turn has ended is for the reply to edit', async () => {
  let arrive: (receipt: JsonValue) => void = () => undefined;
  chat.answer = new Promise((resolve) => {
    arrive = resolve;
  });
  chat.live.changed(turn, 'running');
  chat.writes('text');
  await chat.pass(500);
  chat.isHeld = false;
  chat.live.changed(turn, 'replied');
  const late = chat.live.lateReceipt('m1');
  arrive({ id: 9 });
  expect(await late).toEqual({ id: 9 });
  // Another attempt at the delivery needs it as well.
  expect(await chat.live.lateReceipt('m1')).toEqual({ id: 9 });
  chat.live.settled('m1');
  expect(await chat.live.lateReceipt('m1')).toBeNull();
});
