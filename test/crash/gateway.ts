import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { CommandResult, Machine } from '../machine/harness/machine.js';
import { type MemoryLimit, memoryLimit } from '../machine/harness/memory-limit.js';
import { GatewayUnit, type HttpAnswer } from '../machine/harness/unit.js';
import { Worker } from './worker.js';

export const port = 8733;
export const receiverPort = 9100;
export const agentPort = 9200;
const inside = '/usr/lib/sd-gateway/test/crash/inside';
/** As of the shipped unit: one that is not root, whose questions to the manager go by the bus. */
const user = 'daemon';
const directory = '/var/lib/crash';
const store = `${directory}/gateway.db`;
export const agent = '/run/tester/agent.sh';
const acpAgent = `${inside}/acp-agent.sh`;
const logOrder = '/run/tester/log-order';
const keptFiles = '/run/tester/kept';
/** Room for the store, in bytes; a full disk is a file that takes the rest. */
const storeSize = 2 * 1024 ** 3;
/** A machine that does much else at the same time must not look like one that hangs. */
const watchdogSeconds = 4;

/** Offsets of the orders for the preloaded library (inside/faults.c, struct control). */
const clockOffset = 0;
const syncsOffset = 8;
const whenOffset = 12;
const failingOffset = 16;

/**
 * Damage of the write-ahead log: it is moved away, a bit of a frame's checksum or any bit of it is flipped, or its end is cut
 * off. The seed determines where.
 */
export interface LogDamage {
  readonly kind: 'moved' | 'checksum' | 'bit' | 'cut';
  readonly seed: number;
}

const word = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

/** The gateway under test: a unit with the preloaded library, on a file system of its own. */
interface ListedSession {
  readonly session: string;
  readonly last_seq: number;
  readonly waiting: number;
  readonly running: boolean;
}

export class CrashGateway {
  readonly unit: GatewayUnit;
  /** The limit; null if memory can't be limited. */
  readonly memoryLimit: MemoryLimit | null;
  readonly #machine: Machine;
  /** The last process that was killed, which may take a while to end. */
  #killed: number | null = null;

  private constructor(machine: Machine, unit: GatewayUnit) {
    this.#machine = machine;
    this.unit = unit;
    this.memoryLimit = memoryLimit(machine, unit);
  }

  /**
   * @param program what is run, such as `/usr/local/bin/sd-gateway run`
   * @param seed of the agents' faults
   */
  static async install(machine: Machine, program: string, seed: number): Promise<CrashGateway> {
    const setUp = `set -e
      mkdir -p /run/tester/locks /run/tester/starts ${directory}
      mount -t tmpfs -o size=${storeSize},mode=0700 tmpfs ${directory}
      cc -O2 -Wall -Werror -shared -fPIC -o /run/tester/faults.so ${inside}/faults.c -ldl
      cc -O2 -Wall -Werror -o /run/tester/power-cut ${inside}/power-cut.c
      head -c 4096 /dev/zero >/run/tester/control
      cp ${inside}/agent.sh ${agent}
      echo ${seed} >/run/tester/seed
      touch /run/tester/log /run/tester/turns /run/tester/received /run/tester/attempts
      chown -R ${user} /run/tester`;
    await machine.check(['sh', '-c', setUp]);
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
        'LimitNOFILE=1024',
        'FileDescriptorStoreMax=512',
        `User=${user}`,
        `ExecStartPre=+/run/tester/power-cut ${store} /run/tester/log /run/tester/power-cut-order`,
        `ExecStartPre=+/bin/sh -c "test ! -e ${logOrder} || exec node ${inside}/damage-log.mjs ${store} ${logOrder} ${keptFiles}"`,
        'Environment=LD_PRELOAD=/run/tester/faults.so',
        `Environment=CRASH_STORE=${store} CRASH_LOG=/run/tester/log CRASH_CONTROL=/run/tester/control`,
      ],
      environment: { SD_GATEWAY_HTTP_LISTEN: `127.0.0.1:${port}` },
    });
    await machine.writeFile(
      unit.configurationFile,
      `[agent]
type = "command"
command = ["${agent}"]
kill_delay = "1s"
concurrency = 16
[agents.acp]
type = "acp"
command = ["${acpAgent}"]
timeout = "3s"
kill_delay = "500ms"
allow = ["read"]
ask = ["execute"]
processes_limit = 3
[agents.openai]
type = "openai"
base_url = "http://127.0.0.1:${agentPort}/v1"
model = "m"
timeout = "3s"
[agents.http]
type = "http"
url = "http://127.0.0.1:${agentPort}/turns"
timeout = "3s"
[[route]]
prefix = "acp-"
agent = "acp"
[[route]]
prefix = "openai-"
agent = "openai"
[[route]]
prefix = "http-"
agent = "http"
[dispatch]
concurrency = 28
question_timeout = "1s"
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

  /** Adds to the configuration, before the start. */
  async addTables(tables: string): Promise<void> {
    const { configurationFile } = this.unit;
    await this.#machine.writeFile(configurationFile, `${this.read(configurationFile)}${tables}`);
  }

  /** A file of the machine, as it is seen from outside: no process is needed to read or write it. */
  path(file: string): string {
    return `/proc/${this.#machine.pid}/root${file}`;
  }

  read(file: string): string {
    return readFileSync(this.path(file), 'utf8');
  }

  /** The gateway's process as it is seen from outside; null while there is none but one that was killed. */
  processId(): number | null {
    for (const pid of this.#processIds()) {
      if (Number(pid) === this.#killed) continue;
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

  /** The most memory that the process has had, in bytes; null if it has ended. */
  mostMemoryOf(pid: number): number | null {
    try {
      const size = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
      // One that is ending has no memory any more.
      return size === null ? null : Number(size[1]) * 1_024;
    } catch (error) {
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return null;
    }
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
      if (name === 'SIGKILL') this.#killed = pid;
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
    const script = `fallocate -l "$(df --output=avail -B1 ${directory} | tail -1)" ${directory}/ballast`;
    await this.#machine.run(['sh', '-c', script]);
  }

  freeDisk(): void {
    rmSync(this.path(`${directory}/ballast`), { force: true });
  }

  /** Starts a program of `inside` in the machine. */
  startWorker(program: string, ...words: readonly string[]): Worker {
    return new Worker(this.#machine, program, ...words);
  }

  get readerArguments(): readonly string[] {
    return [store, user];
  }

  get holderArguments(): readonly string[] {
    return [String(port), `${this.unit.stateDirectory}/token`, 'client-0'];
  }

  get receiverUrl(): string {
    return `http://127.0.0.1:${receiverPort}/`;
  }

  /** Asks the gateway as a client with the token does. Status 0: there was no answer. */
  async ask(
    method: string,
    path: string,
    content?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer> {
    const sent = {
      Authorization: `Bearer ${this.read(`${this.unit.stateDirectory}/token`).trim()}`,
      ...(content !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    };
    const { stdout, stderr } = await this.#machine.run([
      ...[
        'curl',
        '--silent',
        '--show-error',
        // On a busy machine hundreds of connections may wait to be taken before it.
        '--max-time',
        '30',
        '--request',
        method,
        '--write-out',
        '\n%{http_code}',
      ],
      ...Object.entries(sent).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
      ...(content === undefined ? [] : ['--data', JSON.stringify(content)]),
      `http://127.0.0.1:${port}${path}`,
    ]);
    const end = stdout.lastIndexOf('\n');
    const text = stdout.slice(0, end);
    const body = /^\{/.test(text) ? (JSON.parse(text) as HttpAnswer['body']) : { detail: stderr };
    return { status: Number(stdout.slice(end + 1)), body };
  }

  /** Resolves once each of its channels is up: an address of a platform counts from then on. */
  async channelsUp(): Promise<void> {
    for (let left = 100; ; left -= 1) {
      const { facts = {} } = (await this.ask('GET', '/readyz')).body as {
        readonly facts?: { readonly channels?: readonly { readonly name: string; readonly state: string }[] };
      };
      const down = (facts.channels ?? []).filter(({ state }) => state !== 'up').map(({ name }) => name);
      if (facts.channels !== undefined && down.length === 0) return;
      if (left === 0) throw new Error(`Channels don't come up: ${down.join(', ')}`);
      await pause(100);
    }
  }

  /** The number of messages of each session whose turns have ended; null: it does not answer. */
  async endedMessages(): Promise<ReadonlyMap<string, number> | null> {
    const { status, body } = await this.ask('GET', '/v1/sessions?limit=1000');
    if (status !== 200) return null;
    const { items } = body as { readonly items: readonly ListedSession[] };
    return new Map(
      items.map(({ session, last_seq: last, waiting, running }) => [
        session,
        last - waiting - Number(running),
      ]),
    );
  }

  /** Resolves once each of the sessions has a message. */
  async sessionsBegun(sessions: readonly string[]): Promise<void> {
    for (let left = 300; ; left -= 1) {
      const begun = await this.endedMessages();
      const missing = sessions.filter((session) => begun?.has(session) !== true);
      if (missing.length === 0) return;
      if (left === 0) throw new Error(`No message has come to ${missing.join(', ')}`);
      await pause(100);
    }
  }

  moveAgentAway(): void {
    renameSync(this.path(agent), this.path(`${agent}.away`));
  }

  putAgentBack(): void {
    renameSync(this.path(`${agent}.away`), this.path(agent));
  }

  /** Stops the process of the system bus, or has it go on. */
  async signalBus(signal: 'STOP' | 'CONT'): Promise<void> {
    const show = ['systemctl', 'show', '--property=MainPID', '--value', 'dbus.service'];
    await this.#machine.check(['kill', `-${signal}`, (await this.#machine.check(show)).trim()]);
  }

  /** Has the log damaged before the next start; its files are kept as they were. */
  orderLogDamage(damage: LogDamage): void {
    writeFileSync(this.path(logOrder), JSON.stringify(damage));
  }

  async putLogBack(): Promise<void> {
    await this.#putBack(`${store}-wal`);
  }

  /** Puts all files of the store back, as they were before the damage. */
  async putStoreBack(): Promise<void> {
    await this.#machine.check(['sh', '-c', `rm -f ${store} ${store}-wal ${store}-shm ${store}-seal`]);
    await this.#putBack(store, `${store}-wal`, `${store}-seal`);
  }

  async #putBack(...paths: readonly string[]): Promise<void> {
    const script = `for path; do
      cp "${keptFiles}/$(basename "$path")" "$path" && chown --reference=${directory} "$path" || exit
    done`;
    await this.#machine.check(['sh', '-c', script, 'sh', ...paths]);
  }

  /** `sd-gateway store recover --json`, as root. The damaged files that it keeps are removed. */
  async recoverStore(): Promise<CommandResult> {
    const { runtimeDirectory, stateDirectory } = this.unit;
    const result = await this.#machine.run(['/usr/local/bin/sd-gateway', 'store', 'recover', '--json'], {
      environment: { RUNTIME_DIRECTORY: runtimeDirectory, STATE_DIRECTORY: stateDirectory },
    });
    await this.#machine.check(['sh', '-c', `rm -f ${store}.damaged-*`]);
    return result;
  }

  /** Takes all memory from this process of it but what it has. */
  takeMemory(pid: number): void {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024;
    const id = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    // As its user: for another one root needs CAP_SYS_RESOURCE, which it may lack in a container.
    execFileSync('prlimit', ['--pid', String(pid), `--as=${bytes('VmSize')}`, `--data=${bytes('VmData')}`], {
      uid: id('Uid'),
      gid: id('Gid'),
    });
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
