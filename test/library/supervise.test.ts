import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatagramReceiver } from '../support/datagram-receiver.js';

const program = fileURLToPath(new URL('./service.mjs', import.meta.url));

let folder: string;
let receiver: DatagramReceiver;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-library-'));
  receiver = await DatagramReceiver.open(join(folder, 'socket'));
});

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await receiver.close();
  rmSync(folder, { recursive: true });
});

class Started {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  port = 0;

  /** As a unit has it: this process is the parent, so its signals are the supervisor's. */
  constructor(mode: string, environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [program, mode], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        NOTIFY_SOCKET: join(folder, 'socket'),
        INVOCATION_ID: '0123456789abcdef0123456789abcdef',
        ...environment,
      },
    });
    children.push(this.child);
    if (this.child.stdout === null) throw new Error('stdout is a pipe');
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async said(): Promise<unknown> {
    return JSON.parse((await this.#lines.next()).value);
  }

  /** The next message that isn't about time or the watchdog. */
  async told(): Promise<string> {
    for (;;) {
      const { text } = await receiver.next();
      if (!/^(EXTEND_TIMEOUT_USEC=\d+|WATCHDOG=1)$/.test(text)) return text;
    }
  }

  async ready(): Promise<this> {
    const match = /^READY=1\nSTATUS=on (\d+)$/.exec(await this.told());
    this.port = Number(match?.[1]);
    expect(this.port).toBeGreaterThan(0);
    return this;
  }

  /** Reads its standard error up to this text. */
  complained(text: string): Promise<string> {
    return new Promise((resolve) => {
      let all = '';
      this.child.stderr?.on('data', (data) => {
        all += String(data);
        if (all.includes(text)) resolve(all);
      });
    });
  }

  async ended(): Promise<unknown> {
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }
}

describe('a supervised service', () => {
  it('stops as its supervisor asks: STOPPING, the handler with cause and sender, a barrier, exit 0', async () => {
    const service = await new Started('plain').ready();
    service.child.kill('SIGTERM');
    expect(await service.said()).toEqual({
      cause: 'planned-stop',
      sender: expect.any(String),
      aborted: false,
    });
    expect(await service.said()).toEqual({ inTime: true });
    expect(await service.told()).toMatch(/^STOPPING=1/);
    expect(await service.told()).toMatch(/^STATUS=Stopping: planned stop by /);
    expect(await service.told()).toBe('BARRIER=1');
    await receiver.closeDescriptors();
    expect(await service.ended()).toBe(0);
  });

  it('tells a stray kill from a stop, and exits with 1', async () => {
    const service = await new Started('plain').ready();
    spawn('sh', ['-c', `kill ${service.child.pid}; sleep 2`]);
    expect(await service.said()).toMatchObject({ cause: 'foreign-kill', sender: 'sh' });
    while ((await service.told()) !== 'BARRIER=1');
    await receiver.closeDescriptors();
    expect(await service.ended()).toBe(1);
  });

  it('answers a request under way at the stop, and closes keep-alive connections', async () => {
    const service = await new Started('plain').ready();
    const agent = new Agent({ keepAlive: true });
    const idle = get({ port: service.port, agent, path: '/' });
    const [first] = await once(idle, 'response');
    first.resume();
    await once(first, 'end');
    const slow = get({ port: service.port, path: '/slow', agent: new Agent({ keepAlive: true }) });
    await once(slow, 'finish');
    // It was accepted before the idle connection's next answer.
    const again = get({ port: service.port, agent, path: '/' });
    const [second] = await once(again, 'response');
    second.resume();
    service.child.kill('SIGTERM');
    const [response] = await once(slow, 'response');
    expect(String((await response.toArray()).join(''))).toBe('late');
    while ((await service.told()) !== 'BARRIER=1');
    await receiver.closeDescriptors();
    expect(await service.ended()).toBe(0);
    agent.destroy();
  });

  it('reloads between RELOADING and READY', async () => {
    const service = await new Started('plain').ready();
    service.child.kill('SIGHUP');
    expect(await service.told()).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+/);
    expect(await service.told()).toMatch(/^READY=1/);
  });

  it('keeps the old state if a reload fails, and says why', async () => {
    const service = await new Started('refuse').ready();
    const complaints = service.complained('Stopping: ');
    service.child.kill('SIGHUP');
    expect(await service.told()).toMatch(/^RELOADING=1/);
    expect(await service.told()).toMatch(/^READY=1/);
    service.child.kill('SIGTERM');
    const said = await complaints;
    expect(said).toContain('The reload failed, and the old state stays: no such file');
    expect(said).not.toContain('The reload is done');
  });

  it('goes on after its standard error is gone', async () => {
    const service = await new Started('plain').ready();
    service.child.stderr?.destroy();
    for (let reload = 0; reload < 3; reload++) {
      service.child.kill('SIGHUP');
      expect(await service.told()).toMatch(/^RELOADING=1/);
      expect(await service.told()).toMatch(/^READY=1/);
    }
    service.child.kill('SIGTERM');
    while ((await service.told()) !== 'BARRIER=1');
    await receiver.closeDescriptors();
    expect(await service.ended()).toBe(0);
  });

  it('feeds the watchdog while the check gets on', async () => {
    new Started('plain', { WATCHDOG_USEC: '300000' });
    let pings = 0;
    while (pings < 4) if ((await receiver.next()).text === 'WATCHDOG=1') pings += 1;
  });

  it('feeds it no more once the check fails', async () => {
    const service = new Started('stuck', { WATCHDOG_USEC: '300000' });
    const said = await service.complained('No progress');
    expect(said).toContain('No progress in: check. The watchdog is not fed any more.');
  });

  it('ends a stop that hangs at its deadline, with 1', async () => {
    const service = await new Started('hang').ready();
    service.child.kill('SIGTERM');
    expect(await service.ended()).toBe(1);
  });

  it('ends with 1 if the stop handler fails', async () => {
    const service = await new Started('reject').ready();
    service.child.kill('SIGTERM');
    expect(await service.ended()).toBe(1);
  });
});

describe('outside of systemd', () => {
  it('the same program runs, and Ctrl-C ends it with 0', async () => {
    // A terminal's SIGINT is the kernel's: script(1) has a terminal.
    const terminal = spawn('python3', ['-c', ctrlC, process.execPath, program], {
      env: { PATH: process.env['PATH'] },
    });
    const [text] = await once(terminal.stdout, 'data');
    expect(String(text).trim()).toBe('0');
  });
});

describe('in a container', () => {
  it.skipIf(process.getuid?.() !== 0)(
    'as PID 1 the service is stopped by the runtime outside, with 0',
    async () => {
      const words = ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, program, 'plain'];
      const container = spawn('unshare', words, { env: { PATH: process.env['PATH'] } });
      children.push(container);
      const lines = createInterface({ input: container.stderr })[Symbol.asyncIterator]();
      for (let line = ''; !line.startsWith('Ready'); ) line = (await lines.next()).value;
      const inside = readFileSync(`/proc/${container.pid}/task/${container.pid}/children`, 'utf8');
      process.kill(Number(inside.trim()), 'SIGTERM');
      const [status] = await once(container, 'exit');
      expect(status).toBe(0);
      expect((await lines.next()).value).toMatch(/^Stopping: planned stop/);
    },
  );
});

/** Runs a program in a terminal of its own, types Ctrl-C once it is ready, prints its exit status. */
const ctrlC = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], sys.argv[2], 'plain'])
seen = b''
while b'Ready' not in seen:
    seen += os.read(terminal, 4096)
os.write(terminal, b'\\x03')
try:
    while os.read(terminal, 4096): pass
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
