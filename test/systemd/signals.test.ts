import { constants } from 'node:os';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  parseSignalRecords,
  recordSize,
  type WatchedSignal,
  watchSignals,
} from '../../src/systemd/signals.js';
import { propertyRuns, propertyTimeoutMs } from '../support/properties.js';
import { type ChildEvent, fixture, SignalChild, send } from './signal-child.js';

/** As the handler writes it: numbers in this machine's order, and the first bytes of /proc/PID/comm. */
function record(
  numbers: readonly [signal: number, code: number, pid: number, uid: number],
  comm: Uint8Array,
) {
  const bytes = new Uint8Array(recordSize);
  new Int32Array(bytes.buffer, 0, 4).set(numbers);
  bytes.set(comm.subarray(0, recordSize - 16), 16);
  return bytes;
}

const text = (comm: string) => new TextEncoder().encode(comm);

it.each([
  ['a name', 'sh\n', 'sh'],
  ['a name that fills all', 'fifteen letters\n', 'fifteen letters'],
  ['the longer name of a kernel thread', 'kworker/u8:0-events_unbound\n', 'kworker/u8:0-eve'],
  ['a line feed that is part of it', 'a\n\n', 'a\n'],
  ['no name', '', null],
  ['a name of nothing', '\n', null],
])('reads %s', (_what, comm, expected) => {
  expect(parseSignalRecords(record([15, 0, 7, 2 ** 32 - 2], text(comm)))).toEqual([
    { signal: 15, code: 0, pid: 7, uid: 2 ** 32 - 2, comm: expected },
  ]);
});

it('reads all records that are whole, wherever they lie in memory', () => {
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const one = fc.record({
    numbers: fc.tuple(int32, int32, int32, fc.nat({ max: 2 ** 32 - 1 })),
    comm: fc.uint8Array({ maxLength: 40 }),
  });
  fc.assert(
    fc.property(
      fc.array(one),
      fc.nat({ max: 9 }),
      fc.nat({ max: recordSize - 1 }),
      (records, before, rest) => {
        const data = Buffer.concat([
          Buffer.alloc(before),
          ...records.map(({ numbers, comm }) => record(numbers, comm)),
          Buffer.alloc(rest, 1),
        ]);
        const parsed = parseSignalRecords(data.subarray(before));
        expect(parsed.map(({ signal, code, pid, uid }) => [signal, code, pid, uid])).toEqual(
          records.map(({ numbers }) => numbers),
        );
      },
    ),
  );
});

const { SIGUSR1 } = constants.signals;
const children: SignalChild[] = [];

function start(...commands: object[]): SignalChild {
  const child = new SignalChild({ commands });
  children.push(child);
  return child;
}

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.process.kill('SIGKILL');
    await child.ended;
  }
});

const watch = (signal: WatchedSignal, name = 'a') => ({ do: 'watch', watch: name, signals: [signal] });
const listen = (signal: WatchedSignal, listener: string) => ({ do: 'on', signal, listener });

async function kill(child: SignalChild, signal: string): Promise<number> {
  return send('/bin/kill', ['-s', signal, String(await child.pid())]);
}

async function caught(child: SignalChild): Promise<unknown> {
  child.events.splice(0);
  child.command({ do: 'dispositions' });
  return (await child.event('dispositions')).caught;
}

describe('a watch of signals', () => {
  it('leaves the listeners that were there before and that came after theirs', async () => {
    const child = start(listen('SIGTERM', 'before'), watch('SIGTERM'), listen('SIGTERM', 'after'));
    const sender = await kill(child, 'TERM');
    await child.event('delivery', { senderPid: sender });
    await child.event('heard', { listener: 'before' });
    await child.event('heard', { listener: 'after' });
    expect(await child.end()).toEqual([0, null]);
  });

  it('is told once of each delivery, whatever listeners there are', async () => {
    const child = start(listen('SIGTERM', 'before'), watch('SIGTERM'), listen('SIGTERM', 'after'));
    await kill(child, 'TERM');
    await child.event('heard', { listener: 'after' });
    const second = await kill(child, 'TERM');
    await child.event('delivery', { senderPid: second });
    expect(child.named('delivery')).toHaveLength(2);
  });

  it('goes on when somebody removes all listeners', async () => {
    const child = start(watch('SIGTERM'));
    await child.pid();
    child.command({ do: 'removeAll', signal: 'SIGTERM' });
    await child.event('removed');
    const sender = await kill(child, 'TERM');
    await child.event('delivery', { senderPid: sender });
    child.command(listen('SIGTERM', 'later'));
    await child.event('listening');
    const second = await kill(child, 'TERM');
    await child.event('delivery', { senderPid: second });
    await child.event('heard', { listener: 'later' });
  });

  it('tells each of several watches', async () => {
    const child = start(watch('SIGUSR1', 'a'), watch('SIGUSR1', 'b'));
    const first = await kill(child, 'USR1');
    await child.event('delivery', { watch: 'a', senderPid: first });
    await child.event('delivery', { watch: 'b', senderPid: first });
    child.command({ do: 'close', watch: 'a' });
    await child.event('closed');
    const second = await kill(child, 'USR1');
    await child.event('delivery', { watch: 'b', senderPid: second });
    expect(child.named('delivery').filter((event: ChildEvent) => event['watch'] === 'a')).toHaveLength(1);
  });

  it('gives the signal its usual effect back when the last one is closed', async () => {
    const child = start(watch('SIGUSR2', 'a'), watch('SIGUSR2', 'b'));
    await child.pid();
    expect(await caught(child)).toContain(constants.signals.SIGUSR2);
    child.command({ do: 'close', watch: 'b' });
    await child.event('closed', { watch: 'b' });
    expect(await caught(child)).toContain(constants.signals.SIGUSR2);
    child.command({ do: 'close', watch: 'a' });
    await child.event('closed', { watch: 'a' });
    expect(await caught(child)).not.toContain(constants.signals.SIGUSR2);
    child.process.kill('SIGUSR2');
    expect(await child.ended).toEqual([null, 'SIGUSR2']);
  });

  it('leaves the listeners of others when it is closed', async () => {
    const child = start(listen('SIGTERM', 'before'), watch('SIGTERM'));
    await child.pid();
    child.command({ do: 'close' });
    await child.event('closed');
    await kill(child, 'TERM');
    await child.event('heard', { listener: 'before' });
    expect(child.named('delivery')).toEqual([]);
  });

  it("doesn't keep the process alive", async () => {
    const child = start(watch('SIGTERM'));
    await child.pid();
    child.command({ do: 'letGo' });
    expect(await child.ended).toEqual([0, null]);
  });

  it('leaves the dispositions and the mask of programs that are executed as usual', async () => {
    const child = start();
    await child.pid();
    const script = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";
    child.command({ do: 'shell', script });
    const before = await child.event('shell');
    child.events.splice(0);
    child.command({ do: 'watch', signals: ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] });
    await child.event('watching');
    child.command({ do: 'shell', script });
    expect((await child.event('shell')).output).toBe(before.output);
  });

  it('makes what its listener throws an uncaught exception like any other', async () => {
    const child = start({ do: 'throwing', signals: ['SIGTERM'] });
    await kill(child, 'TERM');
    expect(await child.event('uncaught')).toMatchObject({ message: 'thrown by the listener' });
  });

  it('refuses what is no signal that can be watched, and changes nothing then', async () => {
    const child = start();
    await child.pid();
    const before = await caught(child);
    for (const signals of [['SIGTERM', 'SIGKILL'], ['SIGNONE'], [15], 'SIGTERM', null]) {
      child.events.splice(0);
      child.command({ do: 'watch', signals });
      expect(await child.event('refused')).toMatchObject({ name: 'TypeError' });
    }
    expect(await caught(child)).toEqual(before);
    // @ts-expect-error no listener
    expect(() => watchSignals(['SIGTERM'])).toThrow(TypeError);
  });
});

describe('a watch of signals in a worker thread', () => {
  it('is told as the main thread is', async () => {
    const child = start({ do: 'start', number: 1 }, watch('SIGUSR1'));
    await child.event('started');
    child.command({ worker: 1, ...watch('SIGUSR1') });
    await child.event('watching', { thread: 'worker' });
    const sender = await kill(child, 'USR1');
    await child.event('delivery', { thread: 'main', senderPid: sender });
    await child.event('delivery', { thread: 'worker', senderPid: sender });
  });

  it('goes on when the main thread closes its own', async () => {
    const child = start({ do: 'start', number: 1 }, watch('SIGUSR1'));
    await child.event('started');
    child.command({ worker: 1, ...watch('SIGUSR1') });
    await child.event('watching', { thread: 'worker' });
    child.command({ do: 'close' });
    await child.event('closed');
    const sender = await kill(child, 'USR1');
    await child.event('delivery', { thread: 'worker', senderPid: sender });
  });

  it.each(['terminate', 'exit'])('may end by %s with its watch open while signals arrive', async (how) => {
    const child = start(watch('SIGUSR1'));
    const pid = String(await child.pid());
    for (let number = 0; number < propertyRuns(2); number++) {
      child.command({ do: 'start', number });
      await child.event('started', { number });
      child.command({ worker: number, ...watch('SIGUSR1', `w${number}`) });
      await child.event('watching', { watch: `w${number}` });
      const burst = send('python3', [fixture('signal-send.py'), 'kill', pid, String(SIGUSR1), '3000']);
      await child.event('delivery', { watch: `w${number}` });
      child.command(how === 'exit' ? { worker: number, do: 'exit' } : { do: 'terminate', number });
      await child.event('ended', { number });
      await burst;
    }
    const sender = await kill(child, 'USR1');
    await child.event('delivery', { thread: 'main', senderPid: sender });
    expect(await child.end()).toEqual([0, null]);
  });

  it('gives the signal its usual effect back when its environment ends', async () => {
    const child = start({ do: 'start', number: 1 });
    await child.event('started');
    child.command({ worker: 1, ...watch('SIGUSR2') });
    await child.event('watching');
    expect(await caught(child)).toContain(constants.signals.SIGUSR2);
    child.command({ do: 'terminate', number: 1 });
    await child.event('ended');
    expect(await caught(child)).not.toContain(constants.signals.SIGUSR2);
  });
});

describe('a process that ends while signals arrive', () => {
  // A flood of signals slows each process down, more so under a sanitizer.
  it('ends in order with its watches open', { timeout: propertyTimeoutMs(120_000) }, async () => {
    for (let round = 0; round < propertyRuns(2); round++) {
      const child = start(watch('SIGUSR1'), { do: 'start', number: 1 });
      const pid = String(await child.pid());
      await child.event('started');
      child.command({ worker: 1, ...watch('SIGUSR1') });
      await child.event('watching', { thread: 'worker' });
      // Goes on until there is nobody left to send to.
      const burst = expect(
        send('python3', [fixture('signal-send.py'), 'kill', pid, String(SIGUSR1), '100000000']),
      ).rejects.toThrow('No such process');
      await child.event('delivery', { thread: 'main' });
      // 0, or killed by the signal once Node has put its usual effect back on its way out.
      expect([[0, null].join(), [null, 'SIGUSR1'].join()]).toContain((await child.end()).join());
      await burst;
    }
  });
});
