import { beforeAll, describe, expect, it } from 'vitest';
import type { CommandResult } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

describeOnMachine('install and uninstall', (machine) => {
  /** `sd-gateway …` as root types it. */
  const type = (...words: readonly string[]): Promise<CommandResult> =>
    machine().run(['sd-gateway', ...words]);

  /** A login shell of a user, as by `su -`. */
  const login = (user: string, script: string): Promise<CommandResult> =>
    machine().run(['su', '-', user, '-c', script]);

  /** Files and links below directories, with their contents' hashes. */
  const filesIn = (...directories: readonly string[]): Promise<string> =>
    machine().check([
      'sh',
      '-c',
      'find "$@" -type f -exec sha256sum {} + -o -type l -printf "%p -> %l\\n" 2>/dev/null | LC_ALL=C sort',
      'sh',
      ...directories,
    ]);

  const isThere = async (path: string): Promise<boolean> =>
    (await machine().run(['test', '-e', path])).status === 0;

  const property = async (unit: string, name: string): Promise<string> =>
    (await machine().check(['systemctl', 'show', '-P', name, unit])).trim();

  /** Posts a webhook of GitHub, signed with the secret; gives the answer. */
  const hook = async (instance: string, secretFile: string): Promise<string> => {
    const { stdout } = await type('check-config', '--instance', instance, '--json');
    const { host, port } = JSON.parse(stdout).configuration.http.listen;
    expect(port).not.toBe(8_733);
    const post = [
      `BODY='{"action": "opened"}'`,
      `SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$(cat ${secretFile})" | sed 's/.* //')`,
      `curl -sS http://${host}:${port}/hooks/github -H "X-Hub-Signature-256: sha256=$SIGNATURE" -d "$BODY"`,
    ];
    return machine().check(['sh', '-ec', post.join('\n')]);
  };

  const unitPath = (name: string) => `/etc/systemd/system/${name}.service`;
  const edit = (path: string, expression: string) => machine().check(['sed', '-i', expression, path]);

  describe('a unit of the system', () => {
    const configuration = '/etc/sd-gateway/sd-gateway.toml';

    it('is shown and planned without a change', async () => {
      const places = [
        '/etc/systemd',
        '/etc/sd-gateway',
        '/etc/sysusers.d',
        '/usr/local/lib',
        '/var/lib/sd-gateway',
        '/var/lib/private',
      ];
      const before = await filesIn(...places);
      const printed = await type('install', '--print');
      expect(printed).toMatchObject({ status: 0, stderr: '' });
      expect(printed.stdout).toContain('\nExecStart=/');
      const planned = await type('install', '--dry-run');
      expect(planned).toMatchObject({ status: 0, stderr: '' });
      expect(planned.stdout).toMatch(
        /^Would write \/etc\/sysusers\.d\/sd-gateway\.conf, .*, and have systemd-sysusers make the user sd-gateway\nWould write \/etc\/sd-gateway\/sd-gateway\.toml.*\nWould write \/etc\/systemd\/system\/sd-gateway\.service/,
      );
      expect(await filesIn(...places)).toBe(before);
      expect(await property('sd-gateway.service', 'LoadState')).toBe('not-found');
      expect((await machine().run(['getent', 'passwd', 'sd-gateway'])).status).toBe(2);
      expect(await type('uninstall')).toMatchObject({
        status: 4,
        stderr: 'sd-gateway: sd-gateway.service is not installed in /etc/systemd/system\n',
      });
    });

    it('is installed, started and answers; a second instance beside it', async () => {
      const printed = await type('install', '--print');
      const installed = await type('install');
      expect(installed).toMatchObject({ status: 0, stderr: '' });
      expect(installed.stdout).toContain('Start it with: sd-gateway start\n');
      expect(await machine().check(['cat', unitPath('sd-gateway')])).toBe(printed.stdout);
      expect(await machine().check(['stat', '-c', '%a %U', unitPath('sd-gateway')])).toBe('644 root\n');
      expect(await property('sd-gateway.service', 'UnitFileState')).toBe('enabled');
      expect((await type('start')).status).toBe(0);

      // Its own gateway is in nobody's way.
      expect(await type('install', '--print')).toMatchObject({ status: 0, stderr: '' });
      await machine().check(['mv', '/etc/sd-gateway/sd-gateway.toml', '/etc/sd-gateway/kept']);
      expect((await type('init', '--yes')).status).toBe(0);
      expect(await machine().check(['cat', '/etc/sd-gateway/sd-gateway.toml'])).not.toContain('8734');
      await machine().check(['mv', '/etc/sd-gateway/kept', '/etc/sd-gateway/sd-gateway.toml']);
      expect(await type('run', '--takeover')).toMatchObject({
        status: 78,
        stderr: expect.stringContaining('runs as sd-gateway.service, which systemd would start again'),
      });

      expect((await type('install', '--instance', 'two', '--now')).status).toBe(0);
      for (const unit of ['sd-gateway', 'sd-gateway-two']) {
        expect(await property(`${unit}.service`, 'ActiveState')).toBe('active');
        const pid = await property(`${unit}.service`, 'MainPID');
        expect(await machine().check(['stat', '-c', '%U', `/proc/${pid}`])).toBe(`${unit}\n`);
      }
      expect(await type('send', 'hi')).toMatchObject({ status: 0, stdout: 'hi\n' });
      expect(await type('send', '--instance', 'two', 'ho')).toMatchObject({ status: 0, stdout: 'ho\n' });
    });

    it('tells other users how they reach it, by each command that needs its token', async () => {
      await machine().check(['useradd', '--create-home', '--shell', '/bin/bash', 'gast']);
      const id = '0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b';
      const commands = [
        ...[
          'send hi',
          'chat',
          'sessions',
          'session show chat',
          'messages chat',
          `show ${id}`,
          `cancel ${id}`,
        ],
        ...['dead list', 'people list', 'token show', 'token list', 'send --instance two hi'],
      ];
      const script = commands.map((words) => `sd-gateway ${words} </dev/null; echo $? >&2`).join('\n');
      const { stdout, stderr } = await login('gast', `${script}\nsd-gateway send --system hi; echo $? >&2`);
      expect(stdout).toBe('');
      const said = stderr.split(/\n69\n/);
      expect(said.pop()).toBe('');
      expect(said).toHaveLength(commands.length + 1);
      for (const [index, words] of [...commands, 'send --system hi'].entries()) {
        const two = words.includes('two') ? ' --instance two' : '';
        expect(said[index]).toContain(`"sudo sd-gateway ${words.split(' ')[0]} …${two}"`);
        expect(said[index]).toContain(`"sudo sd-gateway token add gast --scope post,read${two}"`);
        expect(said[index]).not.toMatch(/mode|Start a gateway/);
      }
      const token = (await type('token', 'add', 'gast', '--scope', 'post,read')).stdout.trim();
      expect(await login('gast', `SD_GATEWAY_TOKEN=${token} sd-gateway send --system hi`)).toMatchObject({
        status: 0,
        stdout: 'hi\n',
      });
      expect((await type('token', 'revoke', 'gast')).status).toBe(0);
    });

    it('is set up by init, whose secret goes to the unit’s user, and takes a webhook', async () => {
      const words = ['--instance', 'three', '--channel', 'github', '--public-url', 'https://example.org'];
      const made = await type('init', ...words, '--install');
      expect(made.status).toBe(0);
      expect(made.stdout).toContain('Give the platform the URL https://example.org/hooks/github');
      expect(await property('sd-gateway-three.service', 'ActiveState')).toBe('active');
      const secretFile = '/etc/sd-gateway/github-three.secret';
      expect(await machine().check(['stat', '-c', '%a %U', secretFile])).toBe('600 sd-gateway-three\n');
      expect(await hook('three', secretFile)).toContain('"state":"accepted"');
      expect(await type('send', '--instance', 'three', 'hi')).toMatchObject({ status: 0, stdout: 'hi\n' });
      expect((await type('uninstall', '--instance', 'three', '--purge', '--yes')).status).toBe(0);
      await machine().check(['rm', secretFile]);
    });

    it('is set up by init in the steps that it names, and again over what is there', async () => {
      const secretFile = '/etc/hook.secret';
      const words = ['--instance', 'four', '--yes'];
      const hooked = [...words, '--channel', 'github', '--secret-file'];
      /** Does the step that init has named. */
      const next = async ({ status, stdout }: CommandResult): Promise<string> => {
        expect(status).toBe(0);
        const [, command = 'false'] = /^Next: "(.*?)"/m.exec(stdout) ?? [];
        await machine().check(['sh', '-ec', command]);
        return command;
      };
      await machine().check([
        'sh',
        '-c',
        'umask 077; openssl rand -hex 32 | tee /root/hook.secret >/etc/hook.secret',
      ]);
      expect(await type('init', ...hooked, '/root/hook.secret')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('ProtectHome=yes hides /root/hook.secret from the gateway: put it'),
      });
      await next(await type('init', ...hooked, secretFile));
      expect(await hook('four', secretFile)).toContain('"state":"accepted"');

      const agent = ['--agent', 'command', '--command'];
      expect(await next(await type('init', ...words, '--force', ...agent, 'echo new'))).toBe(
        'sd-gateway reload --instance four',
      );
      const send = () => type('send', '--instance', 'four', 'hi');
      expect(await send()).toMatchObject({ status: 0, stdout: 'new\n' });
      await machine().check(['systemctl', 'stop', 'sd-gateway-four']);
      await machine().check(['rm', '/etc/sd-gateway/sd-gateway-four.toml']);
      expect(await next(await type('init', ...hooked, secretFile))).toBe('sd-gateway start --instance four');
      expect(await hook('four', secretFile)).toContain('"state":"repeated"');
      expect((await type('uninstall', '--instance', 'four', '--purge', '--yes')).status).toBe(0);
    });

    it('has its records explained by the journal’s catalog', async () => {
      await machine().check(['journalctl', '--sync']);
      const explained = await machine().check(['journalctl', '-x', '--no-pager', '-u', 'sd-gateway.service']);
      expect(explained).toContain('Subject: The gateway serves');
    });

    it('is left alone when nothing has changed, and shown in the difference when something has', async () => {
      const path = unitPath('sd-gateway');
      const untouched = await machine().check(['stat', '-c', '%i %Y', path]);
      expect(await type('install')).toMatchObject({
        status: 0,
        stdout: `${path} is as it should be\n`,
        stderr: '',
      });
      expect(await machine().check(['stat', '-c', '%i %Y', path])).toBe(untouched);

      await edit(configuration, 's/^#drain = .*/drain = "200s"/');
      const updated = await type('install');
      expect(updated).toMatchObject({ status: 0, stderr: '' });
      expect(updated.stdout).toMatch(/^-TimeoutStopSec=60\n(\+#.*\n)?\+TimeoutStopSec=2[1-9]\d$/m);
      expect(updated.stdout).toContain('It runs as before until: sd-gateway restart\n');
      const [, limit] = /^\+TimeoutStopSec=(\d+)$/m.exec(updated.stdout) ?? [];
      const known = await machine().check([
        'busctl',
        'get-property',
        'org.freedesktop.systemd1',
        '/org/freedesktop/systemd1/unit/sd_2dgateway_2eservice',
        'org.freedesktop.systemd1.Service',
        'TimeoutStopUSec',
      ]);
      expect(known).toBe(`t ${Number(limit) * 1_000_000}\n`);
      expect((await type('restart')).status).toBe(0);
    });

    it('that was edited by hand is left alone, unless forced; a drop-in stays', async () => {
      const path = unitPath('sd-gateway');
      await edit(path, 's/^RestartSec=.*/RestartSec=7/');
      const edited = await machine().check(['cat', path]);
      const refused = await type('install');
      expect(refused.status).toBe(1);
      expect(refused.stdout).toMatch(/^-RestartSec=7\n\+RestartSec=2$/m);
      expect(refused.stderr).toContain('was edited by hand');
      expect(refused.stderr).toContain(
        'use a drop-in for changes of your own ("systemctl edit sd-gateway.service")',
      );
      expect(refused.stderr).toContain('nothing was changed; --force');
      expect(await type('uninstall')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('nothing was removed; --force'),
      });
      expect(await machine().check(['cat', path])).toBe(edited);

      const dropIn = `${path}.d/own.conf`;
      await machine().writeFile(dropIn, '[Service]\nRestartSec=9\nNonsense=1\n');
      const forced = await type('install', '--force');
      expect(forced.status).toBe(0);
      expect(forced.stdout).toContain(`Drop-ins that apply besides: ${dropIn}\n`);
      expect(forced.stderr).toContain("own.conf:3: Unknown key 'Nonsense'");
      expect(await property('sd-gateway.service', 'RestartUSec')).toBe('9s');
    });

    it('that a drop-in breaks is not written', async () => {
      const path = unitPath('sd-gateway-two');
      const before = await machine().check(['cat', path]);
      await machine().writeFile(`${path}.d/own.conf`, '[Service]\nExecStart=/bin/true\n');
      await edit('/etc/sd-gateway/sd-gateway-two.toml', 's/^#drain = .*/drain = "100s"/');
      expect(await type('install', '--instance', 'two')).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/systemd-analyze refuses the unit.*more than one ExecStart=/s),
      });
      expect(await machine().check(['cat', path])).toBe(before);
      await machine().check(['rm', '-r', `${path}.d`]);
    });

    it('of somebody else, and a mask, are left alone, unless forced', async () => {
      const path = unitPath('sd-gateway-other');
      const text = '[Service]\nExecStart=/bin/true\n';
      await machine().writeFile(path, text);
      expect(await type('install', '--instance', 'other')).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(
          /was not written by install; .*"systemctl edit sd-gateway-other\.service"/,
        ),
      });
      expect((await type('uninstall', '--instance', 'other')).status).toBe(1);
      expect(await machine().check(['cat', path])).toBe(text);
      expect(await type('install', '--instance', 'other', '--force', '--no-enable')).toMatchObject({
        status: 0,
        stderr: '',
      });
      expect(await property('sd-gateway-other.service', 'UnitFileState')).toBe('disabled');
      expect((await type('uninstall', '--instance', 'other', '--purge', '--yes')).status).toBe(0);

      await machine().check(['ln', '-s', '/dev/null', unitPath('sd-gateway-masked')]);
      expect(await type('install', '--instance', 'masked')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('"systemctl unmask sd-gateway-masked.service" ends that'),
      });
    });

    it('whose configuration or environment file can’t be used is not written', async () => {
      await machine().writeFile('/etc/sd-gateway/sd-gateway-bad.toml', '[http]\nlisen = 1\n');
      expect(await type('install', '--instance', 'bad')).toMatchObject({
        status: 78,
        stderr: expect.stringContaining('did you mean "listen"?'),
      });
      expect(
        await type('install', '--instance', 'bare', '--environment-file', '/etc/not-there'),
      ).toMatchObject({
        status: 78,
        stderr: expect.stringContaining("/etc/not-there: can't be read: there is no such file; make it"),
      });
      for (const name of ['bad', 'bare']) expect(await isThere(unitPath(`sd-gateway-${name}`))).toBe(false);
    });

    it('that does not start says why, as start does, and stays installed', async () => {
      await machine().check([
        'systemd-run',
        '--unit=taker',
        '--property=ExecStartPost=/bin/sh -c "until test -e /run/taken-9172; do :; done"',
        'node',
        '-e',
        'require("net").createServer().listen(9172, "127.0.0.1", () => require("fs").writeFileSync("/run/taken-9172", ""))',
      ]);
      await machine().writeFile(
        '/etc/sd-gateway/sd-gateway-late.toml',
        '[http]\nlisten = "127.0.0.1:9172"\n[start]\nwait = "0"\n',
      );
      const { status, stderr } = await type('install', '--instance', 'late', '--now');
      expect(status).toBe(1);
      expect(stderr).toMatch(
        /sd-gateway: sd-gateway-late\.service is installed, but does not run\.\nsd-gateway-late\.service did not start: .*\n {2}sd-gateway: .*127\.0\.0\.1:9172/s,
      );
      expect(stderr).toContain('sd-gateway logs --invocation current --instance late');
      await machine().check(['systemctl', 'stop', 'sd-gateway-late']);
      await edit('/etc/sd-gateway/sd-gateway-late.toml', 's/^wait = .*/wait = "1min"/');
      const started = type('install', '--instance', 'late', '--now');
      await machine().check([
        'sh',
        '-c',
        'until systemctl show -P StatusText sd-gateway-late | grep -q "^Starting: waiting up to 1min"; do sleep 0.1; done',
      ]);
      await machine().check(['systemctl', 'stop', 'taker']);
      const { status: late, stderr: waited } = await started;
      expect(waited).toMatch(/^Starting: waiting up to 1min: Can't listen on 127\.0\.0\.1:9172: /m);
      expect(late).toBe(0);
      expect(await type('send', '--instance', 'late', 'hi')).toMatchObject({ status: 0, stdout: 'hi\n' });
      expect((await type('uninstall', '--instance', 'late', '--purge', '--yes')).status).toBe(0);
    });

    it('that may not bind its port names the socket unit', async () => {
      await machine().writeFile('/etc/sd-gateway/sd-gateway-low.toml', '[http]\nlisten = "127.0.0.1:80"\n');
      const { status, stderr } = await type('install', '--instance', 'low', '--now');
      expect(stderr).toMatch(
        /127\.0\.0\.1:80: this user may not bind that port\..*socket unit sd-gateway\.socket/,
      );
      expect(status).toBe(1);
      expect((await type('uninstall', '--instance', 'low', '--purge', '--yes')).status).toBe(0);
    });

    it('whose store is elsewhere may write there, once its user owns the directory', async () => {
      await machine().writeFile(
        '/etc/sd-gateway/sd-gateway-far.toml',
        '[http]\nlisten = "127.0.0.1:9174"\n[store]\npath = "/srv/far/gateway.db"\n',
      );
      expect(await type('install', '--instance', 'far')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('make it with "mkdir -p /srv/far"'),
      });
      await machine().check(['mkdir', '-p', '/srv/far']);
      expect(await type('install', '--instance', 'far')).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('"chown sd-gateway-far /srv/far" gives it to them'),
      });
      await machine().check(['chown', 'sd-gateway-far', '/srv/far']);
      expect(await type('install', '--instance', 'far', '--now')).toMatchObject({ status: 0, stderr: '' });
      expect(await type('send', '--instance', 'far', 'hi')).toMatchObject({ status: 0, stdout: 'hi\n' });
      expect(await isThere('/srv/far/gateway.db')).toBe(true);
      const invocation = await property('sd-gateway-far.service', 'InvocationID');
      for (const [path, problem] of [
        ['/srv/nosuch/x.db', 'is not there: make it with "mkdir -p /srv/nosuch", then "sd-gateway install'],
        ['/root/x.db', 'ProtectHome=yes hides /root/x.db from the gateway'],
        ['/srv/x.db', 'the unit may not write in /srv: "sd-gateway install --instance far" gives it'],
      ] as const) {
        await edit('/etc/sd-gateway/sd-gateway-far.toml', `s|^path = .*|path = "${path}"|`);
        const restarted = await type('restart', '--instance', 'far');
        expect(restarted.status).toBe(78);
        expect(restarted.stderr).toContain(`store.path: `);
        expect(restarted.stderr).toContain(problem);
        expect((await type('check-config', '--instance', 'far')).stderr).toContain(problem);
      }
      expect(await property('sd-gateway-far.service', 'InvocationID')).toBe(invocation);
      expect((await type('uninstall', '--instance', 'far', '--purge', '--yes')).status).toBe(0);
    });

    it('is found by the other commands with its own configuration, blanks in its path included', async () => {
      await machine().writeFile('/etc/own place/gate way.toml', '[http]\nlisten = "127.0.0.1:9171"\n');
      const file = '/etc/own place/gate way.toml';
      const own = ['--instance', 'blank', '--config', file];
      expect((await type('install', '--now', ...own)).status).toBe(0);
      expect(await type('check-config', '--instance', 'blank')).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(
          /^# \/etc\/own place\/gate way\.toml, as sd-gateway-blank\.service reads it\n.*\[http\]\nlisten = .*9171/s,
        ),
      });
      expect(await type('send', '--instance', 'blank', 'hi')).toMatchObject({ status: 0, stdout: 'hi\n' });
      const { stdout } = await type('doctor', '--instance', 'blank');
      expect(stdout).toContain('The gateway listens on 127.0.0.1:9171');
      expect(stdout).toContain(file);
      expect((await type('uninstall', '--instance', 'blank', '--purge', '--yes')).status).toBe(0);
    });

    it('whose configuration is below home directories that a link leads to is not written', async () => {
      const link =
        'mkdir -p /var/home && mv /home /home-before && ln -s var/home /home && touch /var/home/gw.toml';
      await machine().check(['sh', '-c', link]);
      try {
        for (const path of ['/home/gw.toml', '/var/home/gw.toml']) {
          const { status, stderr } = await type('install', '--instance', 'linked', '--config', path);
          expect(status).toBe(1);
          expect(stderr).toContain(`the unit’s ProtectHome=yes hides ${path} from the gateway`);
        }
        expect(await isThere(unitPath('sd-gateway-linked'))).toBe(false);
      } finally {
        await machine().check(['sh', '-c', 'rm /home /var/home/gw.toml && mv /home-before /home']);
      }
    });

    it('runs by a Node.js with a blank in its path', async () => {
      await machine().check([
        'sh',
        '-c',
        'mkdir "/opt/node js" && cp "$(command -v node)" "/opt/node js/node"',
      ]);
      const install = ['/opt/node js/node', '/usr/lib/sd-gateway/dist/cli/main.js', 'install', '--now'];
      expect((await machine().run([...install, '--instance', 'blank'])).status).toBe(0);
      expect(await type('send', '--instance', 'blank', 'hi')).toMatchObject({ status: 0, stdout: 'hi\n' });
      const pid = await property('sd-gateway-blank.service', 'MainPID');
      expect(await machine().check(['readlink', `/proc/${pid}/exe`])).toBe('/opt/node js/node\n');
      expect((await type('doctor', '--instance', 'blank')).stdout).toContain('(/opt/node js/node), ABI ');
      expect((await type('uninstall', '--instance', 'blank', '--purge', '--yes')).status).toBe(0);
    });

    it('is not put beside an instance of the template, whose messages are not purged', async () => {
      const template = 'sd-gateway@twin.service';
      const shipped = '/usr/lib/sd-gateway/systemd/sd-gateway@.service';
      await machine().check(['cp', shipped, '/etc/systemd/system/']);
      await machine().writeFile(
        '/etc/sd-gateway/sd-gateway-twin.toml',
        '[http]\nlisten = "127.0.0.1:9173"\n',
      );
      await machine().check(['systemctl', 'daemon-reload']);
      await makeShippedUser(machine(), 'twin');
      await machine().check(['systemctl', 'enable', '--now', template]);
      expect(await type('install', '--instance', 'twin')).toMatchObject({
        status: 1,
        stderr: `sd-gateway: ${template} is active, and has the same directories; "systemctl disable --now ${template}" ends that\nsd-gateway: nothing was changed; --force installs it all the same\n`,
      });
      const setUp = ['init', '--force', '--yes', '--agent', 'command', '--command', 'echo twin'];
      expect((await type(...setUp, '--instance', 'twin', '--install')).status).toBe(0);
      expect(await type('send', '--instance', 'twin', 'hi')).toMatchObject({ status: 0, stdout: 'twin\n' });
      expect(await isThere(unitPath('sd-gateway-twin'))).toBe(false);

      await machine().check(['systemctl', 'stop', template]);
      expect(await type('uninstall', '--instance', 'twin', '--purge', '--yes')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`${template} is enabled, and has the same directories`),
      });
      expect(await isThere('/var/lib/sd-gateway-twin/gateway.db')).toBe(true);
      await machine().check(['systemctl', 'disable', '--now', template]);
      expect((await type('uninstall', '--instance', 'twin', '--purge', '--yes')).status).toBe(0);
      expect(await isThere('/var/lib/sd-gateway-twin')).toBe(false);
      await machine().check(['rm', '/etc/systemd/system/sd-gateway@.service']);
      await machine().check(['systemctl', 'daemon-reload']);
    });

    it('that systemd can’t load is removed', async () => {
      const path = unitPath('sd-gateway-broken');
      expect((await type('install', '--instance', 'broken')).status).toBe(0);
      await machine().writeFile(`${path}.d/own.conf`, '[Service]\nExecStart=/bin/true\n');
      await machine().check(['systemctl', 'daemon-reload']);
      expect(await property('sd-gateway-broken.service', 'LoadState')).toBe('bad-setting');
      expect(await type('uninstall', '--instance', 'broken', '--purge', '--yes')).toMatchObject({
        status: 0,
        stderr: `sd-gateway: drop-ins are yours, and stay: ${path}.d/own.conf\n`,
      });
      expect(await isThere(path)).toBe(false);
      await machine().check(['rm', '-r', `${path}.d`]);
      await machine().check(['systemctl', 'daemon-reload']);
    });

    it('runs as another user, with what its own has left', async () => {
      const state = '/var/lib/sd-gateway-two';
      const token = await machine().check(['cat', `${state}/token`]);
      await machine().check(['useradd', '--system', 'worker']);
      expect(await type('install', '--instance', 'two', '--run-as', 'nobody-here')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('useradd --system nobody-here'),
      });
      const installed = await type('install', '--instance', 'two', '--run-as', 'worker', '--now');
      expect(installed.status).toBe(0);
      expect(installed.stdout).toMatch(/^-User=sd-gateway-two\n\+User=worker$/m);
      const pid = await property('sd-gateway-two.service', 'MainPID');
      expect(await machine().check(['stat', '-c', '%U', `/proc/${pid}`])).toBe('worker\n');
      expect(await type('send', '--instance', 'two', 'again')).toMatchObject({
        status: 0,
        stdout: 'again\n',
      });
      expect(await machine().check(['stat', '-c', '%U', `${state}/token`])).toBe('worker\n');
      expect(await machine().check(['cat', `${state}/token`])).toBe(token);
      expect((await type('install', '--instance', 'two')).stdout).toContain(
        'As installed before: --run-as worker\n',
      );
    });

    it('is removed with its data kept, until they are purged', async () => {
      const state = '/var/lib/sd-gateway-two';
      const removed = await type('uninstall', '--instance', 'two');
      expect(removed).toMatchObject({ status: 0, stderr: '' });
      expect(removed.stdout).toContain(
        `Kept, until --purge: /etc/sd-gateway/sd-gateway-two.toml, ${state}\n`,
      );
      expect(await property('sd-gateway-two.service', 'LoadState')).toBe('not-found');
      expect(await filesIn('/etc/systemd/system')).not.toContain('sd-gateway-two');
      expect(await isThere(`${state}/gateway.db`)).toBe(true);
      expect((await type('uninstall', '--instance', 'two')).status).toBe(4);

      expect(await type('uninstall', '--instance', 'two', '--purge')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('add --yes'),
      });
      expect(await isThere(`${state}/gateway.db`)).toBe(true);
      expect((await type('uninstall', '--instance', 'two', '--purge', '--yes')).status).toBe(0);
      for (const path of [state, '/etc/sd-gateway/sd-gateway-two.toml'])
        expect(await isThere(path)).toBe(false);
      // The other one has nothing of it.
      expect(await type('send', 'still')).toMatchObject({ status: 0, stdout: 'still\n' });
    });

    it('the last one takes the catalog with it, and leaves drop-ins', async () => {
      const catalog = '/usr/local/lib/systemd/catalog/sd-gateway.catalog';
      const dropIn = `${unitPath('sd-gateway')}.d/own.conf`;
      await machine().check([
        'sh',
        '-c',
        `rm -r /etc/sd-gateway/sd-gateway-bad.toml ${unitPath('sd-gateway-masked')}`,
      ]);
      expect(await isThere(catalog)).toBe(true);
      expect(await type('uninstall', '--purge', '--yes')).toMatchObject({
        status: 0,
        stderr: `sd-gateway: drop-ins are yours, and stay: ${dropIn}\n`,
      });
      const paths = [catalog, '/etc/sd-gateway', '/var/lib/sd-gateway', '/var/lib/private/sd-gateway'];
      for (const path of paths) expect(await isThere(path)).toBe(false);
      expect(await isThere(dropIn)).toBe(true);
      const known = await machine().check(['journalctl', '--no-pager', '--dump-catalog']);
      expect(known).not.toContain('Defined-By: sd-gateway');
    });
  });

  describe('a unit of a user', () => {
    beforeAll(async () => {
      await machine().addUser('nora', 1520);
      await machine().check(['useradd', '--create-home', '--uid', '1521', '--shell', '/bin/bash', 'lea']);
    });

    it('is installed, answers and is removed', async () => {
      expect(
        await login('nora', 'sd-gateway install && sd-gateway start && sd-gateway send hi'),
      ).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/\nhi\n$/),
      });
      const home = '/home/nora/.config';
      expect(await machine().check(['stat', '-c', '%a %U', `${home}/sd-gateway/sd-gateway.toml`])).toBe(
        '600 nora\n',
      );
      expect(
        await login('nora', 'sd-gateway install --instance two --now && sd-gateway send --instance two ho'),
      ).toMatchObject({
        status: 0,
        stderr: '',
        stdout: expect.stringMatching(/\nho\n$/),
      });
      const removed = await login('nora', 'sd-gateway uninstall');
      expect(removed.status).toBe(0);
      expect(removed.stdout).toContain(`${home}/sd-gateway/gateway.db,`);
      expect(removed.stdout).not.toContain('gateway.db-wal');
      expect(await isThere(`${home}/systemd/user/sd-gateway.service`)).toBe(false);
      expect(await isThere(`${home}/sd-gateway/token`)).toBe(true);
      const purge = 'sd-gateway uninstall --purge --yes && sd-gateway uninstall --instance two --purge --yes';
      expect((await login('nora', purge)).status).toBe(0);
      expect(await filesIn(home)).toBe('');
      expect((await login('nora', 'sd-gateway uninstall')).status).toBe(4);
    });

    it('keeps data that a gateway in the foreground uses', async () => {
      const script = [
        'sd-gateway run --instance held 2>/tmp/held.log &',
        'until sd-gateway status --instance held >/dev/null; do kill -0 $! || exit 99; sleep 0.05; done',
        'sd-gateway uninstall --instance held --purge --yes; purged=$?',
        'sd-gateway send --instance held hi; sd-gateway stop --instance held >/dev/null; wait',
        'sd-gateway uninstall --instance held --purge --yes >/dev/null && exit $purged',
      ];
      expect(await login('nora', script.join('\n'))).toMatchObject({
        status: 1,
        stdout: 'hi\n',
        stderr: expect.stringMatching(/ is in use by .*: stop that gateway, then run this again/),
      });
    });

    it('without linger says what that means, and enables it with --yes', async () => {
      const why = 'Without linger the gateway ends when lea logs out, and doesn’t start at boot.';
      expect(await login('lea', 'sd-gateway install')).toMatchObject({
        status: 0,
        stderr: `sd-gateway: ${why} "loginctl enable-linger lea" enables it.\n`,
      });
      expect(await isThere('/var/lib/systemd/linger/lea')).toBe(false);
      expect(await login('lea', 'sd-gateway install --yes')).toMatchObject({
        status: 0,
        stderr: '',
        stdout: expect.stringContaining('Enabled linger for lea'),
      });
      expect(await isThere('/var/lib/systemd/linger/lea')).toBe(true);
    });

    it('that its manager would not look for is taken back', async () => {
      const refused = await login('lea', 'XDG_CONFIG_HOME=$HOME/other sd-gateway install --instance lost');
      expect(refused).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('doesn’t look for units in /home/lea/other/systemd/user'),
      });
      expect(await filesIn('/home/lea/other')).toBe('');
    });

    it('that can’t be enabled is taken back', async () => {
      const before = await filesIn('/home/lea/.config');
      const script = `
        directory=~/.config/systemd/user/default.target.wants
        mv $directory $directory.kept && touch $directory
        sd-gateway install --instance lost; status=$?
        rm $directory && mv $directory.kept $directory
        systemctl --user show --property=LoadState --value sd-gateway-lost
        exit $status`;
      expect(await login('lea', script)).toMatchObject({
        status: 1,
        stdout: expect.stringMatching(/\nnot-found\n$/),
        stderr: expect.stringMatching(/^sd-gateway: systemctl --user enable: .*default\.target\.wants/s),
      });
      expect(await filesIn('/home/lea/.config')).toBe(before);
    });

    it('that can’t be enabled in the place of a mask leaves the mask', async () => {
      const script = `
        units=~/.config/systemd/user
        mv $units/default.target.wants $units/default.target.wants.kept && touch $units/default.target.wants
        ln -s /dev/null $units/sd-gateway-lost.service
        sd-gateway install --instance lost --force; status=$?
        readlink $units/sd-gateway-lost.service
        rm $units/default.target.wants $units/sd-gateway-lost.service
        mv $units/default.target.wants.kept $units/default.target.wants
        systemctl --user daemon-reload
        exit $status`;
      expect(await login('lea', script)).toMatchObject({
        status: 1,
        stdout: expect.stringMatching(/\n\/dev\/null\n$/),
      });
    });

    it('is not one of the system', async () => {
      expect((await login('lea', 'sd-gateway install --system')).status).toBe(77);
      expect((await login('lea', 'sd-gateway uninstall --system')).status).toBe(77);
      expect((await login('lea', 'sd-gateway install --run-as lea')).status).toBe(64);
    });
  });
});
