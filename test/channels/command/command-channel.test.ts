import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CommandChannel } from '../../../src/channels/command/command-channel.js';
import { sessionOf } from '../../../src/channels/session-name.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import { checkpointKind } from '../../../src/store/records.js';
import type { Store } from '../../../src/store/store.js';
import { StoreError } from '../../../src/store/store-error.js';
import type { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { type ManualClock, type Occurrences, openStore } from '../../gateway/dispatch/fixture.js';
import { ChannelBench, channelTable } from '../../support/channel-bench.js';
import { receptionFor } from '../../support/reception.js';
import { FakeHost, type FakeProgram } from './fake-program.js';

let directory: string;
let store: Store;
let dispose: () => Promise<void>;
let bench: ChannelBench;
let name: string;
let clock: ManualClock;
let log: RecordingLog;
let healths: Occurrences<string>;
let storeFailures: Error[];
let host: FakeHost;
let end: AbortController;
let channel: CommandChannel;

beforeAll(async () => {
  ({ directory, store, dispose } = await openStore());
});
afterAll(() => dispose());

beforeEach(() => {
  bench = new ChannelBench('irc', store);
  ({ name, clock, log, healths, storeFailures } = bench);
  host = new FakeHost(join(directory, name));
  channel = made();
});
afterEach(async () => {
  end.abort();
  await channel.close();
});

/** Resolves once so many things wait for the clock. */
async function timers(count: number): Promise<void> {
  while (clock.timers !== count) await nextTurn();
}

function made(keys: object = {}): CommandChannel {
  end = new AbortController();
  const table = { type: 'command', command: ['/bin/irc', '--tls'], allow: ['ada'], ...keys } as const;
  const configuration = channelTable(name, table);
  const context = bench.context({
    host,
    reception: receptionFor(configuration, {
      revise: async ({ conversation, id }, text) => {
        const arrived = { session: sessionOf(name, conversation), channel: name, idempotencyKey: id };
        return (await store.reviseMessage(arrived, text))?.outcome ?? null;
      },
    }),
    attachmentLimits: () => ({ count: 1, fileBytes: 1_000, totalBytes: 1_000 }),
    limits: { session: 3, total: 100_000 },
    signal: end.signal,
    healthChanged: () => bench.noteHealth(channel),
  });
  channel = new CommandChannel(configuration, context);
  return channel;
}

async function started(capabilities: readonly string[] = [], rules: object = {}): Promise<FakeProgram> {
  const starting = channel.start();
  const program = await host.program(host.programs.length + 1);
  await program.hears('start');
  await program.say({ type: 'ready', protocol: 1, capabilities, ...rules });
  await starting;
  return program;
}

const inbound = (id: string, text = `text ${id}`, members: object = {}) => ({
  type: 'inbound',
  id,
  chat: '#dev',
  person: 'ada',
  text,
  ...members,
});

async function texts(session = `${name}:~23dev`): Promise<readonly string[] | undefined> {
  const page = await store.sessionMessages(session, { limit: 100, after: null });
  return page?.items.map(({ text, state }) => `${text} ${state}`);
}

/** The records of at least this priority, without the texts of the store. */
const records = () => log.records.filter(({ priority }) => ['err', 'warning'].includes(priority));

describe('the start', () => {
  test('tells the program its secret and its cursor, and nothing by its arguments', async () => {
    const file = join(directory, 'token');
    writeFileSync(file, 's3cret\n', { mode: 0o600 });
    made({ token_file: file, env: ['HTTPS_PROXY'] });
    const program = await started();
    expect(program.options).toMatchObject({ command: ['/bin/irc', '--tls'], env: ['HTTPS_PROXY'] });
    expect(program.told).toEqual([
      {
        type: 'start',
        protocol: 1,
        capabilities: ['attachments'],
        channel: name,
        secret: 's3cret',
        cursor: null,
      },
    ]);
    expect(channel.health().state).toBe('up');
    expect(JSON.stringify(log.records)).not.toContain('s3cret');
  });

  test.each([
    ['is open to others', 0o644, 'x', 'chmod 600'],
    ['is empty', 0o600, '\n', 'is empty'],
  ])('fails while the secret %s', async (_name, mode, secret, said) => {
    const file = join(directory, 'token');
    writeFileSync(file, secret);
    chmodSync(file, mode);
    await expect(made({ token_file: file }).start()).rejects.toThrow(said);
    await expect(made({ token_file: join(directory, 'none') }).start()).rejects.toThrow('ENOENT');
    await expect(made({ token_credential: 'irc' }).start()).rejects.toThrow('LoadCredential=irc:PATH');
    expect(host.programs).toEqual([]);
  });

  test.each([
    ['speaks another version', { type: 'ready', protocol: 2 }, 'speaks version 2 of the protocol'],
    ['ends', 'exited with status 1; standard error ends: no route to host', 'no route to host'],
    ['says nothing', null, 'had not said "ready" after 30 s'],
  ])('fails if the program %s', async (_name, what, said) => {
    const starting = channel.start();
    starting.catch(() => undefined);
    const program = await host.program(1);
    await program.hears('start');
    if (what === null) clock.advance(30_000);
    else if (typeof what === 'string') program.die(what);
    else await program.say(what);
    await expect(starting).rejects.toThrow(said);
  });

  test('ends with the channel, if the program never is ready', async () => {
    const starting = channel.start();
    const program = await host.program(1);
    await program.hears('start');
    end.abort();
    await expect(starting).rejects.toThrow('ended with the channel');
    expect(program.isEnding).toBe(true);
  });
});

describe('a message', () => {
  test('is acknowledged once it is on disk with its cursor, and taken once', async () => {
    const program = await started();
    await program.say(inbound('1'), inbound('2', 'two', { cursor: 7 }), inbound('1', 'edited'));
    for (const id of ['1', '2']) await program.hears('stored', { id });
    expect(await texts()).toEqual(['text 1 queued', 'two queued']);
    await channel.close();
    made();
    const next = await started();
    expect(next.told[0]).toMatchObject({ type: 'start', cursor: 7 });
    const page = await store.sessionMessages(`${name}:~23dev`, { limit: 1, after: null });
    expect(page?.items[0]).toMatchObject({
      sender: 'ada',
      channel: name,
      replyTo: { channel: name, address: '#dev' },
    });
  });

  test('that waits follows its edit and its deletion, which are acknowledged', async () => {
    const program = await started();
    await program.say(
      inbound('1'),
      inbound('2'),
      inbound('1', 'new', { origin: 'edited' }),
      { type: 'deleted', id: '2', chat: '#dev', cursor: 9 },
      { type: 'deleted', id: '3', chat: '#dev' },
    );
    await program.hears('stored', { id: '3' });
    expect(program.told.filter(({ type }) => type === 'stored')).toHaveLength(5);
    expect(await texts()).toEqual(['new queued', 'text 2 cancelled']);
    expect(await store.record(checkpointKind(name), 'cursor')).toMatchObject({ value: 9 });
  });

  test('is not acknowledged while the store does not take it, and is once it does', async () => {
    const program = await started();
    storeFailures.push(
      new StoreError('full', 'The disk is full.'),
      new StoreError('full', 'The disk is full.'),
    );
    await program.say(inbound('1'));
    for (const wait of [100, 200]) {
      // The look at its health, and the next try.
      await timers(2);
      expect(program.types()).not.toContain('stored');
      clock.advance(wait);
    }
    await program.hears('stored', { id: '1' });
    expect(records()).toHaveLength(1);
    expect(records()[0]?.message).toContain('The disk is full.');
  });

  test('that the store can’t ever take is refused, and the others are stored', async () => {
    const program = await started();
    const broken = new Error('it is broken');
    storeFailures.push(broken, broken);
    await program.say(inbound('1'), inbound('2'));
    await program.hears('refused', { id: '1' });
    await program.hears('stored', { id: '2' });
    expect(await texts()).toEqual(['text 2 queued']);
  });

  test('that finds its queue full is kept as dead, and acknowledged', async () => {
    const program = await started();
    await program.say(...['1', '2', '3', '4', '5'].map((id) => inbound(id)));
    for (const id of ['1', '2', '3', '4', '5']) await program.hears('stored', { id });
    expect((await texts())?.map((text) => text.slice(7))).toEqual([
      'queued',
      'queued',
      'queued',
      'dead',
      'dead',
    ]);
    expect(records().map(({ message }) => message)).toEqual([
      expect.stringContaining('3 wait already (dispatch.session_queue)'),
    ]);
  });

  test('of a stranger is refused, and its cursor kept; "*" allows everybody', async () => {
    const program = await started();
    await program.say(
      inbound('1', 'x', { person: 'bob\n\u001b[2J', cursor: 3 }),
      inbound('2', 'x', { person: 'eve' }),
    );
    await program.hears('refused', { id: '1', reason: 'not_allowed' });
    await program.hears('refused', { id: '2', reason: 'not_allowed' });
    expect(await texts()).toBeUndefined();
    // One record for both, and nothing in it that acts on a terminal.
    expect(records()).toHaveLength(1);
    expect(records()[0]?.message).toContain('"bob\\n\\u001b[2J"');
    await channel.close();
    made({ allow: ['*'] });
    const open = await started();
    expect(open.told[0]).toMatchObject({ cursor: 3 });
    await open.say(inbound('3', 'hi', { person: 'eve' }));
    await open.hears('stored', { id: '3' });
  });

  test('that comes while the channel stops is stored and acknowledged', async () => {
    const program = await started();
    channel.stopAccepting();
    await program.hears('stop');
    await program.say(inbound('1'));
    await program.hears('stored', { id: '1' });
    await channel.close();
    expect(await texts()).toEqual(['text 1 queued']);
    expect(channel.health().state).toBe('closed');
  });

  test('that was told right before the program died is stored, and one that is sent again is taken once', async () => {
    const program = await started();
    void program.say(inbound('1', 'one', { cursor: 1 }));
    program.die('was killed by SIGKILL');
    await healths.until((all) => all.at(-1)?.startsWith('down') ?? false);
    clock.advance(1_000);
    const next = await host.program(2);
    expect(await next.hears('start')).toMatchObject({ cursor: 1 });
    await next.say({ type: 'ready', protocol: 1 }, inbound('1', 'one', { cursor: 1 }));
    await next.hears('stored', { id: '1' });
    expect(await texts()).toEqual(['one queued']);
  });

  test('makes the reader wait once a thousand are not on disk', async () => {
    const program = await started();
    storeFailures.push(new StoreError('unavailable', 'The store is away.'));
    const many = Array.from({ length: 1_500 }, (_, index) =>
      inbound(String(index), 'x', { chat: `c${index}` }),
    );
    let isTaken = false;
    const taken = program.say(...many).then(() => {
      isTaken = true;
    });
    await timers(2);
    expect(isTaken).toBe(false);
    // The program can't be heard meanwhile: that it does not answer says nothing of it.
    clock.advance(70_000);
    await taken;
    await program.hears('stored', { id: '1499' });
    expect(program.isEnding).toBe(false);
  });
});

test('bad lines leave one record each minute, and take nothing good with them', async () => {
  const program = await started();
  const lines = ['', 'garbage', '{"type":"dance"}', '[]', JSON.stringify({ ...inbound('1'), text: 7 })];
  await program.writeText(`${lines.join('\n')}\n${JSON.stringify(inbound('2'))}\n`);
  await program.hears('stored', { id: '2' });
  await program.hears('refused', {
    id: '1',
    reason: 'invalid: "text" of "inbound": Invalid input: expected string, received number',
  });
  await program.writeText(`${'x'.repeat(1_100_000)}\n${JSON.stringify(inbound('3'))}\n`);
  await program.hears('stored', { id: '3' });
  expect(records().map(({ message }) => message)).toEqual([
    `The channel ${name} left out a line of its program: it is no JSON.`,
    `The channel ${name} left out a line of its program: it has 1100000 bytes, and 1048576 are the most.`,
  ]);
  clock.advance(60_000);
  await program.writeText('garbage\n');
  expect(records().at(-1)?.message).toBe(
    `The channel ${name} left out a line of its program: it is no JSON. (3 more since the last record)`,
  );
});

describe('the program', () => {
  test('is started again after 1 s, doubled up to 1 min', async () => {
    let program = await started();
    const waits = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
    for (const [index, wait] of waits.entries()) {
      program.die(`exited with status ${index}`);
      await healths.until((all) => all.at(-1) === `down: the program exited with status ${index}`);
      clock.advance(wait * 0.79);
      expect(host.programs).toHaveLength(index + 1);
      clock.advance(wait * 0.21);
      program = await host.program(index + 2);
      await program.hears('start');
      // One that is ready for a short time is no better than one that is not.
      if (index < 2) {
        await program.say({ type: 'ready', protocol: 1 });
        await healths.until((all) => all.at(-1) === 'up: null');
      }
    }
    await program.say({ type: 'ready', protocol: 1 });
    await healths.until((all) => all.at(-1) === 'up: null');
    clock.advance(59_000);
    program.die('exited with status 9');
    await healths.until((all) => all.at(-1)?.includes('9') ?? false);
    clock.advance(60_000);
    program = await host.program(10);
    await program.hears('start');
    await program.say({ type: 'ready', protocol: 1 });
    await healths.until((all) => all.at(-1) === 'up: null');
    clock.advance(59_999);
    await program.say({ type: 'healthy' });
    clock.advance(1);
    program.die('exited with status 10');
    await healths.until((all) => all.at(-1)?.includes('10') ?? false);
    clock.advance(1_000);
    await host.program(11);
  });

  test('that fails for one reason again and again is in the journal once', async () => {
    const program = await started();
    program.die('exited with status 1');
    await healths.until((all) => all.at(-1) === 'down: the program exited with status 1');
    const failure = () => new Error('the program exited with status 1');
    host.failures.push(failure(), failure());
    while (host.programs.length < 2) {
      clock.advance(100);
      await nextTurn();
    }
    await (await host.program(2)).hears('start');
    expect(log.records.filter(({ priority }) => priority === 'err')).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(
          /is down: the program exited with status 1\. It is started again in 0\.\d s\.$|in 1 s\.$/,
        ),
      }),
    ]);
  });

  test('says how its platform is', async () => {
    const program = await started();
    await program.say({ type: 'unhealthy', reason: 'no route to irc.example' });
    expect(channel.health()).toMatchObject({
      state: 'down',
      reason: 'the program says: no route to irc.example',
    });
    await program.say({ type: 'healthy' });
    expect(channel.health()).toMatchObject({ state: 'up', reason: null });
  });

  test('is asked for its health after a silence, and ended if it does not answer', async () => {
    const program = await started();
    clock.advance(60_000);
    const { id } = await program.hears('health');
    await program.say({ type: 'healthy', id });
    clock.advance(60_000);
    await program.hears('health', { id: 'health.2' });
    expect(program.isEnding).toBe(false);
    clock.advance(10_000);
    expect(program.isEnding).toBe(true);
    await healths.until((all) => all.at(-1)?.includes('did not answer "health" within 10 s') ?? false);
  });

  test('that reads nothing is ended', async () => {
    const program = await started();
    program.unreadBytes = 5 * 1024 ** 2;
    await program.say(inbound('1'));
    await healths.until((all) => all.at(-1)?.includes('does not read') ?? false);
  });

  test('is not started again once the channel stops', async () => {
    const program = await started();
    program.die('exited with status 1');
    await healths.until((all) => all.at(-1)?.startsWith('down') ?? false);
    channel.stopAccepting();
    clock.advance(60_000);
    expect(host.programs).toHaveLength(1);
  });
});

describe('a reply', () => {
  const delivery = (members: Partial<Delivery> = {}): Delivery =>
    ({
      webhookId: 'msg_1',
      target: { channel: name, address: '#dev', options: {} },
      notice: null,
      replyText: 'hello',
      parts: [],
      attempt: 1,
      repliedAt: clock.now() + 1,
      dueSince: clock.now(),
      ...members,
    }) as Delivery;
  const send = (members: Partial<Delivery> = {}, signal = new AbortController().signal) => {
    const [part] = channel.replySender.partsOf(delivery(members));
    if (part === undefined) throw new Error('There is no part.');
    return channel.replySender.send(part, signal);
  };
  const id = 'msg_1.1';

  test.each([
    ['sent', { type: 'sent', receipt: 'r7' }, { kind: 'delivered', receipt: 'r7' }],
    [
      'not sent for now',
      { type: 'not_sent', reason: 'slow down', retry_after: 2.5 },
      { kind: 'retry', reason: 'slow down', retryAfterMilliseconds: 2_500, pausesHost: true, inDoubt: false },
    ],
    [
      'not sent for good',
      { type: 'not_sent', reason: 'no such chat', final: true },
      { kind: 'dead', reason: 'no such chat' },
    ],
    ['in doubt', { type: 'unknown' }, { kind: 'retry', inDoubt: true }],
  ])('is %s', async (_name, answer, outcome) => {
    const program = await started();
    const sending = send();
    expect(await program.hears('send')).toEqual({
      type: 'send',
      id,
      to: '#dev',
      text: 'hello',
      part: 1,
      attempt: 1,
    });
    await program.say({ ...answer, id });
    expect(await sending).toMatchObject(outcome);
  });

  test('is in doubt if the program ends, does not answer in time, or the gateway stops', async () => {
    const program = await started();
    const late = send();
    await program.hears('send');
    clock.advance(30_000);
    expect(await late).toMatchObject({
      kind: 'retry',
      inDoubt: true,
      reason: expect.stringContaining('30 s'),
    });
    const stop = new AbortController();
    const aborted = send({ webhookId: 'msg_2' }, stop.signal);
    await program.hears('send', { id: 'msg_2.1' });
    stop.abort();
    expect(await aborted).toEqual({ kind: 'aborted', inDoubt: true });
    expect(await send({ webhookId: 'msg_3' }, stop.signal)).toEqual({ kind: 'aborted', inDoubt: false });
    const gone = send({ webhookId: 'msg_4' });
    await program.hears('send', { id: 'msg_4.1' });
    program.die('was killed by SIGKILL');
    expect(await gone).toMatchObject({
      kind: 'retry',
      inDoubt: true,
      reason: 'the program of the channel was killed by SIGKILL',
    });
    expect(await send()).toMatchObject({ kind: 'retry', inDoubt: false, peer: 'unasked' });
  });

  test('that is empty is not sent, and one that fails for an hour is set aside', async () => {
    await started();
    expect(await send({ replyText: '' })).toEqual({ kind: 'delivered', receipt: null });
    await channel.close();
    expect(await send({ dueSince: clock.now() - 3_599_000 })).toMatchObject({ kind: 'retry' });
    expect(await send({ dueSince: clock.now() - 3_600_000 })).toMatchObject({
      kind: 'dead',
      reason: expect.stringContaining(`(channels.${name}.retry_for)`),
    });
  });

  describe('that is longer than the program takes', () => {
    const rules = { text_limit: 40, text_form: 'plain' };
    const replyText = '**One** two three four five six seven.\n\nEight nine ten eleven twelve.';
    const texts = ['One two three four five six seven.', 'Eight nine ten eleven twelve.'];
    const kept = { limit: 40, unit: 'bytes', form: 'plain' };

    test('is cut into parts, each with a receipt that tells by which rules', async () => {
      const program = await started([], rules);
      const file = { id: 'b1', name: 'a.txt', mediaType: 'text/plain', sizeBytes: 1, sha256: '0' };
      const parts = channel.replySender.partsOf(delivery({ replyText, replyAttachments: [file] }));
      expect(parts.map(({ text }) => text)).toEqual(texts);
      const { signal } = new AbortController();
      for (const [index, part] of parts.entries()) {
        const sending = channel.replySender.send(part, signal);
        expect(await program.hears('send', { part: index + 1 })).toEqual({
          type: 'send',
          id: `msg_1.${index + 1}`,
          to: '#dev',
          text: texts[index],
          part: index + 1,
          parts: 2,
          attempt: 1,
          ...(index === 1 && { files: ['a.txt'] }),
        });
        await program.say({ type: 'sent', id: `msg_1.${index + 1}`, receipt: index });
        expect(await sending).toEqual({ kind: 'delivered', receipt: { receipt: index, text: kept } });
      }
    });

    test('is cut in the same way by the next program, whatever that takes', async () => {
      const parts = [{ part: 1, receipt: { receipt: 1, text: kept } }];
      // None runs yet.
      const cut = () => channel.replySender.partsOf(delivery({ replyText, parts })).map(({ text }) => text);
      expect(cut()).toEqual(texts);
      await started([], { text_limit: 170_000 });
      expect(cut()).toEqual(texts);
    });

    test('is Markdown as it was written, if the program says nothing else', async () => {
      await started([], { text_limit: 50, text_unit: 'utf-16' });
      const code = '# Title\n\n```js\nfirst();\n\nsecond(third, fourth);\n```';
      expect(channel.replySender.partsOf(delivery({ replyText: code })).map(({ text }) => text)).toEqual([
        '# Title\n\n```js\nfirst();\n\n```',
        '```js\nsecond(third, fourth);\n```',
      ]);
      expect(channel.replySender.partsOf(delivery({ notice: 'It *failed*.' }))).toMatchObject([
        { text: 'It *failed*.' },
      ]);
    });
  });

  describe('with files', () => {
    const content = Buffer.from('the content');
    const kept = async () => {
      const blob = await store.putBlob([content], 1_000);
      if (blob === null) throw new Error('It is too large.');
      return { ...blob, name: '../a b.txt', mediaType: 'text/plain' };
    };

    test('has them where a program reads them that sends files, until it has answered', async () => {
      const program = await started(['files']);
      const file = await kept();
      const gone = { ...file, id: '0'.repeat(file.id.length) };
      for (const answer of [{ type: 'not_sent', reason: 'slow down' }, { type: 'sent' }]) {
        program.told.length = 0;
        const sending = send({ replyAttachments: [file, gone] });
        const { attachments } = await program.hears('send');
        const path = join(directory, name, '.sd-gateway/files/msg_1.1/1');
        const described = { name: '../a b.txt', media_type: 'text/plain', size: content.length };
        expect(attachments).toEqual([
          { ...described, path },
          { ...described, path: null },
        ]);
        expect(readFileSync(path)).toEqual(content);
        expect(statSync(path).mode & 0o777).toBe(0o600);
        await program.say({ ...answer, id });
        await sending;
        expect(existsSync(path)).toBe(false);
      }
    });

    test('names them to another program', async () => {
      const program = await started();
      void send({ replyAttachments: [await kept()] });
      const order = await program.hears('send');
      expect(order).toMatchObject({ files: ['../a b.txt'] });
      expect(order).not.toHaveProperty('attachments');
    });

    test('waits if they can not be written, and what a crash has left goes with the next program', async () => {
      const home = join(directory, name);
      mkdirSync(join(home, '.sd-gateway/files/msg_9.1'), { recursive: true });
      await started(['files']);
      expect(existsSync(join(home, '.sd-gateway/files'))).toBe(false);
      rmSync(home, { recursive: true });
      writeFileSync(home, '');
      expect(await send({ replyAttachments: [await kept()] })).toMatchObject({
        kind: 'retry',
        inDoubt: false,
        reason: expect.stringContaining("can't be handed over"),
      });
    });
  });

  describe('that may have been sent before', () => {
    test.each([
      ['has arrived', 'ask', { type: 'sent', receipt: 1 }, { kind: 'delivered', receipt: 1 }],
      [
        'nobody knows of, and must not come twice',
        'drop',
        { type: 'unknown' },
        { kind: 'dead', inDoubt: true },
      ],
    ])('%s', async (_name, unknown, answer, outcome) => {
      made({ unknown });
      const program = await started(['reconcile']);
      const sending = send({ attempt: 2 });
      await program.hears('reconcile', { id, to: '#dev' });
      await program.say({ ...answer, id });
      expect(await sending).toMatchObject(outcome);
      expect(program.types()).not.toContain('send');
    });

    test.each([
      ['has not arrived', 'ask', { type: 'not_sent', reason: 'not found' }],
      ['may come twice', 'resend', { type: 'unknown' }],
    ])('is sent if it %s', async (_name, unknown, answer) => {
      made({ unknown });
      const program = await started(['reconcile']);
      // From before this start: a stop may have cut it off.
      const sending = send({ repliedAt: clock.now() - 1 });
      await program.hears('reconcile', { id });
      await program.say({ ...answer, id });
      await program.hears('send', { id });
      await program.say({ type: 'sent', id });
      expect(await sending).toMatchObject({ kind: 'delivered' });
    });
  });

  test.each([
    [['reconcile'], 1],
    [['idempotent', 'dances'], 1],
    [[], 0],
  ])('of a program with %j may be sent again: %i', async (capabilities, idempotent) => {
    made({ unknown: 'drop' });
    const program = await started(capabilities);
    await program.say(inbound('1'));
    await program.hears('stored');
    const all = { owner: 'o', limit: 10_000, leaseMs: 60_000 };
    const turn = (await store.claimTurns(all)).find(({ channel }) => channel === name);
    if (turn === undefined) throw new Error('There is no turn.');
    await store.completeTurn(turn, { text: 'r', metadata: {} });
    const claimed = (await store.claimDeliveries(all)).find(({ target }) => target.channel === name);
    expect(claimed).toMatchObject({ idempotent: idempotent === 1, unknownPolicy: 'drop' });
  });
});

describe('files of a message', () => {
  /** The files of the session's last message, with their content. */
  async function filesOf(): Promise<readonly string[]> {
    const page = await store.sessionMessages(`${name}:~23dev`, { limit: 100, after: null });
    const files = page?.items.at(-1)?.attachments ?? [];
    return Promise.all(
      files.map(async (file) => {
        const content = await store.openBlob(file.id);
        return `${file.name} ${file.mediaType} ${content === null ? null : await buffer(content)}`;
      }),
    );
  }

  function put(path: string, content = 'content'): void {
    mkdirSync(dirname(join(host.directory, path)), { recursive: true });
    writeFileSync(join(host.directory, path), content);
  }

  test('are taken from below its directory, also without a text', async () => {
    const program = await started();
    put('in/1');
    await program.say(
      inbound('1', '', { attachments: [{ path: 'in/1', name: '../plan.txt', media_type: 'text/plain' }] }),
    );
    await program.hears('stored', { id: '1' });
    expect(await texts()).toEqual([' queued']);
    expect(await filesOf()).toEqual(['plan.txt text/plain content']);
    // The gateway has its own: the program may remove it.
    rmSync(join(host.directory, 'in/1'));
    await program.say(inbound('2', 'again', { attachments: [{ path: 'in/1', name: 'plan.txt' }] }));
    await program.hears('stored', { id: '2' });
    expect((await texts())?.at(-1)).toMatch(/^again\n\[the file "plan.txt" is missing: .* queued$/s);
  });

  test.each([
    ['leads out of it', '../outside'],
    ['is outside of it', '/etc/hostname'],
    ['is a link', 'link'],
    ['leads through a link', 'way/outside'],
    ['is a directory', '.'],
    ['is not there', 'none'],
  ])('are named, and not taken, if the path %s', async (_name, path) => {
    const program = await started();
    put('../outside');
    put('inside');
    symlinkSync(join(host.directory, 'inside'), join(host.directory, 'link'));
    symlinkSync('..', join(host.directory, 'way'));
    await program.say(inbound('1', 'hello', { attachments: [{ path }] }));
    await program.hears('stored', { id: '1' });
    expect(await texts()).toEqual([expect.stringMatching(/^hello\n\[the file "without a name" is missing/)]);
    expect(await filesOf()).toEqual([]);
    expect(records().map(({ message }) => message)).toEqual([
      expect.stringContaining("can't read a file of a message"),
    ]);
  });

  test('are bounded, and those of strangers are not read', async () => {
    const program = await started();
    put('large', 'x'.repeat(1_001));
    put('small');
    const attachments = ['large', 'small', 'small'].map((path) => ({ path, name: path }));
    await program.say(inbound('1', 'hello', { attachments }));
    await program.hears('stored', { id: '1' });
    expect(await filesOf()).toEqual(['small application/octet-stream content']);
    expect(await texts()).toEqual([
      expect.stringMatching(/attachments.file_limit[\s\S]*attachments.count_limit/),
    ]);
    await program.say(inbound('2', 'hello', { person: 'eve', attachments: [{ path: 'none' }] }));
    await program.hears('refused', { id: '2' });
    expect(
      records()
        .map(({ message }) => message)
        .join(),
    ).not.toContain('a file of a message');
  });

  test.each([
    ['no text and no file', { text: '' }, 'text'],
    ['more than 100 files', { attachments: Array(101).fill({ path: 'x' }) }, 'attachments'],
    ['a file without a path', { attachments: [{ name: 'x' }] }, 'attachments.0.path'],
  ])('a message with %s is refused', async (_name, members, said) => {
    const program = await started();
    await program.say(inbound('1', 'hello', members));
    const { reason } = await program.hears('refused', { id: '1' });
    expect(reason).toContain(`"${said}" of "inbound"`);
  });
});
