import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelContext } from '../../../src/channels/channel.js';
import { createChannel } from '../../../src/channels/create-channel.js';
import { ChannelSide } from '../../../src/channels/isolated/channel-side.js';
import type { IsolatedChannel } from '../../../src/channels/isolated/isolated-channel.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { Store } from '../../../src/store/store.js';
import { StoreError } from '../../../src/store/store-error.js';
import { programVersion } from '../../../src/version.js';
import { ChannelBench, channelTable } from '../../support/channel-bench.js';
import { memoryRecords } from '../../support/memory-records.js';
import { FakeHost, type FakeProgram } from '../command/fake-program.js';

/** The gateway’s side of a process that the test speaks for. */

let host: FakeHost;
let bench: ChannelBench;
let channel: IsolatedChannel;
let end: AbortController;
let keeps: ChannelContext['keeps'];
const released: unknown[] = [];
const blobs = memoryRecords();

async function made(): Promise<void> {
  end = new AbortController();
  const store = {
    ...blobs,
    claimLease: async () => 7,
    releaseLease: async (lease: unknown) => {
      released.push(lease);
      return true;
    },
  } as unknown as Store;
  bench = new ChannelBench('fake', store);
  const context = bench.context({
    name: 'tg',
    host,
    attachmentLimits: () => ({ count: 2, fileBytes: 1_000, totalBytes: 1_500 }),
    limits: { session: 100, total: 100 },
    signal: end.signal,
    healthChanged: () => bench.noteHealth(channel),
  });
  const configuration = channelTable('tg', {
    type: 'telegram',
    token_file: '/nonexistent',
    isolated: true,
    allow: ['42'],
  });
  const given = { ...context, keeps: (received: never) => keeps(received) };
  channel = (await createChannel(configuration, given)) as IsolatedChannel;
}

/** Starts the channel, whose process gets ready; gives it. */
async function started(): Promise<FakeProgram> {
  await made();
  const starting = channel.start();
  const program = await host.program(1);
  await ready(program);
  await starting;
  return program;
}

async function ready(program: FakeProgram): Promise<void> {
  const start = await hears(program, 'start');
  await program.say({ answers: start.number, value: null });
}

interface Call {
  readonly call: string;
  readonly number: number;
  readonly argument: unknown;
}

/** The first call of that name, now or later. */
async function hears(program: FakeProgram, name: string): Promise<Call> {
  for (;;) {
    const found = (program.told as unknown as readonly Call[]).find(({ call }) => call === name);
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The answer to the call with this number. */
async function answer(program: FakeProgram, number: number): Promise<unknown> {
  for (;;) {
    const lines = program.told as unknown as readonly { readonly answers?: number }[];
    const found = lines.find(({ answers }) => answers === number);
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

beforeEach(() => {
  host = new FakeHost('/var/lib/sd-gateway/channels/tg');
  keeps = async () => true;
  released.length = 0;
});
afterEach(async () => {
  end.abort();
  const closing = channel.close(0);
  for (const program of host.programs) program.die('exited with status 0');
  bench.clock.advance(0);
  await closing;
});

test('the process gets its table and paths, and neither a secret nor a variable but those named', async () => {
  const program = await started();
  const { command, env } = program.options;
  expect(command).toEqual([
    process.execPath,
    '--max-old-space-size=512',
    expect.stringMatching(/bundle\/isolated-worker\.js$/),
  ]);
  expect(env).not.toContain('HOME');
  expect((await hears(program, 'start')).argument).toMatchObject({
    version: programVersion(),
    name: 'tg',
    configuration: { type: 'telegram', token_file: '/nonexistent', allow: ['42'] },
    directory: '/var/lib/sd-gateway/channels/tg',
    credentialsDirectory: null,
  });
  expect(channel.health()).toMatchObject({ state: 'up' });
});

test('a start that fails in the process fails with its reason, and ends the process', async () => {
  await made();
  const starting = channel.start();
  const program = await host.program(1);
  const start = await hears(program, 'start');
  void program.say({ answers: start.number, failure: { kind: 'other', message: 'the token is wrong' } });
  await expect(starting).rejects.toThrow(/^the token is wrong$/);
  expect(program.isEnding).toBe(true);
});

test('a start without an answer is given up', async () => {
  await made();
  const starting = channel.start();
  await hears(await host.program(1), 'start');
  bench.clock.advance(90_000);
  await expect(starting).rejects.toThrow('had not started after 90 s');
});

describe('a process is ended, and started again,', () => {
  let unblock = (_keeps: boolean) => {};
  const blocked = new Promise<boolean>((resolve) => {
    unblock = resolve;
  });
  const call = (number: number) => ({ call: 'keeps', number, argument: { text: 'x'.repeat(100) } });

  test.each<[string, RegExp, (program: FakeProgram) => unknown]>([
    [
      'if it asks without end',
      /things at once/,
      (program) => {
        keeps = () => blocked;
        return program.say(...Array.from({ length: 10_000 }, (_, index) => call(index + 1)));
      },
    ],
    [
      'if its line has no end',
      /a line of \d{8,} bytes/,
      async (program) => {
        for (let count = 0; count < 40; count += 1) await program.writeText('x'.repeat(1024 ** 2));
        await program.writeText('\n');
      },
    ],
    ['if something else is printed', /no call and no answer/, (program) => program.writeText('Hello!\n')],
    [
      'if it tells of a log that there is none of',
      /not so/,
      (program) => program.say({ call: 'log', argument: { priority: 'constructor', message: 'x' } }),
    ],
    [
      'if it does not read',
      /does not read/,
      async (program) => {
        program.unreadBytes = 65 * 1024 ** 2;
        void channel.say?.({ address: '42' }, 'hello').catch(() => undefined);
      },
    ],
    [
      'if it does not answer',
      /no answer for 20 s/,
      async (program) => {
        bench.clock.advance(20_000);
        await hears(program, 'ping');
        bench.clock.advance(20_000);
      },
    ],
  ])('%s', async (_name, reason, fault) => {
    const program = await started();
    await fault(program);
    expect(program.isEnding).toBe(true);
    unblock(true);
    await bench.healths.until((all) => all.some((each) => each.startsWith('down: ')));
    expect(channel.health().reason).toMatch(reason);
    expect(host.programs).toHaveLength(1);
    keeps = async () => true;
    bench.clock.advance(1_000);
    await ready(await host.program(2));
    await bench.healths.until((all) => all.at(-1) === 'up: null');
  });
});

test('the waits between starts double', async () => {
  const starts = async (number: number) => ready(await host.program(number));
  (await started()).die('exited with status 1');
  for (const [index, waitMs] of [1_000, 2_000, 4_000].entries()) {
    await bench.healths.until((all) => all.filter((each) => each.startsWith('down')).length > index);
    bench.clock.advance(waitMs * 0.79);
    expect(host.programs).toHaveLength(index + 1);
    bench.clock.advance(waitMs * 0.21);
    await starts(index + 2);
    await bench.healths.until((all) => all.filter((each) => each === 'up: null').length > index + 1);
    host.programs.at(-1)?.die(`exited with status ${index}`);
  }
  await bench.healths.until((all) => all.filter((each) => each.startsWith('down')).length > 3);
  // The next start is 8 s away: a reply is tried again, and holds up no other.
  const delivery = { target: { address: '42' }, dueSince: bench.clock.now() } as Delivery;
  const part = { delivery, number: 1, text: 'hello' };
  expect(await channel.replySender?.send(part, end.signal)).toMatchObject({
    kind: 'retry',
    inDoubt: false,
    reason: 'the process of the channel does not run',
  });
});

test('what a process has claimed or stored, and not used, is free once it is gone', async () => {
  const program = await started();
  await program.say({
    call: 'claimLease',
    number: 1,
    argument: { kind: 'telegram', name: '1', owner: 'o', leaseMs: 30_000 },
  });
  expect(await answer(program, 1)).toMatchObject({ value: 7 });
  await program.say({ call: 'putBlob', number: 2, argument: { content: 5, limitBytes: 100 } });
  const next = await hears(program, 'next');
  expect(next.argument).toBe(5);
  await program.say({ answers: next.number, value: { bytes: Buffer.from('file').toString('base64') } });
  const last = (program.told as unknown as readonly Call[]).filter(({ call }) => call === 'next');
  expect(last).toHaveLength(1);
  for (;;) {
    const again = (program.told as unknown as readonly Call[]).filter(({ call }) => call === 'next')[1];
    if (again !== undefined) {
      await program.say({ answers: again.number, value: null });
      break;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await answer(program, 2)).toMatchObject({ value: { sizeBytes: 4 } });
  expect(blobs.blobs.size).toBe(1);
  program.die('was killed by SIGKILL');
  await bench.healths.until((all) => all.some((each) => each.startsWith('down: ')));
  expect(released).toEqual([{ kind: 'telegram', name: '1', owner: 'o', epoch: 7 }]);
  expect(blobs.blobs.size).toBe(0);
});

test('a failure of the store keeps its kind; records of others are out of reach', async () => {
  const program = await started();
  keeps = async () => {
    throw new StoreError('full', 'The disk is full.', { errno: 'ENOSPC' });
  };
  await program.say({ call: 'keeps', number: 1, argument: {} });
  expect(await answer(program, 1)).toMatchObject({
    failure: { kind: 'store', reason: 'full', message: 'The disk is full.', errno: 'ENOSPC' },
  });
  for (const [number, name] of ['record', 'putRecord', 'toString'].entries()) {
    const argument = { kind: 'person:tg', key: 'x', record: { kind: 'person:tg', key: 'x', value: 1 } };
    await program.say({ call: name, number: number + 2, argument });
    expect(await answer(program, number + 2)).toMatchObject({ failure: { kind: 'other' } });
  }
});

test('a process of another version, as after an upgrade, does not start, and says what to do', async () => {
  const written: string[] = [];
  const side = new ChannelSide({
    write: (line) => void written.push(line),
    longestTakenBytes: 1_000_000,
    longestGivenBytes: 1_000_000,
  });
  side.take(Buffer.from(`${JSON.stringify({ call: 'start', number: 1, argument: { version: '0.0.1' } })}\n`));
  await expect
    .poll(() => written.map((line) => JSON.parse(line)))
    .toMatchObject([
      {
        answers: 1,
        failure: { message: expect.stringMatching(/the gateway that runs is 0\.0\.1: restart it$/) },
      },
    ]);
});
