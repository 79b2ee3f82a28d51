import { beforeAll, expect, it } from 'vitest';
import type { Finding } from '../../src/doctor/finding.js';
import type { User } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

interface Report {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
  readonly mended: readonly { readonly done: boolean; readonly text: string }[];
  readonly history: readonly { readonly kind: string; readonly text: string }[];
}

describeOnMachine('sd-gateway doctor', (machine) => {
  let unit: GatewayUnit;
  const name = 'sd-gateway-ill.service';
  const dropIn = `/etc/systemd/system/${name}.d/test.conf`;

  beforeAll(async () => {
    unit = await GatewayUnit.install(machine(), {
      name: 'sd-gateway-ill',
      service: ['WatchdogSec=20', 'StateDirectoryMode=0700', 'RuntimeDirectoryMode=0700'],
      environment: { SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:9055' },
    });
  });

  async function examine(...words: readonly string[]): Promise<Report & { readonly status: number }> {
    const { status, stdout } = await machine().run([
      'sd-gateway',
      'doctor',
      '--json',
      '--instance',
      'ill',
      ...words,
    ]);
    return { ...(JSON.parse(stdout) as Report), status };
  }

  /** The findings that are neither fine nor of no concern. */
  const bad = ({ findings }: Report): readonly Finding[] =>
    findings.filter(({ verdict }) => verdict === 'problem' || verdict === 'warning');

  const finding = ({ findings }: Report, check: string): Finding | undefined =>
    findings.find((candidate) => candidate.check === check);

  async function dropInto(...lines: readonly string[]): Promise<void> {
    await machine().writeFile(dropIn, ['[Service]', ...lines, ''].join('\n'));
    await machine().check(['systemctl', 'daemon-reload']);
  }

  async function withoutDropIn(): Promise<void> {
    await machine().check(['rm', dropIn]);
    await machine().check(['systemctl', 'daemon-reload']);
  }

  it('finds a healthy unit healthy, running and stopped, and leaves its files alone', async () => {
    await unit.succeed('start');
    const running = await examine();
    expect(bad(running)).toEqual([]);
    expect(running).toMatchObject({ status: 0, healthy: true });
    expect(finding(running, 'main process')?.text).toBe('The gateway is the unit’s main process');
    expect(finding(running, 'port')?.text).toContain('The gateway listens on 127.0.0.1:9055');
    expect(finding(running, 'store')?.verdict).toBe('ok');
    expect(finding(running, 'drift')?.verdict).toBe('not-applicable');
    await unit.succeed('stop');
    const files = () => machine().check(['ls', unit.stateDirectory]);
    const before = await files();
    const stopped = await examine();
    expect(bad(stopped)).toEqual([]);
    expect(stopped.history.map(({ kind }) => kind)).toEqual(['started', 'stop']);
    expect(await files()).toBe(before);
  });

  it('finds a token that others may read, and mends it', async () => {
    const token = `${unit.stateDirectory}/token`;
    const secret = (await machine().check(['cat', token])).trim();
    await machine().check(['chmod', '644', token]);
    const ill = await examine();
    expect(ill.status).toBe(1);
    expect(finding(ill, 'token')).toMatchObject({
      verdict: 'problem',
      mend: { command: `chmod 600 ${token}` },
    });
    expect(JSON.stringify(ill)).not.toContain(secret);
    const mended = await examine('--fix');
    expect(mended.mended).toEqual([{ done: true, text: `Set the mode of ${token} to 0600` }]);
    expect(mended.status).toBe(0);
  });

  it('finds a state directory that others may enter, and mends it', async () => {
    await machine().check(['chmod', '755', unit.stateDirectory]);
    expect(bad(await examine())).toMatchObject([{ mend: { command: `chmod 700 ${unit.stateDirectory}` } }]);
    const mended = await examine('--fix');
    expect(mended.mended).toEqual([{ done: true, text: `Set the mode of ${unit.stateDirectory} to 0700` }]);
    expect(mended.status).toBe(0);
    expect(await machine().check(['stat', '-c', '%a', unit.stateDirectory])).toBe('700\n');
  });

  it('follows no link that the gateway’s user has put in the token’s place', async () => {
    const token = `${unit.stateDirectory}/token`;
    await machine().check(['mv', token, `${token}.kept`]);
    await machine().check(['ln', '-s', '/etc/hostname', token]);
    const mode = await machine().check(['stat', '-c', '%a', '/etc/hostname']);
    const ill = await examine('--fix');
    expect(ill.mended).toEqual([]);
    expect(finding(ill, 'token')).toMatchObject({
      verdict: 'problem',
      text: expect.stringContaining(`${token} is no regular file`),
    });
    expect(await machine().check(['stat', '-c', '%a', '/etc/hostname'])).toBe(mode);
    await machine().check(['mv', `${token}.kept`, token]);
  });

  it('finds a wrapper in ExecStart, before and while it runs', async () => {
    await dropInto('ExecStart=', 'ExecStart=/bin/sh -c "sd-gateway run; true"', 'NotifyAccess=all');
    const before = await examine();
    expect(finding(before, 'main process')).toMatchObject({
      verdict: 'problem',
      text: expect.stringContaining('through sh'),
    });
    await unit.succeed('start');
    expect(finding(await examine(), 'main process')).toMatchObject({
      verdict: 'problem',
      text: expect.stringContaining('stands between systemd and the running gateway'),
    });
    await unit.succeed('stop');
    await withoutDropIn();
  });

  it('finds a unit whose notifications nobody hears', async () => {
    await dropInto('Type=exec', 'WatchdogSec=0', 'NotifyAccess=none');
    expect(finding(await examine(), 'notification')).toMatchObject({ verdict: 'problem' });
    await withoutDropIn();
  });

  it('finds a drain that is longer than TimeoutStopSec', async () => {
    await dropInto('TimeoutStopSec=20');
    expect(finding(await examine(), 'time to stop')).toMatchObject({
      verdict: 'warning',
      text: expect.stringContaining('stop.drain (30 s) is not covered by TimeoutStopSec=20 s'),
      mend: { text: expect.stringContaining('TimeoutStopSec=60') },
    });
    await withoutDropIn();
  });

  it('names the real cause where the journal lacks the records: a namespace, a file, no access', async () => {
    await dropInto('LogNamespace=apart');
    await unit.succeed('start');
    await unit.succeed('stop');
    const apart = await examine();
    expect(finding(apart, 'records')).toMatchObject({
      verdict: 'ok',
      text: 'They are in the journal of LogNamespace=apart: journalctl --namespace=apart',
    });
    expect(finding(apart, 'time to stop')?.text).toMatch(/^at most .* in the last/);

    await dropInto('StandardOutput=append:/run/ill.log');
    expect(finding(await examine(), 'records')).toMatchObject({
      verdict: 'warning',
      text: 'The gateway’s records go where StandardOutput=append says, not to the journal',
      mend: { command: `systemctl cat ${name}` },
    });
    await withoutDropIn();

    const user = await machine().addUser('nora', 1521);
    const words = ['sd-gateway', 'doctor', '--json', '--system', '--instance', 'ill'];
    const blind = JSON.parse((await machine().run(words, { user })).stdout) as Report;
    for (const check of ['records', 'time to ready', 'time to stop', 'last starts and stops']) {
      expect(finding(blind, check)?.verdict, check).toBe('unknown');
    }
    // The settings of journald are for all to read.
    expect(finding(blind, 'rate limit')).toMatchObject({ verdict: 'ok', text: 'journald has none' });
    expect(finding(blind, 'records')?.text).toBe('This user may not read the system’s journal');
  });

  it('finds a change that is not in force, and a failure, and mends both', async () => {
    await dropInto('Environment=SD_GATEWAY_HTTP_LISTEN=nowhere');
    await unit.attempt('start');
    await unit.waitFor({ ActiveState: 'failed' });
    await machine().writeFile(dropIn, '[Service]\nRestartSec=1\n');
    const ill = await examine();
    expect(bad(ill).map(({ check }) => check)).toEqual(
      expect.arrayContaining(['in force', 'state', 'last starts and stops']),
    );
    const mended = await examine('--fix');
    expect(mended.mended.map(({ done }) => done)).toEqual([true, true]);
    expect(finding(mended, 'state')?.verdict).toBe('ok');
    expect(finding(mended, 'in force')?.verdict).toBe('ok');
    await withoutDropIn();
  });

  it('finds a stop that systemd has ended by SIGKILL, and a signal that is no stop', async () => {
    await dropInto('KillSignal=SIGHUP', 'TimeoutStopSec=1');
    await unit.succeed('start');
    await unit.attempt('stop');
    expect(await unit.result()).toMatchObject({ Result: 'timeout' });
    const ill = await examine();
    expect(finding(ill, 'kill')).toMatchObject({
      verdict: 'problem',
      text: expect.stringContaining('KillSignal=SIGHUP'),
    });
    expect(finding(ill, 'time to stop')).toMatchObject({
      verdict: 'warning',
      text: expect.stringContaining('1 of the last'),
    });
    await withoutDropIn();
    await machine().check(['systemctl', 'reset-failed', name]);
  });

  it('names a setting that Node.js can’t run under', async () => {
    await dropInto('MemoryDenyWriteExecute=yes');
    expect((await unit.attempt('start')) === 0).toBe(false);
    expect(finding(await examine(), 'settings')).toMatchObject({
      verdict: 'problem',
      text: expect.stringContaining(`${dropIn}:2: MemoryDenyWriteExecute=yes`),
      mend: { command: `systemctl cat ${name}` },
    });
    const started = await machine().run(['sd-gateway', 'start', '--instance', 'ill']);
    expect(started.stderr).toContain(`${dropIn}:2: MemoryDenyWriteExecute=yes`);
    await machine().run(['systemctl', 'stop', name]);
    await machine().run(['systemctl', 'reset-failed', name]);
    await withoutDropIn();
  });

  it('finds a channel that is down, and replies that can’t be delivered', async () => {
    const file = unit.configurationFile;
    await machine().writeFile(
      file,
      `[agent]
type = "command"
command = ["/bin/cat"]
[delivery]
allow = ["127.0.0.0/8"]
retry_delay = "10ms"
retry_delay_limit = "500ms"
[channels.toy]
type = "command"
command = ["/usr/bin/python3", "/nonexistent/toy.py"]
allow = ["ada"]
`,
    );
    await unit.succeed('start');
    await unit.waitForStatus('channel toy is down');
    const token = (await machine().check(['cat', `${unit.stateDirectory}/token`])).trim();
    const headers = ['-H', `Authorization: Bearer ${token}`, '-H', 'Content-Type: application/json'];
    const message = JSON.stringify({ text: 'hello', reply_to: { url: 'http://127.0.0.1:1/' } });
    const url = 'http://127.0.0.1:9055/v1/sessions/a/messages';
    await machine().check(['curl', '--silent', '--fail', ...headers, '--data', message, url]);
    const text = /^\d+ attempts to deliver to http:\/\/127\.0\.0\.1:1 failed in a row/;
    let ill = await examine();
    while (!text.test(finding(ill, 'deliveries')?.text ?? '')) ill = await examine();
    expect(ill).toMatchObject({ status: 1, healthy: false });
    expect(finding(ill, 'deliveries')).toMatchObject({
      verdict: 'problem',
      text: expect.stringContaining('ECONNREFUSED'),
    });
    expect(finding(ill, 'channels')).toMatchObject({
      verdict: 'problem',
      text: expect.stringMatching(/^The channel "toy" is down, .*nonexistent/s),
      mend: { command: 'sd-gateway logs --priority warning --instance ill' },
    });
    await unit.succeed('stop');
    await machine().check(['rm', file]);
  });

  it('finds a configuration that can’t be used', async () => {
    await machine().writeFile(
      unit.configurationFile.replace('sd-gateway.toml', 'sd-gateway-ill.toml'),
      '[http]\nlisen = 1\n',
    );
    expect(finding(await examine(), 'configuration')).toMatchObject({
      verdict: 'problem',
      text: expect.stringContaining('did you mean "listen"?'),
    });
    await machine().check(['rm', unit.configurationFile.replace('sd-gateway.toml', 'sd-gateway-ill.toml')]);
  });

  it('starts an agent as the user of the unit, and leaves nothing of it', async () => {
    const file = unit.configurationFile.replace('sd-gateway.toml', 'sd-gateway-ill.toml');
    const program = '/usr/lib/sd-gateway/test/support/acp-agent.mjs';
    const command = ['/usr/bin/env', 'node', program, '{"auth":true}'];
    await machine().writeFile(file, `[agent]\ntype = "acp"\ncommand = ${JSON.stringify(command)}\n`);
    await dropInto('User=daemon');
    const found = await examine();
    expect(found.findings.filter(({ check }) => check === 'agent')).toMatchObject([
      { verdict: 'ok', text: '/usr/bin/env' },
      {
        verdict: 'problem',
        text: expect.stringContaining('It offers "A key of the model".'),
        mend: { command: expect.stringMatching(/^sudo -u daemon -- env HOME=\S+ \/usr\/bin\/env node /) },
      },
    ]);
    await machine().writeFile(
      file,
      `[agent]\ntype = "acp"\ncommand = ["/bin/sh", "-c", "id -un >&2; exit 1"]\n`,
    );
    expect((await examine()).findings.filter(({ check }) => check === 'agent')[1]).toMatchObject({
      text: expect.stringContaining('standard error ends: daemon'),
    });
    expect((await machine().run(['pgrep', '-f', program])).status).toBe(1);
    await machine().check(['rm', file]);
    await withoutDropIn();
  });

  it('finds who has taken the port', async () => {
    const script =
      'require("net").createServer().listen(9055, "127.0.0.1", () => require("fs").writeFileSync("/run/taken", ""))';
    await machine().check([
      'systemd-run',
      '--unit=taker',
      '--property=ExecStartPost=/bin/sh -c "until test -e /run/taken; do :; done"',
      'node',
      '-e',
      script,
    ]);
    const { stdout } = await machine().run(['systemctl', 'show', '--value', '--property=MainPID', 'taker']);
    expect(finding(await examine(), 'port')).toMatchObject({
      verdict: 'problem',
      text: `127.0.0.1:9055 is taken by node (PID ${stdout.trim()}).`,
    });
    await machine().check(['systemctl', 'stop', 'taker']);
  });

  it('finds a damaged store', async () => {
    const database = `${unit.stateDirectory}/gateway.db`;
    await machine().check(['cp', database, '/root/kept.db']);
    await machine().check([
      'dd',
      'if=/dev/urandom',
      `of=${database}`,
      'bs=4096',
      'seek=1',
      'count=8',
      'conv=notrunc',
    ]);
    const ill = await examine();
    expect(ill.status).toBe(1);
    expect(finding(ill, 'store')).toMatchObject({ verdict: 'problem' });
    await machine().check(['cp', '/root/kept.db', database]);
  });

  it('finds that an installed unit is not what it would write now, and that it was edited', async () => {
    const drift = async () => {
      const { stdout } = await machine().run(['sd-gateway', 'doctor', '--json', '--instance', 'drift']);
      return finding(JSON.parse(stdout) as Report, 'drift');
    };
    const install = () =>
      machine().check(['sd-gateway', 'install', '--no-enable', '--instance', 'drift'], { timeout: 60_000 });
    await install();
    expect(await drift()).toMatchObject({ verdict: 'ok' });
    // A longer drain asks for a longer TimeoutStopSec=.
    await machine().writeFile('/etc/sd-gateway/sd-gateway-drift.toml', '[stop]\ndrain = "5min"\n');
    expect(await drift()).toMatchObject({
      verdict: 'warning',
      mend: { command: 'sd-gateway install --instance drift' },
    });
    await install();
    expect(await drift()).toMatchObject({ verdict: 'ok' });
    const file = '/etc/systemd/system/sd-gateway-drift.service';
    await machine().check(['sed', '-i', 's/^RestartSec=.*/RestartSec=9/', file]);
    expect(await drift()).toMatchObject({
      verdict: 'warning',
      text: expect.stringContaining('was edited'),
      mend: { command: 'systemctl edit sd-gateway-drift.service' },
    });
  });

  it('finds a masked unit', async () => {
    // systemctl puts a mask only where no file is.
    await machine().check(['mv', `/etc/systemd/system/${name}`, '/root/']);
    await machine().check(['systemctl', 'mask', name]);
    expect(finding(await examine(), 'unit file')).toMatchObject({
      verdict: 'problem',
      text: `${name} is masked: it can’t be started.`,
      mend: { command: `systemctl unmask ${name}` },
    });
  });

  it('of a user without root says what they can’t look at, and finds that they don’t linger', async () => {
    const user: User = await machine().addUser('dora', 1520);
    const mine = await GatewayUnit.install(machine(), {
      name: 'sd-gateway',
      user,
      service: ['WatchdogSec=20'],
    });
    await mine.succeed('start');
    const ask = async (...words: readonly string[]) => {
      const { stdout, status } = await machine().run(['sd-gateway', 'doctor', '--json', ...words], { user });
      return { ...(JSON.parse(stdout) as Report), status };
    };
    expect(await ask()).toMatchObject({ status: 0, healthy: true });
    await machine().check(['rm', '/var/lib/systemd/linger/dora']);
    expect(finding(await ask(), 'linger')).toMatchObject({
      verdict: 'warning',
      mend: { fix: { kind: 'enable-linger' } },
    });
    expect(await ask('--fix')).toMatchObject({
      status: 0,
      mended: expect.arrayContaining([
        { done: true, text: expect.stringContaining('loginctl enable-linger dora') },
      ]),
    });
    expect((await machine().run(['test', '-e', '/var/lib/systemd/linger/dora'])).status).toBe(0);
    const system = await ask('--system', '--instance', 'absent');
    expect(finding(system, 'unit file')).toMatchObject({ verdict: 'problem' });
    await mine.succeed('stop');
  });
});
