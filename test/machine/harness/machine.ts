import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Run as this user, with the environment of its user manager. */
  readonly user?: User;
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Milliseconds; after it the command is killed and the call rejects. */
  readonly timeout?: number;
}

export interface User {
  readonly name: string;
  readonly uid: number;
}

/** One record of the journal, field by field (journalctl -o json). */
export type JournalRecord = Readonly<Record<string, string>>;

const bootScript = fileURLToPath(new URL('./boot.sh', import.meta.url));
const checkout = fileURLToPath(new URL('../../..', import.meta.url));

/** Why a machine can't be booted here; null when it can. */
export function whyNoMachine(): string | null {
  if (process.platform !== 'linux') return `real systemd needs Linux, not ${process.platform}`;
  if (process.getuid?.() !== 0) return 'real systemd in namespaces needs root';
  for (const file of ['/lib/systemd/systemd', '/usr/bin/dbus-daemon']) {
    if (!existsSync(file)) return `real systemd needs ${file}, which is not installed`;
  }
  const namespaces = ['--pid', '--mount', '--uts', '--ipc', '--cgroup', '--net', '--fork'];
  const { status, stderr, error } = spawnSync('unshare', [...namespaces, 'true'], { encoding: 'utf8' });
  if (status !== 0) return `no namespaces can be made here: ${error?.message ?? stderr.trim()}`;
  return null;
}

/** A real systemd as PID 1 of namespaces of its own, on an overlay of this system. */
export class Machine {
  readonly #unshare: ChildProcess;
  readonly #directory: string;
  readonly #journal: string;
  readonly #output: string[] = [];
  #pid = 0;

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'sd-gateway-machine-'));
    this.#journal = mkdtempSync(join(tmpdir(), 'sd-gateway-journal-'));
    // Ends with the process of the tests, however that ends.
    this.#unshare = spawn(
      'setpriv',
      [
        '--pdeathsig=KILL',
        'unshare',
        '--kill-child',
        '--pid',
        '--mount',
        '--uts',
        '--ipc',
        '--net',
        '--fork',
        bootScript,
        this.#directory,
        checkout,
        process.execPath,
        this.#journal,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [this.#unshare.stdout, this.#unshare.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#output.push(text));
    }
  }

  /** Its systemd, outside of its namespaces. */
  get pid(): number {
    return this.#pid;
  }

  /** Resolves when the machine runs; rejects with what it printed. */
  static async boot(): Promise<Machine> {
    const machine = new Machine();
    try {
      await machine.#waitForBoot();
      return machine;
    } catch (error) {
      await machine.destroy();
      throw error;
    }
  }

  /** Runs a command in the machine, as root or as a user. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { user, input, timeout = 60_000, environment = {} } = options;
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const asUser =
      user === undefined
        ? ['env', '--chdir=/', ...variables]
        : [
            'runuser',
            '-u',
            user.name,
            '--',
            'env',
            '--chdir=/',
            `HOME=/home/${user.name}`,
            `XDG_RUNTIME_DIR=/run/user/${user.uid}`,
            `DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/${user.uid}/bus`,
            ...variables,
          ];
    return new Promise((resolve, reject) => {
      const child = execFile(
        'nsenter',
        ['--target', String(this.#pid), '--all', ...asUser, ...argv],
        {
          env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
          maxBuffer: 64 * 1024 * 1024,
          timeout,
        },
        (error, stdout, stderr) => {
          if (error?.killed)
            reject(new Error(`${argv.join(' ')} took longer than ${timeout} ms\n${stdout}${stderr}`));
          else
            resolve({
              status: typeof error?.code === 'number' ? error.code : error ? 255 : 0,
              stdout,
              stderr,
            });
        },
      );
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input ?? '');
    });
  }

  /** Runs a command that has to succeed; gives its standard output. */
  async check(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    const result = await this.run(argv, options);
    if (result.status !== 0) {
      throw new Error(`${argv.join(' ')} ended with ${result.status}\n${result.stdout}${result.stderr}`);
    }
    return result.stdout;
  }

  /** Makes a user with a lingering user manager. */
  async addUser(name: string, uid: number): Promise<User> {
    await this.check(['useradd', '--create-home', '--uid', String(uid), '--shell', '/bin/bash', name]);
    await this.check(['loginctl', 'enable-linger', name]);
    await this.check(['systemctl', 'start', `user@${uid}.service`]);
    return { name, uid };
  }

  async writeFile(path: string, text: string): Promise<void> {
    await this.check(['sh', '-c', 'mkdir -p "$(dirname "$1")" && cat > "$1"', 'sh', path], { input: text });
  }

  /** Records of the journal, oldest first. */
  async journal(...matches: readonly string[]): Promise<readonly JournalRecord[]> {
    await this.check(['journalctl', '--sync']);
    const text = await this.check(['journalctl', '--output=json', '--all', '--no-pager', ...matches]);
    return parseRecords(text);
  }

  /** The journal's records once the machine has ended. */
  journalAfterwards(...matches: readonly string[]): Promise<readonly JournalRecord[]> {
    return new Promise((resolve, reject) => {
      execFile(
        'journalctl',
        ['--directory', this.#journal, '--output=json', '--all', '--no-pager', ...matches],
        { maxBuffer: 64 * 1024 * 1024 },
        (error, stdout) => (error ? reject(error) : resolve(parseRecords(stdout))),
      );
    });
  }

  /** Shuts the machine down as a person would, and waits for its end. */
  async powerOff(): Promise<void> {
    const ended = this.#ended();
    await this.run(['systemctl', 'poweroff']);
    await ended;
  }

  async destroy(): Promise<void> {
    const ended = this.#ended();
    this.#unshare.kill('SIGKILL');
    await ended;
    this.#removeControlGroup();
    rmSync(this.#directory, { recursive: true, force: true });
    rmSync(this.#journal, { recursive: true, force: true });
  }

  /** Removes the control group of boot.sh, in a mount of its own because the system here may have no cgroup2. */
  #removeControlGroup(): void {
    const remove = `mount -t cgroup2 cgroup2 "$1" && cd "$1" && if [ -d "$2" ]; then
      until grep -qx "populated 0" "$2/cgroup.events"; do sleep 0.01; done
      find "$2" -depth -type d -exec rmdir {} +
    fi`;
    const script = ['sh', '-euc', remove, 'sh', this.#directory, basename(this.#directory)];
    const { status, stderr } = spawnSync('unshare', ['--mount', ...script], {
      encoding: 'utf8',
      timeout: 10_000,
    });
    if (status !== 0) throw new Error(`The machine's control group could not be removed: ${stderr}`);
  }

  #ended(): Promise<void> {
    if (this.#unshare.exitCode !== null || this.#unshare.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => this.#unshare.once('exit', () => resolve()));
  }

  async #waitForBoot(): Promise<void> {
    const deadline = performance.now() + 60_000;
    for (;;) {
      if (this.#unshare.exitCode !== null || this.#unshare.signalCode !== null) break;
      this.#pid = childOf(this.#unshare.pid ?? 0);
      // Until systemd has its private socket nobody can be asked to wait.
      if (this.#pid > 0 && (await this.run(['systemctl', 'is-system-running', '--wait'])).stdout !== '') {
        const state = (await this.run(['systemctl', 'is-system-running', '--wait'])).stdout.trim();
        if (state === 'running' || state === 'degraded') return;
      }
      if (performance.now() > deadline) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`The machine did not boot:\n${this.#output.join('')}`);
  }
}

/** The first child of a process; 0 when it has none. */
function childOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);
  } catch {
    return 0;
  }
}

function parseRecords(text: string): JournalRecord[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JournalRecord);
}
