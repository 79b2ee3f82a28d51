import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CommandResult } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** The user of the gateway and its agents, and another one on the same machine. */
const keeper = { name: 'keeper', uid: 1_401 };
const mallory = { name: 'mallory', uid: 1_402 };

const state = '/var/lib/sd-gateway';
const runtime = '/run/sd-gateway';
const left = '/root/left';
const log = '/var/tmp/attack.log';
const secret = 'only-root-may-read-this';
const rootsFile = '/root/secret';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\u001b\u0007\u009b]/;

describeOnMachine('the commands beside a hostile', (machine) => {
  let unit: GatewayUnit;

  /** A command of root's, which must end in time. */
  const asRoot = (...words: readonly string[]): Promise<CommandResult> =>
    machine().run(['sd-gateway', ...words], { timeout: 30_000 });

  /** The same on a terminal of its own; gives all that the terminal would get. */
  const onTerminal = async (...words: readonly string[]): Promise<string> => {
    const command = ['sd-gateway', ...words].map((word) => `'${word}'`).join(' ');
    return (await machine().run(['script', '--quiet', '--return', '--command', command, '/dev/null'])).stdout;
  };

  const shell = (script: string): Promise<string> => machine().check(['sh', '-euc', script]);

  const attack = async (user: { readonly name: string }, ...words: readonly string[]): Promise<void> => {
    await shell(`rm -f ${log}; touch ${log}; chmod 666 ${log}`);
    await machine().check([
      'systemd-run',
      '--quiet',
      '--unit=attacker',
      '--service-type=notify',
      `--uid=${user.name}`,
      '/usr/bin/python3',
      '/usr/lib/sd-gateway/test/machine/harness/attacker.py',
      log,
      ...words,
    ]);
  };

  const heard = (): Promise<string> => machine().check(['cat', log]);

  beforeAll(async () => {
    for (const { name, uid } of [keeper, mallory]) {
      await machine().check(['useradd', '--create-home', '--uid', String(uid), name]);
    }
    await shell(`umask 077; echo ${secret} >${rootsFile}; chmod 1777 /var/tmp`);
    unit = await GatewayUnit.install(machine(), {
      name: 'sd-gateway',
      environment: { SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:8733' },
      service: [`User=${keeper.name}`, 'RuntimeDirectoryPreserve=yes'],
    });
  });

  const startUnit = async (): Promise<void> => {
    await machine().run(['systemctl', 'reset-failed', 'sd-gateway.service']);
    await unit.succeed('start');
  };

  /** Leaves all as a gateway does that has run and was stopped. The first one is copied for the others. */
  const leaveStopped = async (): Promise<void> => {
    if ((await machine().run(['test', '-d', left])).status === 0) {
      await shell(`cp -a ${left}/state ${state}; cp -a ${left}/runtime ${runtime}`);
      return;
    }
    await startUnit();
    await unit.succeed('stop');
    await shell(`mkdir ${left}; cp -a ${state} ${left}/state; cp -a ${runtime} ${left}/runtime`);
  };

  afterEach(async () => {
    await machine().run(['systemctl', 'stop', 'attacker.service']);
    await machine().run(['systemctl', 'reset-failed', 'attacker.service']);
    await unit.attempt('stop');
    await shell(`rm -rf ${state} ${runtime} /etc/sd-gateway`);
  });

  describe('user who takes the port while the gateway is down', () => {
    it('is sent neither the token nor the message, and is named', async () => {
      await startUnit();
      expect((await asRoot('send', 'hello')).stdout).toBe('hello\n');
      const token = (await machine().check(['cat', `${state}/token`])).trim();
      const person = (...words: readonly string[]) =>
        machine().run(['runuser', '--user', mallory.name, '--', 'sd-gateway', 'send', ...words, 'hello'], {
          environment: { SD_GATEWAY_TOKEN: token },
        });
      expect(await person('--system')).toMatchObject({ status: 0, stdout: 'hello\n' });
      // Nothing says that the gateway of the system is meant.
      const meantOwn = await person();
      expect(meantOwn.stderr).toMatch(/UID 1401.*UID 1402.*--system/);
      expect(meantOwn.status).toBe(69);
      await unit.succeed('stop');
      await attack(mallory, 'tcp', '8733');
      for (const words of [['send', 'for the gateway'], ['dead'], ['cancel', 'an-id']]) {
        const ended = await asRoot(...words);
        expect(ended.stderr).toMatch(/127\.0\.0\.1:8733.*UID 1402.*UID 1401.*nothing was sent/is);
        expect(ended.stderr).toContain('--url');
        expect(ended).toMatchObject({ status: 69, stdout: '' });
      }
      const given = await machine().run(['sd-gateway', 'send', 'for the gateway'], {
        environment: { SD_GATEWAY_TOKEN: 'given-by-hand' },
      });
      expect(given.status).toBe(69);
      const own = await machine().run(
        ['runuser', '--user', keeper.name, '--', 'sd-gateway', 'send', '--system', 'for the gateway'],
        { environment: { SD_GATEWAY_TOKEN: 'given-by-hand' } },
      );
      expect(own.status).toBe(69);
      const sent = await heard();
      expect(sent).toContain('connected');
      expect(sent).not.toMatch(/Bearer|for the gateway|given-by-hand|POST|GET/);
      expect(sent).not.toContain(token);
    });

    it('at a Unix socket gets nothing either', async () => {
      const path = '/tmp/gateway-http.sock';
      await machine().writeFile('/etc/sd-gateway/sd-gateway.toml', `[http]\nlisten = "unix:${path}"\n`);
      await leaveStopped();
      await attack(mallory, 'unix', path);
      const ended = await machine().run(
        ['sd-gateway', 'send', '--config', '/etc/sd-gateway/sd-gateway.toml', 'x'],
        {
          environment: { RUNTIME_DIRECTORY: runtime, STATE_DIRECTORY: state },
        },
      );
      expect(ended.status).toBe(69);
      expect(ended.stderr).toMatch(/UID 1402/);
      expect(await heard()).not.toMatch(/Bearer|POST/);
    });

    it('gets both where the operator names the address', async () => {
      await leaveStopped();
      await attack(mallory, 'tcp', '8733');
      await asRoot('send', '--url', 'http://127.0.0.1:8733', '--wait', '0', 'on purpose');
      expect(await heard()).toMatch(/Bearer .*on purpose/s);
    });

    it('is told from a socket unit, which the service manager holds for the gateway', async () => {
      await leaveStopped();
      await machine().writeFile(
        '/etc/systemd/system/sd-gateway.socket',
        '[Socket]\nListenStream=127.0.0.1:8733\nFileDescriptorName=http\n',
      );
      await machine().check(['systemctl', 'daemon-reload']);
      await machine().check(['systemctl', 'start', 'sd-gateway.socket']);
      expect(await asRoot('send', 'wake up')).toMatchObject({ status: 0, stdout: 'wake up\n', stderr: '' });
      await machine().check(['systemctl', 'stop', 'sd-gateway.socket', 'sd-gateway.service']);
      await shell('rm /etc/systemd/system/sd-gateway.socket; systemctl daemon-reload');
    });
  });

  describe('agent', () => {
    it('can’t read the gateway’s memory, environment or descriptors', async () => {
      await unit.succeed('start');
      const pid = await unit.mainPid();
      const asAgent = (script: string) =>
        machine().run([
          'setpriv',
          `--reuid=${keeper.uid}`,
          `--regid=${keeper.uid}`,
          '--clear-groups',
          'sh',
          '-c',
          script,
        ]);
      for (const script of [`cat /proc/${pid}/environ`, `ls -l /proc/${pid}/fd/`, `: </proc/${pid}/mem`]) {
        expect(await asAgent(script)).toMatchObject({ stderr: expect.stringMatching(/Permission denied/) });
      }
      // Its own processes are open to it.
      expect((await asAgent('cat /proc/self/environ')).status).toBe(0);
      expect((await asRoot('send', 'still there')).stdout).toBe('still there\n');
      expect((await asRoot('doctor')).stdout).toContain('The gateway listens on 127.0.0.1:8733');
    });

    it('can’t have root read through a link in the place of the token', async () => {
      await leaveStopped();
      await shell(`rm ${state}/token; ln -s ${rootsFile} ${state}/token; rm -f ${runtime}/control.sock`);
      await attack(keeper, 'control', `${runtime}/control.sock`, 'http://127.0.0.1:8744');
      await machine().check([
        'systemd-run',
        '--quiet',
        '--unit=receiver',
        '--service-type=notify',
        `--uid=${keeper.name}`,
        '/usr/bin/python3',
        '/usr/lib/sd-gateway/test/machine/harness/attacker.py',
        log,
        'tcp',
        '8744',
      ]);
      const ended = await asRoot('send', 'hello');
      await machine().check(['systemctl', 'stop', 'receiver.service']);
      expect(ended.stderr).toMatch(/token.* symbolic link/s);
      expect(ended.status).toBe(69);
      expect(await heard()).not.toMatch(new RegExp(`${secret}|Bearer`));
    });

    it('is asked as its own user, and leads root nowhere by its control socket', async () => {
      await leaveStopped();
      await attack(keeper, 'control', `${runtime}/control.sock`, 'http://127.0.0.1:8733');
      for (const words of [['status'], ['doctor'], ['stop'], ['send', 'x']]) await asRoot(...words);
      const asked = await heard();
      expect(asked).toMatch(/uid 1401/);
      expect(asked).not.toMatch(/uid 0/);
      await machine().check(['systemctl', 'stop', 'attacker.service']);

      // A socket that is for root alone.
      await attack({ name: 'root' }, 'control', '/root/control.sock');
      await shell(`rm -f ${runtime}/control.sock; ln -s /root/control.sock ${runtime}/control.sock`);
      for (const words of [['status'], ['doctor'], ['stop'], ['send', 'x']]) await asRoot(...words);
      expect(await heard()).toBe('listens\n');
    });

    it('can’t name an address of another machine or user by its control socket', async () => {
      await startUnit();
      await attack(keeper, 'control', `${runtime}/control.sock`, 'http://127.0.0.1:8745');
      await machine().check([
        'systemd-run',
        '--quiet',
        '--unit=receiver',
        '--service-type=notify',
        `--uid=${mallory.name}`,
        '/usr/bin/python3',
        '/usr/lib/sd-gateway/test/machine/harness/attacker.py',
        log,
        'tcp',
        '8745',
      ]);
      const ended = await asRoot('send', 'hello');
      await machine().check(['systemctl', 'stop', 'receiver.service']);
      expect(ended.status).toBe(69);
      expect(await heard()).not.toMatch(/Bearer/);
    });

    it('can’t have root copy, read or change what is not its own by a link in the place of the database', async () => {
      await startUnit();
      const roots = '/root/other.db';
      await unit.succeed('stop');
      await shell(`cp ${state}/gateway.db ${roots}; chmod 600 ${roots}`);
      await shell(`rm ${state}/gateway.db*; ln -s ${roots} ${state}/gateway.db`);
      for (const words of [
        ['check'],
        ['backup', '/root/copy.db'],
        ['export', '/root/export.jsonl'],
        ['recover'],
        ['import', '/dev/null'],
      ]) {
        const ended = await asRoot('store', ...words);
        expect([words, ended.status]).toEqual([words, 1]);
        expect(ended.stderr).toMatch(/gateway\.db|other\.db/);
      }
      await asRoot('status');
      const doctor = await asRoot('doctor');
      expect(doctor.stdout).not.toMatch(/ok +store/);
      expect((await shell('ls -A /root')).split('\n')).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/other\.db.|copy|export/)]),
      );
    });

    it('leaves root’s own files to root: a backup and an export are root’s, an import reads what root may read', async () => {
      await startUnit();
      expect((await asRoot('send', 'kept')).status).toBe(0);
      await shell('mkdir -m 700 /root/backups');
      for (const words of [
        ['backup', '/root/backups/gateway.db'],
        ['export', '/root/backups/all.jsonl'],
      ]) {
        expect(await asRoot('store', ...words)).toMatchObject({ status: 0, stderr: '' });
      }
      expect(await shell('stat -c "%n %U %a" /root/backups/*')).toBe(
        '/root/backups/all.jsonl root 600\n/root/backups/gateway.db root 600\n',
      );
      await unit.succeed('stop');
      await shell(`rm -r ${state}/gateway.db*`);
      expect(await asRoot('store', 'import', '/root/backups/all.jsonl')).toMatchObject({ status: 0 });
      expect(await shell(`stat -c %U ${state}/gateway.db* | sort -u`)).toBe(`${keeper.name}\n`);
      await unit.succeed('start');
      expect((await asRoot('send', 'again')).status).toBe(0);
      expect((await asRoot('store', 'check')).stdout).toContain('is sound');
      await unit.succeed('stop');
      expect(await asRoot('store', 'recover')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('is sound: there is nothing to recover'),
      });
      expect((await asRoot('store', 'recover', '--yes')).status).toBe(0);
      expect(await shell(`stat -c %U ${state}/* | sort -u`)).toBe(`${keeper.name}\n`);
      await shell('rm -r /root/backups');
    });

    it('of a dynamic user, whose directory only root can reach, leads root nowhere either', async () => {
      await leaveStopped();
      await machine().writeFile(
        '/etc/systemd/system/sd-gateway.service.d/dynamic.conf',
        '[Service]\nUser=\nDynamicUser=yes\n',
      );
      await machine().check(['systemctl', 'daemon-reload']);
      await unit.succeed('start');
      expect(await shell('readlink /var/lib/sd-gateway')).toBe('private/sd-gateway\n');
      expect(await asRoot('send', 'hello')).toMatchObject({ stdout: 'hello\n', stderr: '', status: 0 });
      expect((await asRoot('store', 'check')).stdout).toContain('is sound');
      expect((await asRoot('status', '--json')).stdout).toContain('"verdict":"running"');
      await unit.succeed('stop');
      await shell(`cp ${state}/gateway.db /root/other.db; rm ${state}/token ${state}/gateway.db`);
      await shell(`ln -s ${rootsFile} ${state}/token; ln -s /root/other.db ${state}/gateway.db`);
      await shell(`chown --no-dereference --reference=${state}/ ${state}/token ${state}/gateway.db`);
      const sent = await asRoot('send', 'hello');
      expect(sent.stderr).toMatch(/token is a symbolic link/);
      expect(sent.status).toBe(69);
      for (const action of ['check', 'export', 'recover']) {
        const ended = await asRoot('store', action);
        expect(ended.stderr).toMatch(/gateway\.db: it is a symbolic link/);
        expect(ended).toMatchObject({ status: 78, stdout: '' });
      }
      await asRoot('status');
      expect((await asRoot('doctor')).stdout).toMatch(/unknown +store: .*symbolic link/);
      await shell('rm -r /etc/systemd/system/sd-gateway.service.d; systemctl daemon-reload');
      await shell(`rm -rf /var/lib/private/sd-gateway /run/private/sd-gateway ${state} ${runtime}`);
    });

    const looks = [['status'], ['doctor']];
    const usesStore = [
      ['store', 'check'],
      ['store', 'export', '/dev/null'],
      ['store', 'backup', '/var/tmp/copy.db'],
      ['store', 'import', '/dev/null'],
      ['store', 'recover'],
      ...looks,
    ];
    it.each([
      ['token', [['send', 'x'], ...looks]],
      ['gateway.db', usesStore],
      ['gateway.db-seal', usesStore],
      ['gateway.db-wal', usesStore],
      ['gateway.db-shm', usesStore],
      ['gateway.db.lock', usesStore],
    ])('can’t hang a command by a pipe in the place of %s', async (name, commands) => {
      await leaveStopped();
      await shell(
        `rm -f ${state}/${name}; mkfifo ${state}/${name}; chown ${keeper.name} ${state}/${name}; chmod 600 ${state}/${name}`,
      );
      for (const words of commands) {
        // Rejects when it takes too long.
        const ended = await asRoot(...words);
        expect(ended.stderr).not.toMatch(/\n {4}at /);
      }
      await shell('rm -f /var/tmp/copy.db*');
    });

    it.each(['token', 'gateway.db', 'gateway.db-seal', 'last-words.json', 'webhook-secret'])(
      'can’t hang the next start by a pipe in the place of %s',
      async (name) => {
        await leaveStopped();
        await shell(
          `rm -f ${state}/${name}; mkfifo ${state}/${name}; chown ${keeper.name} ${state}/${name}; chmod 600 ${state}/${name}`,
        );
        const started = await unit.attempt('start');
        if (name === 'last-words.json') expect(started).toBe(0);
        else {
          expect(started).not.toBe(0);
          expect(await unit.result()).toMatchObject({ ExecMainStatus: '78' });
          expect((await unit.messages()).join('\n')).toContain(`${state}/${name}`);
        }
      },
    );

    /** Colours, and the line that shows that a command waits, are the program's own. */
    const withoutOwn = (shown: string): string =>
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      shown.replaceAll(/\u001b\[(\d*m|K)/g, '');

    it('can’t steer root’s terminal by what it answers', async () => {
      await leaveStopped();
      await attack(keeper, 'control', `${runtime}/control.sock`, 'http://127.0.0.1:8733');
      for (const words of [['status'], ['stop']]) {
        const shown = withoutOwn(await onTerminal(...words));
        expect(shown).toContain('\\x1b]0;taken over');
        expect(shown).not.toMatch(controls);
      }
      await machine().check(['systemctl', 'stop', 'attacker.service']);
      await attack(keeper, 'tcp', '8733');
      for (const words of [
        ['send', 'x'],
        ['send', '--json', 'x'],
        ['dead', 'show', 'x'],
        ['cancel', '--session', 'x'],
      ]) {
        expect(withoutOwn(await onTerminal(...words))).not.toMatch(controls);
      }
    });
  });

  it('pipe in the place of the configuration hangs neither a command nor a reload', async () => {
    await startUnit();
    const file = '/etc/sd-gateway/sd-gateway.toml';
    await shell(`mkfifo ${file}`);
    const reloaded = await asRoot('reload');
    expect(reloaded.status).toBe(78);
    expect(reloaded.stderr).toMatch(/sd-gateway\.toml.* no regular file/);
    expect(await machine().run(['sd-gateway', 'send', '--url', 'http://127.0.0.1:8733', 'x'])).toMatchObject({
      stdout: 'x\n',
    });
    for (const command of ['check-config', 'doctor', 'status']) {
      const { stdout, stderr } = await asRoot(command);
      if (command !== 'status') expect(stdout + stderr).toMatch(/sd-gateway\.toml.* no regular file/s);
    }
    await unit.succeed('stop');
    expect(await unit.attempt('start')).not.toBe(0);
    expect(await unit.result()).toMatchObject({ ExecMainStatus: '78' });
  });
});
