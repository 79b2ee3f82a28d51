import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** True: this process may make one. */
export function mayMakeNamespaces(): boolean {
  return process.getuid?.() === 0 && spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;
}

/** Mounts and a network for the servers of a test. Its ports are nobody else's. It ends with the process of the test. */
export class Namespace {
  readonly #holder: ChildProcess;
  readonly #sockets = mkdtempSync(join(tmpdir(), 'sd-gateway-net-'));
  readonly #bridges = new Map<number, ChildProcess>();
  readonly #leads: Server[] = [];

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async open(): Promise<Namespace> {
    const script = 'ip link set lo up && echo ready && exec sleep infinity';
    const holder = spawn('setpriv', ['--pdeathsig=KILL', 'unshare', '--net', '--mount', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await Promise.race([
      once(holder.stdout, 'data'),
      once(holder, 'exit').then(() => Promise.reject(new Error('no namespace could be made'))),
    ]);
    return new Namespace(holder);
  }

  /** A file in it, as it is seen from outside. */
  path(file: string): string {
    return `/proc/${this.#holder.pid}/root${file}`;
  }

  /** Runs a command in it to its end. */
  run(command: readonly string[]): void {
    execFileSync('nsenter', this.#entering(command), { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** Starts a server in it. */
  spawn(command: readonly string[], stdio: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
    return spawn('setpriv', ['--pdeathsig=KILL', 'nsenter', ...this.#entering(command)], { stdio });
  }

  /** Starts a program that sees the mounts, in the network outside. */
  spawnAmongMounts(command: readonly string[], environment: NodeJS.ProcessEnv): ChildProcess {
    const entering = ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`, ...command];
    return spawn('setpriv', ['--pdeathsig=KILL', ...entering], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Puts a file system of this size on a directory. */
  mount(directory: string, mebibytes: number): void {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    this.run(['mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0755`, 'tmpfs', directory]);
  }

  /** Takes the rest of a file system. */
  fill(directory: string): void {
    const script = 'fallocate -l "$(df --output=avail -B1 "$1" | tail -1)" "$1/ballast"';
    this.run(['sh', '-c', script, 'sh', directory]);
  }

  free(directory: string): void {
    rmSync(this.path(join(directory, 'ballast')), { force: true });
  }

  /** True: somebody listens at this port of its loopback. */
  listens(port: number): boolean {
    const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const table = readFileSync(`/proc/${this.#holder.pid}/net/tcp`, 'utf8');
    return table.split('\n').some((line) => line.includes(`: ${address} `) && line.includes(' 0A '));
  }

  async listening(port: number): Promise<void> {
    while (!this.listens(port)) await delay(10);
  }

  /** A connection to a port of its loopback; it breaks at once if nobody listens there. */
  connect(port: number): Socket {
    if (!this.#bridges.has(port)) throw new Error(`Call bridge(${port}) before.`);
    return connect(join(this.#sockets, String(port)));
  }

  /** To be awaited before the first connection to a port. */
  async bridge(port: number): Promise<void> {
    const path = join(this.#sockets, String(port));
    const relay = ['/usr/lib/systemd/systemd-socket-proxyd', `127.0.0.1:${port}`];
    const listen = ['systemd-socket-activate', `--listen=${path}`, 'nsenter', ...this.#entering(relay)];
    const bridge = spawn('setpriv', ['--pdeathsig=KILL', ...listen], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#bridges.set(port, bridge);
    // It says so, before it waits for the first connection.
    await once(bridge.stderr, 'data');
    bridge.stderr.resume();
  }

  /** A port of the loopback outside that leads to one in it. */
  async portTo(port: number): Promise<number> {
    await this.bridge(port);
    const server = createServer((socket) => {
      const inside = this.connect(port);
      for (const [one, other] of [
        [socket, inside],
        [inside, socket],
      ] as const) {
        one.on('error', () => other.destroy());
        one.pipe(other);
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#leads.push(server);
    return (server.address() as AddressInfo).port;
  }

  close(): void {
    for (const lead of this.#leads) lead.close();
    for (const bridge of this.#bridges.values()) bridge.kill('SIGKILL');
    this.#holder.kill('SIGKILL');
    rmSync(this.#sockets, { recursive: true, force: true });
  }

  #entering(command: readonly string[]): readonly string[] {
    return [`--net=/proc/${this.#holder.pid}/ns/net`, `--mount=/proc/${this.#holder.pid}/ns/mnt`, ...command];
  }
}
