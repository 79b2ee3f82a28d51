import { expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

const shipped = '/usr/lib/sd-gateway/systemd';

async function installShippedUnits(machine: Machine): Promise<void> {
  await machine.check(['sh', '-c', `cp ${shipped}/*.service ${shipped}/*.socket /etc/systemd/system/`]);
  await machine.check(['sh', '-c', `cp ${shipped}/user/* /etc/systemd/user/`]);
  for (const instance of [null, 'one', 'two']) await makeShippedUser(machine, instance);
  // As npm does it, by "man" in package.json: systemd-analyze looks for what Documentation= names.
  const pages = '/usr/local/share/man/man1';
  await machine.check([
    'sh',
    '-c',
    `mkdir -p ${pages} && ln -s /usr/lib/sd-gateway/dist/man/sd-gateway.1 ${pages}/`,
  ]);
  await machine.check(['systemctl', 'daemon-reload']);
}

/** As root would on the command line: nothing is named. */
async function post(machine: Machine, text: string): Promise<string> {
  return machine.check(['sd-gateway', 'send', text]);
}

describeOnMachine('the shipped units', (machine) => {
  it('are valid', async () => {
    await installShippedUnits(machine());
    const names = (await machine().check(['sh', '-c', `cd ${shipped} && ls *.service *.socket`])).split('\n');
    for (const name of names.filter((candidate) => candidate !== '')) {
      const unit = `/etc/systemd/system/${name}`;
      const { status, stdout, stderr } = await machine().run(['systemd-analyze', 'verify', unit]);
      expect({ unit, status, stdout, stderr }).toEqual({ unit, status: 0, stdout: '', stderr: '' });
    }
    const user = await machine().addUser('dave', 1503);
    for (const name of ['sd-gateway.service', 'sd-gateway@.service', 'sd-gateway.socket']) {
      const unit = `/etc/systemd/user/${name}`;
      const { status, stderr } = await machine().run(['systemd-analyze', '--user', 'verify', unit], { user });
      expect({ unit, status, stderr }).toEqual({ unit, status: 0, stderr: '' });
    }
  });

  it('are exposed at most 1.5, by systemd-analyze security', async () => {
    for (const unit of ['sd-gateway.service', 'sd-gateway@one.service']) {
      await machine().check(['systemd-analyze', 'security', '--threshold=15', unit]);
    }
  });

  it('run the gateway in their sandbox, with the echo agent', async () => {
    await machine().check(['systemctl', 'start', 'sd-gateway.service']);
    expect(await post(machine(), 'hello')).toBe('hello\n');
    const uid = await machine().check(['stat', '-c', '%U', '/var/lib/sd-gateway/token']);
    expect(uid.trim()).toBe('sd-gateway');
    await machine().check(['systemctl', 'stop', 'sd-gateway.service']);
    expect(
      await machine().check([
        'systemctl',
        'show',
        '--value',
        '-p',
        'ActiveState,Result',
        'sd-gateway.service',
      ]),
    ).toBe('success\ninactive\n');
  });

  it('run a command agent in their sandbox, which gets nothing of the unit', async () => {
    await machine().writeFile(
      '/etc/sd-gateway/sd-gateway.toml',
      '[agent]\ntype = "command"\ncommand = ["/bin/sh", "-c", "cat >/dev/null; ulimit -Sn; env; pwd; stat -c %a:%U . .. ../.. $HOME; touch kept $HOME/kept; ls /proc/self/fd | wc -l"]\n',
    );
    await machine().check(['systemctl', 'start', 'sd-gateway.service']);
    const environment = await post(machine(), 'hello');
    expect(environment).toContain('SD_GATEWAY_SESSION=cli\n');
    expect(environment).not.toMatch(
      /NOTIFY_SOCKET|WATCHDOG|INVOCATION_ID|LISTEN_|CREDENTIALS|JOURNAL_STREAM|TOKEN/,
    );
    expect(environment).toMatch(/^1024\n/);
    const agents = '/var/lib/sd-gateway/agents';
    expect(environment).toContain(`\nHOME=${agents}/home\n`);
    const owned = '700:sd-gateway\n';
    expect(environment).toContain(`\n${agents}/sessions/cli\n${owned}${owned}${owned}${owned}`);
    // Standard input, output and error, and the directory that ls reads.
    expect(environment.trimEnd().split('\n').at(-1)?.trim()).toBe('4');
    await machine().check(['systemctl', 'restart', 'sd-gateway.service']);
    expect(await machine().check(['ls', `${agents}/home`, `${agents}/sessions/cli`])).toMatch(
      /kept\n.*kept\n/s,
    );
    await machine().check(['systemctl', 'stop', 'sd-gateway.service']);
    await machine().check(['rm', '/etc/sd-gateway/sd-gateway.toml']);
  });

  it('of an instance that can’t be fail once, and are not tried again', async () => {
    const failure = async (unit: string, ...manager: string[]) => {
      const user = manager.length === 0 ? undefined : { name: 'dave', uid: 1503 };
      const ask = (...words: string[]) =>
        machine().run(['systemctl', ...manager, ...words], user === undefined ? {} : { user });
      expect((await ask('start', unit)).status).not.toBe(0);
      const properties = ['ActiveState', 'SubState', 'ExecMainStatus', 'NRestarts'];
      return (await ask('show', '--property', properties.join(','), unit)).stdout.trim().split('\n').sort();
    };
    // No user can have such a name: systemd-escape(1) made it of "team-a".
    const escaped = 'sd-gateway@team\\x2da.service';
    const once = (status: number) => [
      'ActiveState=failed',
      `ExecMainStatus=${status}`,
      'NRestarts=0',
      'SubState=failed',
    ];
    expect(await failure(escaped)).toEqual(once(217));
    expect(await failure(escaped, '--user')).toEqual(once(78));
  });

  it('take a connection before the service is up, on the socket unit', async () => {
    await machine().check(['systemctl', 'start', 'sd-gateway.socket']);
    expect((await machine().run(['systemctl', 'is-active', 'sd-gateway.service'])).stdout).toBe('inactive\n');
    expect(await post(machine(), 'first')).toBe('first\n');
    expect((await machine().run(['systemctl', 'is-active', 'sd-gateway.service'])).stdout).toBe('active\n');
    await machine().check(['systemctl', 'stop', 'sd-gateway.socket', 'sd-gateway.service']);
  });

  it('serve on a Unix socket of the socket unit, under the watchdog, and are found there', async () => {
    const path = '/run/sd-gateway.sock';
    await machine().writeFile(
      '/run/systemd/system/sd-gateway.socket.d/unix.conf',
      `[Socket]\nListenStream=\nListenStream=${path}\n`,
    );
    await machine().writeFile(
      '/run/systemd/system/sd-gateway.service.d/watchdog.conf',
      '[Service]\nWatchdogSec=1\n',
    );
    await machine().check(['systemctl', 'daemon-reload']);
    await machine().check(['systemctl', 'start', 'sd-gateway.socket', 'sd-gateway.service']);
    expect(await machine().check(['sd-gateway', 'status'])).toContain(`unix:${path}`);
    expect(await machine().check(['sd-gateway', 'send', 'found'])).toBe('found\n');
    // It is fed for longer than it would have patience with a channel that can’t be reached.
    const fed = 'systemctl show --value -p WatchdogTimestampMonotonic sd-gateway';
    await machine().check([
      'sh',
      '-c',
      `begun=$(${fed}); until test "$(${fed})" -gt $((begun + 2500000)); do sleep 0.1; done`,
    ]);
    expect(await machine().check(['systemctl', 'show', '--value', '-p', 'NRestarts', 'sd-gateway'])).toBe(
      '0\n',
    );
    await machine().check(['systemctl', 'stop', 'sd-gateway.socket', 'sd-gateway.service']);
    await machine().check([
      'rm',
      '-r',
      '/run/systemd/system/sd-gateway.socket.d',
      '/run/systemd/system/sd-gateway.service.d',
    ]);
    await machine().check(['systemctl', 'daemon-reload']);
  });

  it('run in a user manager, where their user needs to name nothing', async () => {
    const user = await machine().addUser('erin', 1504);
    await machine().check(['systemctl', '--user', 'start', 'sd-gateway.service'], { user });
    expect(await machine().check(['sd-gateway', 'send', 'mine'], { user })).toBe('mine\n');
    const status = await machine().check(['systemctl', '--user', 'status', 'sd-gateway.service'], { user });
    expect(status).toContain('Status: "Ready: ');
    expect(status).toContain('Docs: man:sd-gateway(1)');
    expect(status).not.toContain('mode is different');
    await machine().check(['systemctl', '--user', 'stop', 'sd-gateway.service'], { user });
    expect(
      await machine().check(
        ['systemctl', '--user', 'show', '--value', '-p', 'ActiveState,Result', 'sd-gateway.service'],
        { user },
      ),
    ).toBe('success\ninactive\n');
  });

  it('can be restarted by a person again and again', async () => {
    const show = [
      'systemctl',
      'show',
      '--property=StartLimitBurst,StartLimitIntervalUSec',
      'sd-gateway.service',
    ];
    const limits = (await machine().check(show)).trim().split('\n').sort();
    expect(limits).toEqual(['StartLimitBurst=100', 'StartLimitIntervalUSec=10min']);
    // One more than systemd's own limit.
    for (let round = 0; round < 6; round++)
      await machine().check(['systemctl', 'restart', 'sd-gateway.service']);
    await machine().check(['systemctl', 'stop', 'sd-gateway.service']);
  });

  it('run instances side by side, each with directories of its own', async () => {
    for (const [instance, port] of [
      ['one', 9001],
      ['two', 9002],
    ] as const) {
      await machine().writeFile(
        `/etc/sd-gateway/sd-gateway-${instance}.toml`,
        `[http]\nlisten = "127.0.0.1:${port}"\n`,
      );
    }
    await machine().check(['systemctl', 'start', 'sd-gateway@one.service', 'sd-gateway@two.service']);
    for (const instance of ['one', 'two']) {
      const reply = await machine().check(['sd-gateway', 'send', '--instance', instance, `to ${instance}`]);
      expect(reply).toBe(`to ${instance}\n`);
    }
    for (const [instance, other] of [
      ['one', 'two'],
      ['two', 'one'],
    ] as const) {
      const words = ['systemctl', 'show', '-P', 'MainPID', `sd-gateway@${instance}.service`];
      const pid = (await machine().check(words)).trim();
      const user = await machine().check(['stat', '-c', '%U %G', `/proc/${pid}`]);
      expect(user).toBe(`sd-gateway-${instance} sd-gateway-${instance}\n`);
      // An agent of the other, whatever it does to get out of its sandbox.
      const kill = ['runuser', '-u', `sd-gateway-${other}`, '--', 'kill', '-KILL', pid];
      expect((await machine().run(kill)).stderr).toContain('Operation not permitted');
    }
    await machine().check(['systemctl', 'stop', 'sd-gateway@one.service', 'sd-gateway@two.service']);
  });
});
