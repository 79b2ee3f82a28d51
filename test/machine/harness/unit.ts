import { readFileSync } from 'node:fs';
import type { JournalRecord, Machine, User } from './machine.js';

/** Properties that a person reads after a stop. */
export interface UnitResult {
  readonly ActiveState: string;
  readonly SubState: string;
  readonly Result: string;
  readonly ExecMainStatus: string;
  readonly NRestarts: string;
}

export interface UnitOptions {
  readonly name: string;
  /** Undefined: the system manager. */
  readonly user?: User;
  /** Lines of [Service] besides the type and the command. */
  readonly service?: readonly string[];
  readonly unit?: readonly string[];
  /** The command that runs instead of the gateway alone. */
  readonly command?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** An answer of the gateway's HTTP interface. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Settings that hide files which tests share with the gateway through /tmp and home directories. */
const notForTests = /^(User|PrivateTmp|ProtectHome)=/;

/**
 * With SD_GATEWAY_TEST_SANDBOX=yes (npm run test:sandbox) each unit under test has the shipped unit's sandbox, and a
 * system call that its filter refuses kills, so that it can't be missed.
 */
async function sandbox(machine: Machine, isUser: boolean): Promise<readonly string[]> {
  if (process.env['SD_GATEWAY_TEST_SANDBOX'] !== 'yes') return [];
  const shipped = await machine.check([
    'cat',
    `/usr/lib/sd-gateway/systemd/${isUser ? 'user/' : ''}sd-gateway.service`,
  ]);
  const lines = shipped.split('\n');
  const directives = lines.slice(
    lines.findIndex((line) => /^(User|PrivateUsers)=/.test(line)),
    lines.indexOf('[Install]'),
  );
  return [
    // One that each machine has: root has rights that the filter takes from it.
    ...(isUser ? [] : ['User=daemon']),
    ...directives.filter((line) => /^[A-Z]/.test(line) && !notForTests.test(line)),
    'SystemCallErrorNumber=kill',
  ];
}

/** One gateway as a unit of the machine, with a Unix socket of its own to listen on. */
export class GatewayUnit {
  readonly name: string;
  readonly #machine: Machine;
  readonly #options: UnitOptions;

  private constructor(machine: Machine, options: UnitOptions) {
    this.#machine = machine;
    this.#options = options;
    this.name = options.name;
  }

  /**
   * Writes the unit's file. The manager reads it when it is started for the first time; a daemon-reload would disturb
   * the restarts and the timeouts of other units that are under test at the same time.
   */
  static async install(machine: Machine, options: UnitOptions): Promise<GatewayUnit> {
    const unit = new GatewayUnit(machine, options);
    const { user, service = [], environment = {}, command = '/usr/local/bin/sd-gateway run' } = options;
    const variables = { SD_GATEWAY_HTTP_LISTEN: `unix:${unit.socket}`, ...environment };
    const text = [
      '[Unit]',
      `Description=Gateway under test, ${options.name}`,
      'StartLimitIntervalSec=0',
      ...(options.unit ?? []),
      '[Service]',
      'Type=notify',
      'NotifyAccess=main',
      `ExecStart=${command}`,
      'ExecReload=-/bin/kill -HUP $MAINPID',
      'SuccessExitStatus=75',
      'RestartForceExitStatus=75',
      'RestartPreventExitStatus=78',
      'KillMode=mixed',
      'RestartSec=100ms',
      `StateDirectory=${options.name}`,
      `RuntimeDirectory=${options.name}`,
      `ConfigurationDirectory=${options.name}`,
      ...Object.entries(variables).map(
        ([name, value]) => `Environment="${name}=${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
      ),
      ...(await sandbox(machine, user !== undefined)),
      ...service,
      '',
    ].join('\n');
    const folder = user === undefined ? '/etc/systemd/system' : '/etc/systemd/user';
    await machine.writeFile(`${folder}/${options.name}.service`, text);
    return unit;
  }

  get runtimeDirectory(): string {
    const { user } = this.#options;
    return user === undefined ? `/run/${this.name}` : `/run/user/${user.uid}/${this.name}`;
  }

  get stateDirectory(): string {
    const { user } = this.#options;
    return user === undefined ? `/var/lib/${this.name}` : `/home/${user.name}/.config/${this.name}`;
  }

  get configurationFile(): string {
    const { user } = this.#options;
    const folder = user === undefined ? `/etc/${this.name}` : `/home/${user.name}/.config/${this.name}`;
    return `${folder}/sd-gateway.toml`;
  }

  get socket(): string {
    return `${this.runtimeDirectory}/http.sock`;
  }

  /** `systemctl VERB…` in the unit's manager; gives the exit status. */
  async systemctl(...words: readonly string[]): Promise<number> {
    return (await this.#machine.run(this.#systemctlWords(words), this.#as)).status;
  }

  /** `systemctl VERB UNIT`, which has to succeed. */
  async succeed(verb: string, ...words: readonly string[]): Promise<void> {
    await this.#machine.check(this.#systemctlWords([verb, ...words, `${this.name}.service`]), this.#as);
  }

  /** `systemctl VERB UNIT`; gives the exit status. */
  attempt(verb: string, ...words: readonly string[]): Promise<number> {
    return this.systemctl(verb, ...words, `${this.name}.service`);
  }

  async show(...properties: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const words = this.#systemctlWords([
      'show',
      `--property=${properties.join(',')}`,
      `${this.name}.service`,
    ]);
    const text = await this.#machine.check(words, this.#as);
    return Object.fromEntries(
      text
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  async result(): Promise<UnitResult> {
    const shown = await this.show('ActiveState', 'SubState', 'Result', 'ExecMainStatus', 'NRestarts');
    return shown as unknown as UnitResult;
  }

  async mainPid(): Promise<number> {
    return Number((await this.show('MainPID'))['MainPID']);
  }

  /** Its control group under the system manager, as it is seen from outside of the machine. */
  get controlGroup(): string {
    return `/proc/${this.#machine.pid}/root/sys/fs/cgroup/system.slice/${this.name}.service`;
  }

  /** The main process by its number outside of the machine. */
  async outsidePid(): Promise<number> {
    const inside = String(await this.mainPid());
    for (const pid of readFileSync(`${this.controlGroup}/cgroup.procs`, 'utf8').trim().split('\n')) {
      const numbers = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
      if (numbers.split('\t').at(-1) === inside) return Number(pid);
    }
    throw new Error(`${this.name} has no process ${inside} any more.`);
  }

  /**
   * Waits until a property of the unit has a value, by the manager's own signals (busctl monitor is not for waiting),
   * asked for in short turns; rejects after `timeout` ms with what it was last.
   */
  async waitFor(
    wanted: Partial<Record<string, string | ((value: string) => boolean)>>,
    timeout = 30_000,
  ): Promise<void> {
    const deadline = performance.now() + timeout;
    for (;;) {
      const shown = await this.show(...Object.keys(wanted));
      const met = Object.entries(wanted).every(([name, test]) => {
        const value = shown[name] ?? '';
        return typeof test === 'function' ? test(value) : value === test;
      });
      if (met) return;
      if (performance.now() > deadline) {
        const said = (await this.messages()).join('\n');
        throw new Error(`${this.name} did not get there in ${timeout} ms: ${JSON.stringify(shown)}\n${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  /** Waits for a record with these fields among those that match; rejects after `timeout` ms. */
  async waitForRecord(fields: JournalRecord, ...matches: readonly string[]): Promise<void> {
    const timeout = 30_000;
    const deadline = performance.now() + timeout;
    const wanted = Object.entries(fields);
    for (;;) {
      const records = await this.journal(...matches);
      if (records.some((record) => wanted.every(([name, value]) => record[name] === value))) return;
      if (performance.now() > deadline) {
        throw new Error(`${this.name} did not write ${JSON.stringify(fields)} in ${timeout} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async waitForStatus(part: string, timeout?: number): Promise<void> {
    await this.waitFor({ StatusText: (text) => text.includes(part) }, timeout);
  }

  /** All records of the unit, the manager's about it among them. */
  journal(...matches: readonly string[]): Promise<readonly JournalRecord[]> {
    if (this.#options.user === undefined) return this.#machine.journal(`--unit=${this.name}`, ...matches);
    // --user-unit= asks for the caller's own; root is another user.
    const own = `_SYSTEMD_USER_UNIT=${this.name}.service`;
    return this.#machine.journal(own, ...matches, '+', `USER_UNIT=${this.name}.service`, ...matches);
  }

  async messages(): Promise<readonly string[]> {
    return (await this.journal()).map((record) => record['MESSAGE'] ?? '');
  }

  /**
   * Signals the main process from a shell of root, who is not the supervisor. The shell stays until the process has
   * ended, so that its name can be read.
   */
  async kill(signal: string): Promise<void> {
    const script = 'kill -"$1" "$2" && exec timeout 20 tail --pid="$2" -f /dev/null';
    await this.#machine.check(['sh', '-c', script, 'sh', signal, String(await this.mainPid())]);
  }

  /** `sd-gateway COMMAND`, as root, for this unit's directories. */
  async command(...words: readonly string[]): Promise<void> {
    await this.#machine.check(['/usr/local/bin/sd-gateway', ...words], {
      environment: { RUNTIME_DIRECTORY: this.runtimeDirectory, STATE_DIRECTORY: this.stateDirectory },
    });
  }

  async post(session: string, body: unknown): Promise<HttpAnswer> {
    return this.http('POST', `/v1/sessions/${session}/messages`, body);
  }

  async http(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    const token = await this.#machine.check(['cat', `${this.stateDirectory}/token`]);
    const { stdout } = await this.#machine.run([
      'curl',
      '--silent',
      '--show-error',
      '--max-time',
      '40',
      '--unix-socket',
      this.socket,
      '--request',
      method,
      '--header',
      `Authorization: Bearer ${token.trim()}`,
      ...(body === undefined
        ? []
        : ['--header', 'Content-Type: application/json', '--data', JSON.stringify(body)]),
      '--write-out',
      '\n%{http_code}',
      `http://gateway${path}`,
    ]);
    const end = stdout.lastIndexOf('\n');
    const text = stdout.slice(0, end);
    return {
      status: Number(stdout.slice(end + 1)),
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  /** Waits for a message's reply and gives its text. */
  async reply(id: string): Promise<string | null> {
    const { body } = await this.http('GET', `/v1/messages/${id}?wait=30`);
    return (body['reply'] as { readonly text: string } | null)?.text ?? null;
  }

  get #as(): { readonly user?: User } {
    return this.#options.user === undefined ? {} : { user: this.#options.user };
  }

  #systemctlWords(words: readonly string[]): readonly string[] {
    return ['systemctl', ...(this.#options.user === undefined ? [] : ['--user']), ...words];
  }
}
