import { describe, expect, test } from 'vitest';
import type { Channel, ChannelHealth } from '../../src/channels/channel.js';
import type { ReplySender } from '../../src/channels/reply-sender.js';
import { Channels, senderByChannel } from '../../src/gateway/channels.js';
import type { Delivery } from '../../src/store/deliveries.js';
import { RecordingLog } from './delivery/recording-log.js';
import { ManualClock } from './dispatch/fixture.js';

interface Table {
  readonly required: boolean;
  readonly isolated?: boolean;
  readonly flag?: number;
}

/** A channel whose starts and ends are noted, and fail as the test says. */
class NotedChannel implements Channel {
  state: ChannelHealth = { state: 'up', since: 0, reason: null };
  replySender?: ReplySender;

  constructor(
    readonly name: string,
    private readonly bench: Bench,
    private readonly signal: AbortSignal,
  ) {}

  async start(): Promise<void> {
    this.bench.calls.push(`start ${this.name}`);
    const error = this.bench.failures.shift();
    if (error !== undefined) throw error;
    if (this.bench.startHangs) await new Promise(() => undefined);
  }

  stopAccepting(): void {
    this.bench.calls.push(`stop ${this.name}`);
    if (this.bench.brittle) throw new Error('stop failed');
  }

  async close(): Promise<void> {
    this.bench.calls.push(`close ${this.name}${this.signal.aborted ? '' : ' before its signal'}`);
    if (this.bench.brittle) throw new Error('close failed');
    if (this.bench.hangs) await new Promise(() => undefined);
  }

  health(): ChannelHealth {
    if (this.bench.brittle) throw new Error('no health');
    return this.state;
  }
}

class Bench {
  readonly calls: string[] = [];
  /** Errors that the next starts reject with. */
  readonly failures: Error[] = [];
  readonly made: NotedChannel[] = [];
  readonly log = new RecordingLog();
  readonly clock = new ManualClock();
  brittle = false;
  hangs = false;
  startHangs = false;
  readonly channels = new Channels<Table>({
    create: async (name, _table, signal) => {
      const channel = new NotedChannel(name, this, signal);
      this.made.push(channel);
      return channel;
    },
    log: this.log,
    changed: () => undefined,
    clock: this.clock,
  });

  async settled(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const optional: Table = { required: false };

describe('channels', () => {
  test('start, stop and close with the gateway', async () => {
    const { channels, calls, settled } = new Bench();
    await channels.start({ a: { required: true }, b: { required: true } });
    await settled();
    channels.stopAccepting();
    await channels.close();
    expect(calls).toEqual(['start a', 'start b', 'stop a', 'stop b', 'close a', 'close b']);
    expect(channels.trouble()).toBeNull();
  });

  test('that are absent never have a reply of which a part was sent count as delivered', () => {
    const delivery = {
      target: { channel: 'gone', address: 'x', options: {} },
      parts: [0, 1, 2].map((part) => ({ part, receipt: null })),
    } as unknown as Delivery;
    expect(senderByChannel(delivery, () => null)?.partsOf(delivery)).toMatchObject([{ number: 3 }]);
  });

  test('that are down say why in a bounded text, whatever their platform writes', async () => {
    const bench = new Bench();
    bench.failures.push(new Error('x'.repeat(100_000)));
    await bench.channels.start({ a: optional, b: optional });
    await bench.settled();
    const [, other] = bench.made;
    if (other !== undefined) other.state = { state: 'down', since: 0, reason: 'y'.repeat(100_000) };
    const reasons = bench.channels.facts().map(({ reason }) => reason);
    expect(reasons).toEqual([`${'x'.repeat(2_000)}…`, `${'y'.repeat(2_000)}…`]);
    expect(bench.log.records.every(({ message }) => message.length < 3_000)).toBe(true);
  });

  test('are known as targets of replies, also while they do not run', async () => {
    const bench = new Bench();
    const { channels } = bench;
    expect(channels.targetOf('a', '#dev')).toMatchObject({
      ok: false,
      reason: expect.stringContaining('none'),
    });
    bench.failures.push(new Error('no route to host'));
    await channels.start({ a: optional, b: optional, c: optional });
    await bench.settled();
    const [, taking, sending] = bench.made;
    expect(taking?.replySender).toBeUndefined();
    if (sending !== undefined) {
      sending.replySender = {
        guarantee: () => ({ idempotent: true, unknown: 'drop' }),
        addressMistake: (address: string) => (address === '#dev' ? null : 'must be a room'),
      } as ReplySender;
    }
    expect(channels.targetOf('a', 'x')).toEqual({
      ok: true,
      guarantee: { idempotent: false, unknown: null },
    });
    expect(channels.targetOf('b', 'x')).toMatchObject({ ok: false, member: 'channel' });
    expect(channels.targetOf('c', 'x')).toEqual({ ok: false, member: 'to', reason: 'must be a room' });
    expect(channels.targetOf('c', '#dev')).toEqual({
      ok: true,
      guarantee: { idempotent: true, unknown: 'drop' },
    });
    expect(channels.targetOf('d', 'x')).toMatchObject({
      member: 'channel',
      reason: 'must name a channel of the configuration; there are: a, b, c',
    });
  });

  test('one that is tried again is down as before, until it has started', async () => {
    const bench = new Bench();
    const { channels, clock } = bench;
    bench.failures.push(new Error('no route to host'));
    await channels.start({ a: optional });
    await bench.settled();
    bench.startHangs = true;
    clock.advance(1_000);
    await bench.settled();
    const [, second] = bench.made;
    if (second === undefined) throw new Error('There is no second one.');
    second.state = { state: 'starting', since: 1, reason: null };
    expect(channels.facts()).toMatchObject([{ state: 'down', reason: 'no route to host' }]);
    second.state = { state: 'up', since: 2, reason: null };
    expect(channels.facts()).toMatchObject([{ state: 'up' }]);
  });

  test('one that fails to start is in the status, and is started again until it works', async () => {
    const bench = new Bench();
    const { channels, clock } = bench;
    bench.failures.push(new Error('no route to host'), new Error('no route to host'));
    await channels.start({ a: optional });
    await bench.settled();
    expect(channels.trouble()).toMatch(/^channel a is down since \S+Z: no route to host$/);
    clock.advance(1_000);
    await bench.settled();
    // The second wait has 2 s, of which chance takes a fifth at most.
    clock.advance(1_599);
    await bench.settled();
    expect(bench.made).toHaveLength(2);
    clock.advance(401);
    await bench.settled();
    expect(channels.trouble()).toBeNull();
    expect(bench.calls).toEqual(['start a', 'close a', 'start a', 'close a', 'start a']);
    expect(bench.log.records.map(({ priority, message, fields }) => ({ priority, message, fields }))).toEqual(
      [
        {
          priority: 'err',
          message:
            'The channel a did not start: no route to host. The gateway goes on without it, and tries again.',
          fields: { SD_GATEWAY_CHANNEL: 'a' },
        },
        {
          priority: 'notice',
          message: 'The channel a has started, after 2 failures.',
          fields: { SD_GATEWAY_CHANNEL: 'a' },
        },
      ],
    );
  });

  test('a required one that fails to start ends the start', async () => {
    const bench = new Bench();
    bench.failures.push(new Error('no such bot'));
    await expect(bench.channels.start({ a: { required: true } })).rejects.toThrow(
      '[channels.a], which has required = true, did not start: no such bot',
    );
    await bench.channels.close();
    bench.clock.advance(600_000);
    await bench.settled();
    expect(bench.made).toHaveLength(1);
    expect(bench.log.records).toEqual([]);
  });

  test('a reload ends and starts those whose table changed, and no other', async () => {
    const bench = new Bench();
    const { channels, calls } = bench;
    await channels.start({ same: optional, changed: optional, gone: optional });
    await bench.settled();
    calls.length = 0;
    channels.configure({ same: optional, changed: { ...optional, flag: 1 }, added: optional });
    await bench.settled();
    expect(calls.toSorted()).toEqual(['close changed', 'close gone', 'start added', 'start changed']);
    expect(calls.indexOf('close changed')).toBeLessThan(calls.indexOf('start changed'));
    expect(channels.facts().map(({ name }) => name)).toEqual(['same', 'changed', 'added']);
    channels.configure({ same: { ...optional, isolated: true }, changed: { ...optional, flag: 1 } });
    await bench.settled();
    expect(calls.slice(4).toSorted()).toEqual(['close added', 'close same', 'start same']);
    expect(channels.facts().map(({ isolated }) => isolated)).toEqual([undefined, true]);
  });

  test('one that throws wherever it can ends nothing', async () => {
    const bench = new Bench();
    const { channels } = bench;
    await channels.start({ a: optional, b: optional });
    await bench.settled();
    bench.brittle = true;
    expect(channels.trouble()).toContain('channel b is down');
    channels.stopAccepting();
    await channels.close();
    expect(bench.calls.filter((call) => !call.startsWith('start'))).toEqual([
      'stop a',
      'stop b',
      'close a',
      'close b',
    ]);
  });

  test('one that does not end in time is left behind', async () => {
    const bench = new Bench();
    await bench.channels.start({ a: optional });
    await bench.settled();
    bench.hangs = true;
    const closed = bench.channels.close();
    await bench.settled();
    bench.clock.advance(5_000);
    await closed;
    expect(bench.log.records.at(-1)?.message).toBe(
      'The channel a had not ended after 5 s, and is left behind.',
    );
  });
});

const own: ReplySender = {
  schedule: [1],
  destinationOf: ({ target }) => target.address,
  partsOf: () => [],
  send: async () => ({ kind: 'delivered', receipt: null }),
  close: async () => undefined,
};
const to = (channel: string) =>
  ({ target: { channel, address: '1', options: {} }, parts: [] as Delivery['parts'] }) as Delivery;
const senderOf = (name: string) => (name === 'tg' ? own : null);

test('a reply goes by the channel of its target', () => {
  expect(senderByChannel(to('tg'), senderOf)).toBe(own);
  expect(senderByChannel(to('webhook'), senderOf)).toBeNull();
});

test('a reply waits for its channel, and says so', async () => {
  const absent = senderByChannel(to('matrix'), senderOf);
  // As doctor names it: "1 reply to matrix:*".
  expect(absent?.destinationOf(to('matrix'))).toBe('*');
  const [part] = absent?.partsOf(to('matrix')) ?? [];
  if (part === undefined) throw new Error('There is no part.');
  expect(await absent?.send(part, new AbortController().signal)).toMatchObject({
    kind: 'retry',
    peer: 'unasked',
    inDoubt: false,
    reason: 'the channel matrix does not run, or is not configured',
  });
});
