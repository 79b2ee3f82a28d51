import { beforeAll, describe, expect, it } from 'vitest';
import { agentThatWaitsFor } from './harness/agent.js';
import type { CommandResult, User } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** A part of what `status --json` prints. */
interface StatusInJson {
  readonly version: number;
  readonly unit: { readonly invocation_id: string | null } | null;
  readonly last_stop: object | null;
}

describeOnMachine('start, stop, restart, reload and status', (machine) => {
  let olga: User;
  beforeAll(async () => {
    olga = await machine().addUser('olga', 1510);
  });

  /** `sd-gateway …` as a person types it. */
  const type = (words: string, user?: User): Promise<CommandResult> =>
    machine().run(['sd-gateway', ...words.split(' ')], user === undefined ? {} : { user });

  const statusOf = async (words: string, user?: User): Promise<StatusInJson> =>
    JSON.parse((await type(`status --json ${words}`, user)).stdout) as StatusInJson;

  const writeUnit = (instance: string, ...service: readonly string[]) =>
    machine().writeFile(
      `/etc/systemd/system/sd-gateway-${instance}.service`,
      ['[Service]', ...service, ''].join('\n'),
    );

  describe.each(['system', 'user'] as const)('a unit of the %s manager', (scope) => {
    const instance = `of-${scope}`;
    const name = `sd-gateway-${instance}.service`;
    const person = () => (scope === 'user' ? olga : undefined);
    let unit: GatewayUnit;

    it('is started, shown, restarted, reloaded and stopped', async () => {
      const user = person();
      unit = await GatewayUnit.install(machine(), {
        name: `sd-gateway-${instance}`,
        ...(user === undefined ? {} : { user }),
        service: ['WatchdogSec=20'],
      });
      expect(await type(`status --instance ${instance}`, user)).toMatchObject({
        status: 3,
        stdout: expect.stringContaining(`● ${name}: stopped`),
      });
      expect(await type(`start --instance ${instance}`, user)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(`${name} serves: Ready: 0 sessions`),
      });
      expect(await type(`start --instance ${instance}`, user)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(`${name} runs already`),
      });
      const first = await statusOf(`--instance ${instance}`, user);
      expect(first).toMatchObject({
        verdict: 'running',
        scope,
        version: 1,
        unit: { name, active_state: 'active', watchdog: { timeout_ms: 20_000 } },
      });
      const shown = await type(`status --instance ${instance}`, user);
      expect(shown.status).toBe(0);
      expect(shown.stdout).toContain('  Watchdog: every 20s; last sign of life ');

      expect(await type(`restart --instance ${instance}`, user)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(`${name} serves again`),
      });
      const second = await statusOf(`--instance ${instance}`, user);
      expect(second.unit?.invocation_id).not.toBe(first.unit?.invocation_id);
      expect(second.last_stop).toMatchObject({
        cause: 'planned-stop',
        invocation_id: first.unit?.invocation_id,
        put_back_turns: 0,
      });

      expect(await type(`reload --instance ${instance}`, user)).toMatchObject({
        status: 0,
        stdout: `${name} has read its configuration again\n`,
      });
      expect(await type(`stop --instance ${instance}`, user)).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/has stopped: Drained in \d+ ms: 0 ended, 0 put back/),
      });
      expect(await unit.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
      const files = () => machine().check(['ls', '-l', '--time-style=full-iso', unit.stateDirectory]);
      const before = await files();
      const stopped = await statusOf(`--instance ${instance}`, user);
      expect(stopped.last_stop).toMatchObject({
        source: 'store',
        cause: 'planned-stop',
        exit_status: 0,
        invocation_id: second.unit?.invocation_id,
      });
      expect(await files()).toBe(before);
      expect(await type(`stop --instance ${instance}`, user)).toMatchObject({
        status: 0,
        stdout: `${name} is not running\n`,
      });
      expect(await type(`reload --instance ${instance}`, user)).toMatchObject({
        status: 3,
        stderr: expect.stringContaining(`Start it: sd-gateway start --instance ${instance}`),
      });
    });

    it('that fails says why, from the journal, and what to do', async () => {
      const user = person();
      await unit.succeed('start');
      await machine().writeFile(unit.configurationFile, '[http]\nlisen = 1\n');
      const reload = await type(`reload --instance ${instance}`, user);
      expect(reload.status).toBe(78);
      expect(reload.stderr).toContain('is refused, the old one stays in force: ');
      expect(reload.stderr).toContain('did you mean "listen"?');
      const restart = await type(`restart --instance ${instance}`, user);
      expect(restart.status).toBe(78);
      expect(restart.stderr).toContain('exit status 78 (unusable configuration or store).');
      expect(restart.stderr).toContain('unknown key "lisen" in [http]; did you mean "listen"?');
      expect(restart.stderr).toContain(`sd-gateway check-config --instance ${instance}`);
      // The run before, which was stopped for this, has no part in it.
      expect(restart.stderr).not.toContain('planned stop');
      const status = await type(`status --instance ${instance}`, user);
      expect(status.status).toBe(1);
      expect(status.stdout).toContain(`● ${name}: failed`);
      expect(status.stdout.replace(/\s+/g, ' ')).toContain('did you mean "listen"?');
      await machine().check(['rm', unit.configurationFile]);
      expect((await type(`start --instance ${instance}`, user)).status).toBe(0);
      await unit.succeed('stop');
    });
  });

  it('a restart when idle waits for the turn that runs', async () => {
    const unit = await GatewayUnit.install(machine(), {
      name: 'sd-gateway-work',
      environment: agentThatWaitsFor('/tmp/work-go'),
    });
    await unit.succeed('start');
    const { body } = await unit.post('chat', { text: 'long' });
    await unit.waitForStatus('1 running');
    const before = (await statusOf('--instance work')).unit?.invocation_id;
    expect(await type('restart --when-idle --timeout 1s --instance work')).toMatchObject({
      status: 75,
      stderr: expect.stringMatching(/not idle within 1s: 1 running turn\. Nothing was restarted\./),
    });
    expect((await statusOf('--instance work')).unit?.invocation_id).toBe(before);

    const restart = type('restart --when-idle --instance work');
    // It refuses nothing meanwhile.
    expect((await unit.post('chat', { text: 'more' })).status).toBe(202);
    await machine().check(['touch', '/tmp/work-go']);
    expect(await unit.reply(String(body['id']))).toBe('done');
    expect(await restart).toMatchObject({ status: 0, stdout: expect.stringContaining('serves again') });
    expect((await statusOf('--instance work')).unit?.invocation_id).not.toBe(before);
    expect((await unit.messages()).join('\n')).not.toMatch(/[1-9]\d* put back/);
    await unit.succeed('stop');
  });

  it('a start that waits for its port says so, and one that gives up is no crash', async () => {
    const unit = await GatewayUnit.install(machine(), {
      name: 'sd-gateway-port',
      service: ['TimeoutStartSec=2s', 'Restart=no'],
      environment: { SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:9181', SD_GATEWAY_START_WAIT: '3s' },
    });
    await machine().check([
      'systemd-run',
      '--unit=port-taker',
      '--property=ExecStartPost=/bin/sh -c "until test -e /run/taken-9181; do :; done"',
      'node',
      '-e',
      'require("net").createServer().listen(9181, "127.0.0.1", () => require("fs").writeFileSync("/run/taken-9181", ""))',
    ]);
    const starting = type('start --instance port');
    await unit.waitForStatus('Starting: waiting');
    expect(await type('reload --instance port')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('Have it start anew: sd-gateway restart --instance port'),
    });
    const { status, stderr } = await starting;
    expect(stderr).toMatch(/^Starting: waiting up to 3s: .*127\.0\.0\.1:9181/m);
    expect(stderr).toMatch(
      /did not start: the gateway ended: exit status 1.*127\.0\.0\.1:9181.*The start waited 3s for it/s,
    );
    expect(status).toBe(1);
    expect(await unit.result()).toMatchObject({ Result: 'exit-code', ExecMainStatus: '1' });
    const [stopped] = await unit.journal('SD_GATEWAY_STOP_CAUSE=unavailable');
    expect(stopped).toMatchObject({ SD_GATEWAY_EXIT_STATUS: '1' });
    expect((await unit.messages()).join('\n')).not.toMatch(/crash/);
    await machine().check(['systemctl', 'stop', 'port-taker']);
    expect((await type('start --instance port')).status).toBe(0);
    expect((await type('doctor --instance port')).stdout).not.toMatch(/: crash/);
    await unit.succeed('stop');
  });

  it('a start is over when the gateway serves, also in a unit whose type does not tell', async () => {
    const instance = 'simple';
    const unit = await GatewayUnit.install(machine(), {
      name: `sd-gateway-${instance}`,
      service: ['Type=simple', 'RestartPreventExitStatus=78'],
    });
    expect(await type(`start --instance ${instance}`)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('serves'),
    });
    expect((await unit.http('GET', '/readyz')).status).toBe(200);
    await unit.succeed('stop');
    await machine().writeFile(unit.configurationFile, 'wrong = 1\n');
    const failed = await type(`start --instance ${instance}`);
    expect(failed).toMatchObject({ status: 78, stdout: '' });
    expect(failed.stderr).toContain('wrong');
  });

  it('what a restart refuses is no healthy gateway, and the step for a package’s unit is one that it allows', async () => {
    const instance = 'packed';
    const unit = await GatewayUnit.install(machine(), {
      name: `sd-gateway-${instance}`,
      command: `/usr/local/bin/sd-gateway run --instance ${instance}`,
      service: ['ProtectSystem=strict', 'WatchdogSec=20'],
    });
    const file = `sd-gateway-${instance}.service`;
    await machine().check(['mv', `/etc/systemd/system/${file}`, `/usr/lib/systemd/system/${file}`]);
    await unit.succeed('start');
    await machine().check(['mkdir', '-p', '/srv/packed']);
    const configuration = `/etc/sd-gateway-${instance}/sd-gateway-${instance}.toml`;
    await machine().writeFile(configuration, '[store]\npath = "/srv/packed/gateway.db"\n');
    const step = `"systemctl edit ${file}" with ReadWritePaths=/srv/packed in [Service]`;
    const refused = await type(`restart --instance ${instance}`);
    expect(refused).toMatchObject({ status: 78, stderr: expect.stringContaining(step) });
    const examined = await type(`doctor --instance ${instance}`);
    expect(examined).toMatchObject({
      status: 1,
      stdout: expect.stringContaining(`next start: store.path: `),
    });
    expect(examined.stdout).toContain(step);
    await machine().writeFile(
      `/etc/systemd/system/${file}.d/own.conf`,
      '[Service]\nReadWritePaths=/srv/packed\n',
    );
    await machine().check(['systemctl', 'daemon-reload']);
    expect((await type(`restart --instance ${instance}`)).status).toBe(0);
    await unit.succeed('stop');
  });

  it('without StateDirectory= a start says what the unit lacks', async () => {
    const unit = await GatewayUnit.install(machine(), {
      name: 'sd-gateway-stateless',
      service: ['StateDirectory=', 'User=daemon'],
    });
    const failed = await type('start --instance stateless');
    expect(failed.status).not.toBe(0);
    expect(failed.stderr).toContain('have its [Service] say StateDirectory=sd-gateway');
    expect(await unit.result()).toMatchObject({
      ActiveState: 'failed',
      ExecMainStatus: '78',
      NRestarts: '0',
    });
    const examined = await type('doctor --instance stateless');
    expect(examined.stdout).toContain('Set StateDirectory=sd-gateway-stateless in [Service]');
  });

  it('a gateway that was killed is shown as such', async () => {
    const unit = await GatewayUnit.install(machine(), {
      name: 'sd-gateway-killed',
      service: ['Restart=always', 'RestartSec=1h'],
    });
    await unit.succeed('start');
    await unit.kill('KILL');
    await unit.waitFor({ SubState: 'auto-restart' });
    const { status, stdout } = await type('status --instance killed');
    expect(status).toBe(1);
    expect(stdout).toContain('Result: signal: the gateway ended: killed by SIGKILL');
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'Last stop: it left no record of its end: the gateway ended: killed by SIGKILL',
    );
    expect(stdout).toContain('systemd starts it again by itself 1h after each end.');
    expect(stdout).not.toContain('Ready:');
    await unit.succeed('stop');
  });

  it('what a person may not do, or has in the other scope, is said with the command to type', async () => {
    await machine().check([
      'sh',
      '-c',
      'cp /usr/lib/sd-gateway/systemd/sd-gateway.service /etc/systemd/system/ && systemctl daemon-reload',
    ]);
    await makeShippedUser(machine());
    expect((await type('start')).status).toBe(0);
    expect(await type('stop --system', olga)).toMatchObject({
      status: 77,
      stderr: expect.stringContaining(
        'this user may not stop sd-gateway.service.\n  As root: sudo sd-gateway stop',
      ),
    });
    expect(await type('stop', olga)).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(
        /one of the system’s service manager.*nothing was done.*sudo sd-gateway stop/s,
      ),
    });
    const other = await type('status', olga);
    expect(other.status).toBe(0);
    expect(other.stdout).toContain('● sd-gateway.service: running');
    expect(other.stdout.replace(/\s+/g, ' ')).toContain(
      'this user may not ask the gateway at /run/sd-gateway/control.sock',
    );
    expect((await type('status --user', olga)).status).toBe(4);
    for (const [words, step] of [
      ['send --system x', 'sudo sd-gateway send …'],
      ['dead --system', 'sudo sd-gateway dead …'],
      ['store check --system', 'As root: sudo sd-gateway store check'],
    ] as const) {
      const { status, stderr } = await type(words, olga);
      expect(stderr, words).toContain(step);
      expect(stderr, words).not.toMatch(/its mode|install/);
      expect(status, words).toBe(words.startsWith('store') ? 1 : 69);
    }
    expect((await type('status')).status).toBe(0);
    expect((await type('stop')).status).toBe(0);
  });

  it('a restart stops no gateway whose user could not start it again, and check-config says so', async () => {
    const file = '/etc/sd-gateway/sd-gateway.toml';
    const secret = '/etc/sd-gateway/bot';
    const configure = (text: string, mode: string) =>
      machine().check([
        'sh',
        '-c',
        `mkdir -p /etc/sd-gateway && printf %s '${text}' >${file} && chmod ${mode} ${file}`,
      ]);
    expect((await type('start')).status).toBe(0);
    const began = (await statusOf('')).unit?.invocation_id;
    await configure('', '600');
    const unreadable = `${file}: can’t be read by the user sd-gateway, who runs the gateway`;
    for (const words of ['restart', 'check-config']) {
      const { status, stderr } = await type(words);
      expect(stderr, words).toContain(unreadable);
      expect(stderr, words).toContain(`chmod o+r ${file}`);
      expect(status, words).toBe(78);
    }
    await configure('[http]\nlisten = "127.0.0.1:80"\n', '644');
    expect(await type('restart')).toMatchObject({
      status: 78,
      stderr: expect.stringContaining("Can't listen on 127.0.0.1:80: this user may not bind that port"),
    });
    const channel = `[channels.tg]\ntype = "telegram"\nowners = ["1"]\nrequired = true\ntoken_file = "${secret}"\n`;
    await configure(channel, '644');
    await machine().check(['sh', '-c', `echo 1:a >${secret}`]);
    const own = `chown sd-gateway ${secret} && chmod 600 ${secret}`;
    expect((await type('check-config')).stderr).toContain(`can be read by others: run ${own}`);
    await machine().check(['chmod', '600', secret]);
    expect((await type('check-config')).stderr).toContain(
      `the user sd-gateway, who runs the gateway, may not`,
    );
    expect(await type('restart')).toMatchObject({ status: 78, stderr: expect.stringContaining(own) });
    await machine().check(['sh', '-c', own]);
    expect((await type('check-config')).stderr).toBe('');
    expect((await statusOf('')).unit?.invocation_id).toBe(began);
    await machine().check(['rm', secret, file]);
    expect((await type('restart')).status).toBe(0);
    expect((await type('stop')).status).toBe(0);
  });

  it('says what keeps a unit from starting', async () => {
    await writeUnit('limit', 'Type=notify', 'ExecStart=/bin/false');
    await writeUnit('slow', 'Type=notify', 'ExecStart=/bin/sleep 1000', 'TimeoutStartSec=1');
    await writeUnit('missing', 'ExecStart=/usr/bin/not-there', 'Type=notify');
    await machine().check(['ln', '-s', '/dev/null', '/etc/systemd/system/sd-gateway-masked.service']);
    await machine().check(['systemctl', 'daemon-reload']);
    const cases: readonly (readonly [instance: string, text: RegExp])[] = [
      ['masked', /is masked: .*systemctl unmask sd-gateway-masked\.service/s],
      ['slow', /it took longer than the unit allows \(TimeoutStartSec=/],
      ['missing', /exit status 203 \(EXEC: .*not-there: No such file.*sd-gateway install/s],
    ];
    for (const [instance, text] of cases) {
      expect(await type(`start --instance ${instance}`)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(text),
      });
    }
    for (let start = 0; start < 5; start++)
      await machine().run(['systemctl', 'start', 'sd-gateway-limit.service']);
    expect(await type('start --instance limit')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /started 5 times within 10s, and systemd has given up.*reset-failed sd-gateway-limit/s,
      ),
    });
    expect(await type('start --instance nowhere')).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(
        /has no unit for the instance nowhere\..*sd-gateway install --instance nowhere/s,
      ),
    });
    const all = await type('status --all');
    expect(all.status).toBe(1);
    expect(all.stdout).toMatch(/^sd-gateway-masked\.service +masked /m);
    expect(all.stdout).toMatch(/^sd-gateway-slow\.service +failed /m);
  });

  it('names what failed where it was not the gateway', async () => {
    const sleep = ['Type=exec', 'ExecStart=/bin/sleep 60'];
    await writeUnit('post', ...sleep, 'ExecStartPost=/bin/true', 'ExecStartPost=/bin/false --check');
    await writeUnit('condition', ...sleep, '[Unit]', 'ConditionPathExists=/nonexistent');
    await writeUnit('life', ...sleep, 'RuntimeMaxSec=1');
    await writeUnit(
      'apart',
      'Type=oneshot',
      'LogNamespace=apart',
      'ExecStart=/bin/sh -c "echo the disk is on fire; exit 1"',
    );
    await machine().check(['systemctl', 'daemon-reload']);
    expect(await type('start --instance post')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ExecStartPost= failed ("/bin/false --check": exit status 1)'),
    });
    expect((await type('status --instance post')).stdout).toContain('ExecStartPost= failed');
    const skipped = await type('start --instance condition');
    expect(skipped.status).toBe(1);
    expect(skipped.stderr).toContain('was not started: a condition of the unit is not met');
    // systemd forgets a unit that nothing needs and that doesn't run; its journal still has the reason.
    expect(skipped.stderr).toContain('(ConditionPathExists=/nonexistent)');
    await machine().check(['systemctl', 'add-wants', 'multi-user.target', 'sd-gateway-condition.service']);
    expect((await type('start --instance condition')).stderr).toContain(
      ': ConditionPathExists=/nonexistent\n',
    );
    expect((await type('status --instance condition')).stdout).toContain('ConditionPathExists=/nonexistent');
    await machine().run(['systemctl', 'start', '--wait', 'sd-gateway-life.service']);
    expect((await type('status --instance life')).stdout).toContain('as long as RuntimeMaxSec= allows');
    expect((await type('start --instance apart')).stderr).toContain('the disk is on fire');
    expect((await type('logs --instance apart')).stdout).toContain('the disk is on fire');
  });

  it('a stop cancels a start that waits for another unit, and the status tells of it', async () => {
    const wants = ['[Unit]', 'Wants=slow-first.service', 'After=slow-first.service'];
    await writeUnit('queued', 'Type=exec', 'ExecStart=/bin/sleep 60', ...wants);
    await machine().writeFile(
      '/etc/systemd/system/slow-first.service',
      '[Service]\nType=oneshot\nExecStart=/bin/sh -c "until test -e /tmp/first-go; do sleep 0.05; done"\n',
    );
    await machine().check(['systemctl', 'daemon-reload']);
    await machine().check(['systemctl', 'start', '--no-block', 'sd-gateway-queued.service']);
    const waits = 'systemd is about to start it: its start job waits for slow-first.service.';
    const status = await type('status --instance queued');
    expect(status.status).toBe(3);
    expect(status.stdout.replace(/\s+/g, ' ')).toContain(waits);
    expect(status.stdout).not.toContain('To start it');
    expect((await type('doctor --instance queued')).stdout.replace(/\s+/g, ' ')).toContain(waits);
    expect(await type('stop --instance queued')).toMatchObject({
      status: 0,
      stdout: 'sd-gateway-queued.service was about to start; that start job is cancelled\n',
    });
    expect(await machine().check(['systemctl', 'list-jobs'])).not.toContain('sd-gateway-queued');
    await machine().check(['touch', '/tmp/first-go']);
    await machine().check(['systemctl', 'start', 'slow-first.service']);
    const show = ['systemctl', 'show', '-P', 'ActiveState', 'sd-gateway-queued.service'];
    expect(await machine().check(show)).toBe('inactive\n');
  });

  it('names the line of a drop-in that keeps a unit from starting', async () => {
    const lines: Readonly<Record<string, string>> = {
      credential: '[Service]\nLoadCredential=tok:/nonexistent/secret\n',
      variables: '[Service]\nEnvironmentFile=/nonexistent.env\n',
      assertion: '[Unit]\nAssertPathExists=/nonexistent\n',
    };
    const dropIn = (name: string) => `/etc/systemd/system/sd-gateway-${name}.service.d/own.conf`;
    for (const [name, text] of Object.entries(lines)) {
      await writeUnit(name, 'Type=exec', 'ExecStart=/bin/sleep 60');
      await machine().writeFile(dropIn(name), text);
    }
    await machine().check(['systemctl', 'daemon-reload']);
    for (const [name, text] of Object.entries(lines)) {
      const line = `${dropIn(name)}:2: ${text.split('\n')[1]}`;
      const started = await type(`start --instance ${name}`);
      expect(started.status, name).toBe(1);
      expect(started.stderr, name).toContain(line);
      expect(started.stderr, name).toContain(`systemctl cat sd-gateway-${name}.service`);
      expect(started.stderr, name).not.toMatch(/\.\.|Write it anew/);
      const { stdout } = await type(`status --instance ${name}`);
      expect(stdout.replace(/\s+/g, ' '), name).toContain(line);
    }
    expect(await type('doctor --instance assertion')).toMatchObject({
      status: 1,
      stdout: expect.stringContaining(`${dropIn('assertion')}:2: AssertPathExists=/nonexistent`),
    });
  });

  it('a user whose own manager is away is not shown another gateway', async () => {
    const nora = await machine().addUser('nora', 1512);
    await machine().check([
      'sh',
      '-c',
      'cp /usr/lib/sd-gateway/systemd/sd-gateway.service /etc/systemd/system/ && systemctl daemon-reload',
    ]);
    await makeShippedUser(machine());
    expect((await type('start')).status).toBe(0);
    const file = '/home/nora/.config/systemd/user/sd-gateway.service';
    await machine().writeFile(file, '[Service]\nExecStart=/bin/sleep 60\n');
    await machine().check(['loginctl', 'disable-linger', 'nora']);
    await machine().check(['systemctl', 'stop', 'user@1512.service']);
    for (const words of ['status', 'status --user']) {
      const { status, stdout } = await type(words, nora);
      expect(status, words).toBe(4);
      expect(stdout, words).toContain('● sd-gateway: not known');
      const text = stdout.replace(/\s+/g, ' ');
      expect(text, words).toContain('user manager can’t be reached');
      expect(text, words).toContain(file);
      expect(text, words).not.toContain('has none');
      expect(text, words).not.toContain('To start it: sudo');
    }
    for (const words of ['start', 'stop']) {
      const { status, stderr } = await type(words, nora);
      expect(status, words).toBe(69);
      expect(stderr, words).toContain('user manager can’t be reached');
      expect(stderr, words).not.toMatch(/sudo sd-gateway|has no unit/);
    }
    expect((await type('stop')).status).toBe(0);
  });

  it('Ctrl-C ends the wait, not the start', async () => {
    await writeUnit(
      'patient',
      'Type=notify',
      'NotifyAccess=all',
      'ExecStart=/bin/sh -c "until test -e /tmp/patient-go; do sleep 0.05; done; systemd-notify --ready; exec sleep 1000"',
    );
    await machine().check(['systemctl', 'daemon-reload']);
    const script =
      'sd-gateway start --instance patient & until systemctl show -P SubState sd-gateway-patient | grep -qx start; do sleep 0.05; done; kill -INT $!; wait $!';
    // A shell without job control has its background commands ignore SIGINT; "set -m" turns that off.
    const started = await machine().run(['bash', '-c', `set -m; ${script}`]);
    expect(started.status).toBe(130);
    expect(started.stderr).toContain(
      'no longer waiting; systemd goes on with the start of sd-gateway-patient.service.',
    );
    const show = ['systemctl', 'show', '-P', 'ActiveState', 'sd-gateway-patient.service'];
    expect(await machine().check(show)).toBe('activating\n');
    await machine().check(['touch', '/tmp/patient-go']);
    expect((await type('start --instance patient')).status).toBe(0);
    expect(await machine().check(show)).toBe('active\n');
    await machine().check(['systemctl', 'kill', '--signal=KILL', 'sd-gateway-patient.service']);
  });

  it('a gateway in the foreground is asked through its control socket', async () => {
    const place = ['env', 'SD_GATEWAY_HTTP_LISTEN=unix:/run/user/1510/hand.sock'];
    const ran = machine().run([...place, 'sd-gateway', 'run', '--instance', 'hand'], { user: olga });
    const deadline = performance.now() + 20_000;
    while ((await type('status --instance hand', olga)).status !== 0) {
      if (performance.now() > deadline) throw new Error('The gateway in the foreground did not come up.');
    }
    expect((await type('status --instance hand', olga)).stdout).toContain(
      '● sd-gateway, instance hand: running in the foreground',
    );
    expect((await type('reload --instance hand', olga)).status).toBe(0);
    expect(await type('start --instance hand', olga)).toMatchObject({ status: 4 });
    const stop = await type('stop --instance hand', olga);
    expect(stop).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('asked for through the control socket'),
    });
    expect((await ran).status).toBe(0);
    expect((await type('stop --instance hand', olga)).status).toBe(69);
    expect((await type('status --instance hand', olga)).status).toBe(4);
  });
});
