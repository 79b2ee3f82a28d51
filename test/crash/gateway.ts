import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import type { Machine } from '../machine/harness/machine.js';
import { type MemoryLimit, memoryLimit } from '../machine/harness/memory-limit.js';
import { GatewayUnit } from '../machine/harness/unit.js';

export const port = 8733;
export const receiverPort = 9100;
const inside = '/usr/lib/sd-gateway/test/crash/inside';
/** Room for the store, in bytes; a full disk is a file that takes the rest. */
const storeSize = 2 * 1024 ** 3;
const watchdogSeconds = 2;

/** Offsets of the orders for the preloaded library (inside/faults.c, struct control). */
const clockOffset = 0;
const syncsOffset = 8;
const whenOffset = 12;
const failingOffset = 16;

const word = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

/** The gateway under test: a unit with the preloaded library, on a file system of its own. */
export class CrashGateway {
  readonly unit: GatewayUnit;
  /** The limit; null if memory can't be limited. */
  readonly memoryLimit: MemoryLimit | null;
  readonly #machine: Machine;

  private constructor(machine: Machine, unit: GatewayUnit) {
    this.#machine = machine;
    this.unit = unit;
    this.memoryLimit = memoryLimit(machine, unit);
  }

  /** @param program what is run, such as `/usr/local/bin/sd-gateway run` */
  static async install(machine: Machine, program: string): Promise<CrashGateway> {
    const setUp = `set -e
      mkdir -p /run/tester/locks /var/lib/crash
      mount -t tmpfs -o size=${storeSize},mode=0700 tmpfs /var/lib/crash
      cc -O2 -Wall -Werror -shared -fPIC -o /run/tester/faults.so ${inside}/faults.c -ldl
      cc -O2 -Wall -Werror -o /run/tester/power-cut ${inside}/power-cut.c
      head -c 4096 /dev/zero >/run/tester/control
      touch /run/tester/turns /run/tester/received /run/tester/attempts`;
    await machine.check(['sh', '-c', setUp]);
    const store = '/var/lib/crash/gateway.db';
    const unit = await GatewayUnit.install(machine, {
      name: 'crash',
      command: program,
      service: [
        'Restart=always',
        'RestartSec=10ms',
        `WatchdogSec=${watchdogSeconds}`,
        'TimeoutStartSec=10',
        'TimeoutAbortSec=5',
        'LimitCORE=0',
        'FileDescriptorStoreMax=512',
        `ExecStartPre=/run/tester/power-cut ${store} /run/tester/log /run/tester/power-cut-order`,
        'Environment=LD_PRELOAD=/run/tester/faults.so',
        `Environment=CRASH_STORE=${store} CRASH_LOG=/run/tester/log CRASH_CONTROL=/run/tester/control`,
      ],
      environment: { SD_GATEWAY_HTTP_LISTEN: `127.0.0.1:${port}` },
    });
    await machine.writeFile(
      unit.configurationFile,
      `[agent]
type = "command"
command = ["${inside}/agent.sh"]
kill_delay = "1s"
[dispatch]
concurrency = 16
max_attempts = 1000
retry_delay = "50ms"
session_queue = 100
[delivery]
allow = ["127.0.0.0/8"]
timeout = "1s"
max_attempts = 1000
retry_delay = "50ms"
retry_delay_limit = "500ms"
expire = "0"
[stop]
drain = "2s"
[log]
level = "info"
`,
    );
    return new CrashGateway(machine, unit);
  }

  /** A file of the machine, as it is seen from outside: no process is needed to read or write it. */
  path(file: string): string {
    return `/proc/${this.#machine.pid}/root${file}`;
  }

  read(file: string): string {
    return readFileSync(this.path(file), 'utf8');
  }

  /** The gateway's process as it is seen from outside; null while there is none. */
  processId(): number | null {
    for (const pid of this.#processIds()) {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
        // A child that it has just made looks like it until it runs its own program.
        if (parent === this.#machine.pid && words.includes('run')) return Number(pid);
      } catch (error) {
        // It has ended meanwhile.
        if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    }
    return null;
  }

  /**
   * Lists the processes that still run in the unit, a line each: for the report of a gateway that does not come back.
   */
  processes(): readonly string[] {
    const events = `${this.unit.controlGroup}/cgroup.events`;
    return [
      existsSync(events) ? readFileSync(events, 'utf8').trim().replaceAll('\n', ', ') : 'no control group',
      ...this.#processIds().map((pid) => {
        try {
          const status = readFileSync(`/proc/${pid}/status`, 'utf8');
          const stack = readFileSync(`/proc/${pid}/stack`, 'utf8').replaceAll('\n', ' ');
          return `${(status.match(/^(?:Name|State|PPid|NSpid|SigPnd|ShdPnd):.*$/gm) ?? []).join(' ')} ${stack}`;
        } catch (error) {
          return `${pid}: ${String(error)}`;
        }
      }),
    ];
  }

  /** Signals the gateway, if it is there; from outside of the machine, so that nobody in it is the sender. */
  signal(name: NodeJS.Signals): void {
    const pid = this.processId();
    if (pid === null) return;
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Moves the gateway's wall clock. */
  setClock(seconds: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    this.#control(clockOffset, bytes);
  }

  /** Has these calls on the store fail with EIO from now on: 1 reads, 2 writes, 4 syncs, or a sum of them; 0 none. */
  failStore(calls: number): void {
    this.#control(failingOffset, word(calls));
  }

  /** Has the gateway killed at its sync of this number from now on, before or after it. */
  killAtSync(count: number, when: 'before' | 'after'): void {
    this.#control(whenOffset, word(when === 'before' ? 1 : 2));
    this.#control(syncsOffset, word(count));
  }

  /** The next start finds the store without what was not synced; with a seed, some of that may be there. */
  orderPowerCut(seed: number): void {
    writeFileSync(this.path('/run/tester/power-cut-order'), `${seed}\n`);
  }

  async fillDisk(): Promise<void> {
    const script = 'fallocate -l "$(df --output=avail -B1 /var/lib/crash | tail -1)" /var/lib/crash/ballast';
    await this.#machine.run(['sh', '-c', script]);
  }

  freeDisk(): void {
    rmSync(this.path('/var/lib/crash/ballast'), { force: true });
  }

  /** Takes all memory from this process of it but what it has. */
  takeMemory(pid: number): void {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024;
    execFileSync('prlimit', ['--pid', String(pid), `--as=${bytes('VmSize')}`, `--data=${bytes('VmData')}`]);
  }

  /** All processes of the unit. */
  #processIds(): readonly string[] {
    try {
      const pids = readFileSync(`${this.unit.controlGroup}/cgroup.procs`, 'utf8');
      return pids.split('\n').filter((pid) => pid !== '');
    } catch (error) {
      // The group goes with its last process: the one, or the other, while it is read.
      if (!['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return [];
    }
  }

  #control(offset: number, bytes: Buffer): void {
    const descriptor = openSync(this.path('/run/tester/control'), 'r+');
    try {
      writeSync(descriptor, bytes, 0, bytes.length, offset);
    } finally {
      closeSync(descriptor);
    }
  }
}
