import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { watchedSignals } from '../../src/systemd/signals.js';
import { fixture, SignalChild, send } from './signal-child.js';

const { SIGUSR1, SIGUSR2 } = constants.signals;
const isRoot = process.getuid?.() === 0;
const nobody = 65534;
const uid = process.getuid?.();

const children: SignalChild[] = [];

function start(...[options]: ConstructorParameters<typeof SignalChild>): SignalChild {
  const child = new SignalChild(options);
  children.push(child);
  return child;
}

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.process.kill('SIGKILL');
    await child.ended;
  }
});

/** The number that a process in a child namespace has outside of it. */
function outerPid(wrapper: ChildProcess): number {
  return Number(readFileSync(`/proc/${wrapper.pid}/task/${wrapper.pid}/children`, 'utf8').trim());
}

describe('the sender of a signal', () => {
  it.each(watchedSignals)('is the kill process that sent %s', async (signal) => {
    const child = start({ commands: [{ do: 'watch', signals: [signal] }] });
    const sender = await send('/bin/kill', ['-s', signal, String(await child.pid())]);
    const delivery = await child.event('delivery');
    expect(delivery).toMatchObject({ signal, code: 'SI_USER', senderPid: sender, senderUid: uid });
    // The name is null only if the sender was gone before the handler ran; never another's name.
    expect(['kill', null]).toContain(delivery.senderComm);
    expect(await child.end()).toEqual([0, null]);
  });

  it('is the shell whose builtin sent it', async () => {
    const child = start({ commands: [{ do: 'watch', signals: ['SIGTERM'] }] });
    const shell = spawn('/bin/sh', ['-c', `kill -TERM ${await child.pid()}; read line`]);
    expect(await child.event('delivery')).toMatchObject({
      signal: 'SIGTERM',
      code: 'SI_USER',
      senderPid: shell.pid,
      senderUid: uid,
      senderComm: 'sh',
    });
    shell.stdin.end('\n');
    await once(shell, 'close');
  });

  it('is told for sigqueue(3) and tgkill(2), with their codes', async () => {
    const child = start({ commands: [{ do: 'watch', signals: ['SIGUSR1', 'SIGUSR2'] }] });
    const pid = String(await child.pid());
    const queuer = await send('python3', [fixture('signal-send.py'), 'sigqueue', pid, String(SIGUSR1)]);
    expect(await child.event('delivery', { code: 'SI_QUEUE' })).toMatchObject({
      signal: 'SIGUSR1',
      senderPid: queuer,
      senderUid: uid,
    });
    const killer = await send('python3', [fixture('signal-send.py'), 'tgkill', pid, String(SIGUSR2)]);
    expect(await child.event('delivery', { code: 'SI_TKILL' })).toMatchObject({
      signal: 'SIGUSR2',
      senderPid: killer,
      senderUid: uid,
    });
  });

  it('is who siginfo names where its code says that there is one, and nobody else', async () => {
    const child = start({ commands: [{ do: 'watch', signals: ['SIGUSR1'] }] });
    const queuer = spawn('python3', [fixture('signal-queue.py'), String(await child.pid()), String(SIGUSR1)]);
    const answers = createInterface({ input: queuer.stdout })[Symbol.asyncIterator]();
    const names = new Map([
      [-1, 'SI_QUEUE'],
      [-2, 'SI_TIMER'],
      [-4, 'SI_ASYNCIO'],
    ]);
    // Codes that the kernel lets a process give to another one.
    const code = fc
      .oneof(fc.integer({ min: -10, max: -1 }), fc.integer({ min: -(2 ** 31), max: -1 }))
      .filter((number) => number !== -6);
    // Beside its own, numbers that no process has: PIDs end at 2^22.
    const senderPid = fc.oneof(
      fc.constant(Number(queuer.pid)),
      fc.integer({ min: -(2 ** 31), max: 0 }),
      fc.integer({ min: 2 ** 23, max: 2 ** 31 - 1 }),
    );
    await fc.assert(
      fc.asyncProperty(
        code,
        senderPid,
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        async (number, pid, senderUid) => {
          child.events.splice(0);
          queuer.stdin.write(`${number} ${pid} ${senderUid}\n`);
          expect((await answers.next()).value).toBe('sent');
          const isTold = number === -1 || number === -3;
          expect(await child.event('delivery')).toMatchObject({
            code: names.get(number) ?? 'other',
            senderPid: isTold ? pid : 0,
            senderUid: isTold ? senderUid : 0,
            senderComm: isTold && pid === queuer.pid ? 'python3' : null,
          });
        },
      ),
      { numRuns: 200 },
    );
    queuer.stdin.end();
    await once(queuer, 'close');
  });

  it('is the kernel for Ctrl-C in a terminal', async () => {
    const child = start({
      wrapper: ['python3', fixture('signal-terminal.py')],
      commands: [{ do: 'watch', signals: ['SIGINT'] }],
    });
    expect(await child.event('delivery')).toMatchObject({
      signal: 'SIGINT',
      code: 'SI_KERNEL',
      senderPid: 0,
      senderUid: 0,
      senderComm: null,
    });
  });

  it.skipIf(!isRoot)('has its own user', async () => {
    const child = start({ uid: nobody, commands: [{ do: 'watch', signals: ['SIGUSR1'] }] });
    const pid = String(await child.pid());
    const one = await send('/bin/kill', ['-USR1', pid], { uid: nobody });
    expect(await child.event('delivery', { senderPid: one })).toMatchObject({ senderUid: nobody });
    const other = await send('/bin/kill', ['-USR1', pid]);
    expect(await child.event('delivery', { senderPid: other })).toMatchObject({ senderUid: 0 });
  });

  it.skipIf(!isRoot)('is 0 from outside the PID namespace, and itself from within', async () => {
    const child = start({
      wrapper: ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'],
      commands: [{ do: 'watch', signals: ['SIGTERM', 'SIGUSR1'] }],
    });
    expect(await child.pid()).toBe(1);
    await send('/bin/kill', ['-TERM', String(outerPid(child.process))]);
    expect(await child.event('delivery', { signal: 'SIGTERM' })).toMatchObject({
      code: 'SI_USER',
      senderPid: 0,
      senderUid: 0,
      senderComm: null,
    });
    child.command({ do: 'shell', script: 'kill -USR1 1; echo $$' });
    const { output } = await child.event('shell');
    expect(await child.event('delivery', { signal: 'SIGUSR1' })).toMatchObject({
      senderPid: Number(output),
      senderComm: 'sh',
    });
  });

  it.skipIf(!isRoot)('has no name where /proc is that of another PID namespace', async () => {
    const child = start({
      wrapper: ['unshare', '--pid', '--fork', '--kill-child'],
      commands: [{ do: 'watch', signals: ['SIGUSR1'] }],
    });
    await child.pid();
    child.command({ do: 'shell', script: 'kill -USR1 1; echo $$' });
    const { output } = await child.event('shell');
    expect(await child.event('delivery')).toMatchObject({ senderPid: Number(output), senderComm: null });
  });

  it('is named also when the event loop was blocked until long after the sender had ended', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-signal-'));
    const path = join(folder, 'go-on');
    const child = start({ commands: [{ do: 'watch', signals: ['SIGTERM'] }] });
    const pid = await child.pid();
    // A worker, whose loop goes on, tells when the signal has been taken in.
    child.command({ do: 'start', number: 1 });
    await child.event('started');
    child.command({ worker: 1, do: 'watch', signals: ['SIGTERM'] });
    await child.event('watching', { thread: 'worker' });
    child.command({ do: 'block', path });
    await child.event('blocked');
    const shell = spawn('/bin/sh', ['-c', `kill -TERM ${pid}; read line`]);
    await child.event('delivery', { thread: 'worker', senderPid: shell.pid });
    shell.stdin.end('\n');
    await once(shell, 'close');
    expect(child.events.filter(({ event, thread }) => event === 'delivery' && thread === 'main')).toEqual([]);
    const senders = [shell.pid, await send('/bin/kill', ['-TERM', String(pid)])];
    writeFileSync(path, '');
    const [first, second] = senders.map((senderPid) =>
      child.event('delivery', { thread: 'main', senderPid }),
    );
    expect(await first).toMatchObject({ senderComm: 'sh' });
    expect(['kill', null]).toContain((await second)?.senderComm);
    rmSync(folder, { recursive: true });
  });

  it('is a true one in bursts from several senders, and the last is not lost', async () => {
    const child = start({ commands: [{ do: 'watch', signals: ['SIGUSR1', 'SIGUSR2', 'SIGTERM'] }] });
    const pid = await child.pid();
    const senders = new Map<number, string>();
    const script = `i=0; while [ $i -lt 500 ]; do kill -USR1 ${pid}; kill -USR2 ${pid}; i=$((i+1)); done; read line`;
    const running: ChildProcess[] = [
      spawn('/bin/sh', ['-c', script]),
      spawn('/bin/sh', ['-c', script]),
      spawn('/bin/bash', ['-c', script]),
    ];
    for (const sender of running) senders.set(Number(sender.pid), sender.spawnfile.slice('/bin/'.length));
    const python = [fixture('signal-send.py'), 'kill', String(pid), String(SIGUSR1), '1000'];
    senders.set(await send('python3', python), 'python3');
    for (const sender of running) {
      sender.stdin?.end('\n');
      await once(sender, 'close');
    }
    const last = await send('/bin/kill', ['-USR2', String(pid)]);
    senders.set(last, 'kill');
    await child.event('delivery', { signal: 'SIGUSR2', senderPid: last });
    // The first and the last of SIGUSR1's senders are done as well.
    const closing = await send('/bin/kill', ['-TERM', String(pid)]);
    senders.set(closing, 'kill');
    await child.event('delivery', { signal: 'SIGTERM' });

    const deliveries = child.named('delivery');
    for (const delivery of deliveries) {
      expect(delivery.code).toBe('SI_USER');
      expect(delivery.senderUid).toBe(uid);
      expect([...senders.keys()]).toContain(delivery.senderPid);
      expect([senders.get(Number(delivery.senderPid)), null]).toContain(delivery.senderComm);
    }
    expect(deliveries.some((delivery) => delivery.senderComm !== null)).toBe(true);
    expect(deliveries.filter((delivery) => delivery.signal === 'SIGUSR1').length).toBeGreaterThan(0);
    expect(deliveries.length).toBeLessThanOrEqual(3 * 1000 + 1000 + 2);
  });

  it('is a true one also when the records have no room, and the last is not lost', async () => {
    const child = start({ commands: [{ do: 'watch', signals: ['SIGUSR1', 'SIGUSR2'] }] });
    const pid = await child.pid();
    const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-signal-'));
    const path = join(folder, 'go-on');
    child.command({ do: 'block', path });
    await child.event('blocked');
    await send('python3', [fixture('signal-shrink-pipe.py'), String(pid)]);
    const floods = [fixture('signal-send.py'), 'kill', String(pid), String(SIGUSR1), '3000', '0.0001'];
    const flood = await send('python3', floods);
    const taken = /^ShdPnd:\s*0+$/m;
    while (!taken.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) await send('/bin/true', []);
    const last = await send('/bin/kill', ['-USR1', String(pid)]);
    const other = await send('/bin/kill', ['-USR2', String(pid)]);
    writeFileSync(path, '');
    await child.event('delivery', { signal: 'SIGUSR1', senderPid: last });
    await child.event('delivery', { signal: 'SIGUSR2', senderPid: other });
    const deliveries = child.named('delivery');
    expect(new Set(deliveries.map((delivery) => delivery.senderPid))).toEqual(new Set([flood, last, other]));
    // As many as a page of the pipe holds, and some for those beyond.
    expect(deliveries.length).toBeGreaterThan(4096 / 32);
    expect(deliveries.length).toBeLessThan(4096 / 32 + 10);
    rmSync(folder, { recursive: true });
  });
});
