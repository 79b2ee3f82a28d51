import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { seal } from '../../src/units/unit-text.js';
import type { CommandResult } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

/** As 0.1.0 shipped it, with DynamicUser=. */
const formerUnit = (name: string): string =>
  readFileSync(new URL(`fixtures/0.1.0/${name}`, import.meta.url), 'utf8');

/** Answers once the file is there, so that a test has messages waiting for as long as it wants. */
const patientAgent = `[agent]
type = "command"
command = ["/bin/sh", "-c", "cat >/dev/null; until test -e /var/go; do sleep 0.05; done; id -un"]
[stop]
drain = "0s"
`;

describeOnMachine('a system unit with a user of its own', (machine) => {
  const type = (...words: readonly string[]): Promise<CommandResult> =>
    machine().run(['sd-gateway', ...words]);
  const check = (...words: readonly string[]): Promise<string> => machine().check(words);
  const shell = (script: string, ...words: readonly string[]): Promise<string> =>
    check('sh', '-c', script, 'sh', ...words);
  const isThere = async (path: string): Promise<boolean> =>
    (await machine().run(['test', '-e', path])).status === 0;
  const words = (instance: string | null): readonly string[] =>
    instance === null ? [] : ['--instance', instance];
  const shipped = '/usr/lib/sd-gateway/systemd';

  /** Posts messages that wait; gives their IDs. */
  async function leaveWaiting(instance: string | null): Promise<readonly string[]> {
    await check('rm', '-f', '/var/go');
    const ids: string[] = [];
    for (const text of ['one', 'two', 'three']) {
      const sent = await type('send', '--wait', '0', '--json', ...words(instance), text);
      expect(sent.status).toBe(75);
      ids.push((JSON.parse(sent.stdout) as { readonly id: string }).id);
    }
    return ids;
  }

  /** The replies to all of them, once the agent may go on. */
  async function replies(state: string, port: number, ids: readonly string[]): Promise<readonly unknown[]> {
    await check('touch', '/var/go');
    const ask =
      'curl --silent --max-time 40 -H "Authorization: Bearer $(cat "$1/token")" "http://127.0.0.1:$2/v1/messages/$3?wait=30"';
    const found: unknown[] = [];
    for (const id of ids) {
      const answer = JSON.parse(await shell(ask, state, String(port), id)) as {
        readonly reply?: { readonly text: string };
      };
      found.push(answer.reply?.text);
    }
    return found;
  }

  /** All that lies in the directories belongs to the user, and nothing is left of the dynamic one. */
  async function expectOwned(name: string, user: string): Promise<void> {
    const owners = await check('find', `/var/lib/${name}`, `/run/${name}`, '-printf', '%u %y\n');
    expect([...new Set(owners.trim().split('\n'))].sort()).toEqual(
      ['d', 'f', 's'].map((kind) => `${user} ${kind}`),
    );
    expect(await isThere(`/var/lib/private/${name}`)).toBe(false);
  }

  describe('after one with DynamicUser=, with work waiting', () => {
    const gateways = [
      { instance: null, name: 'sd-gateway', template: false, port: 8733 },
      { instance: 'one', name: 'sd-gateway-one', template: true, port: 9301 },
    ] as const;

    beforeAll(async () => {
      await machine().writeFile('/etc/sd-gateway/sd-gateway.toml', patientAgent);
      for (const [instance, port] of [
        ['one', 9301],
        ['two', 9302],
        ['three', 9303],
      ] as const) {
        await machine().writeFile(
          `/etc/sd-gateway/sd-gateway-${instance}.toml`,
          `${patientAgent}[http]\nlisten = "127.0.0.1:${port}"\n`,
        );
      }
    });

    it.each(gateways)(
      'of 0.1.0 ($name), is restarted into: each message is answered, the token stays',
      async ({ instance, name, template, port }) => {
        const file = template ? 'sd-gateway@.service' : 'sd-gateway.service';
        const unit = template ? `sd-gateway@${instance}.service` : 'sd-gateway.service';
        await machine().writeFile(`/etc/systemd/system/${file}`, formerUnit(file));
        await check('systemctl', 'daemon-reload');
        await check('systemctl', 'start', unit);
        expect((await check('readlink', `/var/lib/${name}`)).trim()).toBe(`private/${name}`);
        const ids = await leaveWaiting(instance);
        const token = await check('cat', `/var/lib/${name}/token`);

        await makeShippedUser(machine(), instance);
        await check('cp', `${shipped}/${file}`, '/etc/systemd/system/');
        await check('systemctl', 'daemon-reload');
        await check('systemctl', 'restart', unit);
        expect(await replies(`/var/lib/${name}`, port, ids)).toEqual(ids.map(() => name));
        expect(await check('cat', `/var/lib/${name}/token`)).toBe(token);
        await expectOwned(name, name);
        await check('systemctl', 'stop', unit);
      },
    );

    it.each([
      { instance: 'two', port: 9302, when: 'runs' },
      { instance: 'three', port: 9303, when: 'is stopped' },
    ] as const)(
      'that install of 0.1.0 wrote, is installed while that $when: each message is answered, the token stays',
      async ({ instance, port, when }) => {
        const name = `sd-gateway-${instance}`;
        const unit = `${name}.service`;
        const printed = await check('sd-gateway', 'install', '--print', ...words(instance));
        const former = printed.replace(/^.*\n/, '').replace(/^User=.*$/m, 'DynamicUser=yes');
        await machine().writeFile(`/etc/systemd/system/${unit}`, seal(former));
        await check('systemctl', 'daemon-reload');
        await check('systemctl', 'start', unit);
        const ids = await leaveWaiting(instance);
        const token = await check('cat', `/var/lib/${name}/token`);
        if (when === 'is stopped') {
          await check('systemctl', 'stop', unit);
          expect((await check('readlink', `/run/${name}`)).trim()).toBe(`private/${name}`);
        }
        const installed = await type('install', '--now', ...words(instance));
        expect(installed).toMatchObject({ status: 0, stderr: '' });
        expect(installed.stdout).toMatch(
          new RegExp(`^-DynamicUser=yes\\n\\+User=${name}$[^]*^Made the user ${name}`, 'm'),
        );
        expect(await replies(`/var/lib/${name}`, port, ids)).toEqual(ids.map(() => name));
        expect(await check('cat', `/var/lib/${name}/token`)).toBe(token);
        await expectOwned(name, name);
        expect((await type('uninstall', '--purge', '--yes', ...words(instance))).status).toBe(0);
      },
    );

    it('of 0.1.0 is replaced, with its configuration and its database, all at once', async () => {
      const name = 'sd-gateway-old';
      const unit = 'sd-gateway@old.service';
      const state = `/var/lib/${name}`;
      await machine().writeFile(`/etc/sd-gateway/${name}.toml`, formerUnit('sd-gateway.toml'));
      await machine().writeFile('/etc/systemd/system/sd-gateway@.service', formerUnit('sd-gateway@.service'));
      await check('systemctl', 'daemon-reload');
      await check('systemctl', 'start', unit);
      await check('systemctl', 'stop', unit);
      const token = await check('cat', `${state}/token`);
      // That version's program has left schema version 7, with two messages of "queued" waiting.
      const script = `
        const { readFileSync } = require('node:fs');
        import('/usr/lib/sd-gateway/test/support/sqlite.mjs').then(({ default: Database }) => {
          const database = new Database(process.argv[1]);
          database.exec(readFileSync('/usr/lib/sd-gateway/test/store/fixtures/schema-7.sql', 'utf8'));
          database.close();
        });`;
      await shell(`rm ${state}/gateway.db* ${state}/fatal-signal ${state}/last-words.json`);
      await check('node', '--eval', script, `${state}/gateway.db`);
      await shell(`chown --reference=${state}/token ${state}/gateway.db*`);

      await makeShippedUser(machine(), 'old');
      await check('rm', `/run/${name}`);
      await check('cp', `${shipped}/sd-gateway@.service`, '/etc/systemd/system/');
      await check('systemctl', 'daemon-reload');
      expect((await type('start', '--instance', 'old')).status).toBe(0);
      await expect
        .poll(async () => (await type('messages', 'queued', '--json', '--instance', 'old')).stdout, {
          timeout: 30_000,
          interval: 200,
        })
        .toMatch(new RegExp(`^(.*"state":"replied".*"text":"${name}".*\n){2}$`));
      // Messages that had come to their end before are there too.
      expect((await type('messages', 'dead', '--json', '--instance', 'old')).stdout).toContain(
        '"state":"dead"',
      );
      expect(await check('cat', `${state}/token`)).toBe(token);
      const inForce = (await type('check-config', '--instance', 'old')).stdout;
      expect(inForce).toMatch(/^max_attempts = 10$/m);
      expect(inForce).toMatch(/^expire = "1d"$/m);
      expect((await type('store', 'check', '--instance', 'old')).stdout).toContain('is sound');
      await expectOwned(name, name);
      await check('systemctl', 'stop', unit);
    });

    it('is copied after the stop of that: the start says which link is in the way, and starts without it', async () => {
      const name = 'sd-gateway-seven';
      const unit = 'sd-gateway@seven.service';
      const path = '/etc/systemd/system/sd-gateway@.service';
      await machine().writeFile(`/etc/sd-gateway/${name}.toml`, '[http]\nlisten = "127.0.0.1:9307"\n');
      await machine().writeFile(path, formerUnit('sd-gateway@.service'));
      await check('systemctl', 'daemon-reload');
      await check('systemctl', 'start', unit);
      await check('systemctl', 'stop', unit);
      expect(await type('status', '--instance', 'seven')).toMatchObject({
        status: 3,
        stdout: expect.not.stringContaining('DynamicUser='),
      });
      await makeShippedUser(machine(), 'seven');
      await check('cp', `${shipped}/sd-gateway@.service`, path);
      await check('systemctl', 'daemon-reload');
      const { status, stderr } = await type('start', '--instance', 'seven');
      expect(status).toBe(1);
      expect(stderr).toContain('233 (RUNTIME_DIRECTORY');
      const [, command = ''] = /has left, .*To remove it: (.*)$/m.exec(stderr) ?? [];
      expect(command).toBe(`rm /run/${name}`);
      expect((await type('status', '--instance', 'seven')).stdout).toContain(`To remove it: ${command}`);
      expect((await type('doctor', '--instance', 'seven')).stdout).toContain(`Remove it: ${command}`);
      await shell(command);
      await check('systemctl', 'reset-failed', unit);
      expect((await type('start', '--instance', 'seven')).status).toBe(0);
      expect(await type('send', '--instance', 'seven', 'hi')).toMatchObject({ stdout: 'hi\n' });
      await check('systemctl', 'stop', unit);
    });

    it('is followed by a gateway in the foreground, whose runtime directory takes the place of the link', async () => {
      const name = 'sd-gateway-four';
      const unit = `${name}.service`;
      const printed = await check('sd-gateway', 'install', '--print', '--instance', 'four');
      await machine().writeFile(
        `/etc/systemd/system/${unit}`,
        printed.replace(/^User=.*$/m, 'DynamicUser=yes'),
      );
      await machine().writeFile(`/etc/sd-gateway/${name}.toml`, '[http]\nlisten = "127.0.0.1:9304"\n');
      await check('systemctl', 'daemon-reload');
      await check('systemctl', 'start', unit);
      await check('systemctl', 'stop', unit);
      await check('rm', `/etc/systemd/system/${unit}`);
      await check('systemctl', 'daemon-reload');
      expect((await check('readlink', `/run/${name}`)).trim()).toBe(`private/${name}`);
      // As the gateway of another user says that it has to be.
      await check('chown', '--recursive', 'root:root', `/var/lib/private/${name}`);
      const script = [
        `sd-gateway run --instance four 2>/tmp/four.log &`,
        'until sd-gateway send --instance four hi 2>/dev/null; do kill -0 $! 2>/dev/null || { cat /tmp/four.log; exit 99; }; sleep 0.1; done',
        'kill -INT $!; wait $!; test -d /run/sd-gateway-four && ! test -L /run/sd-gateway-four',
      ];
      expect(await shell(script.join('\n'))).toBe('hi\n');
    });
  });

  describe('that does not exist', () => {
    const make = async (...words: readonly string[]): Promise<string> => {
      const shown = await type('status', ...words);
      expect(shown.status).toBe(1);
      const [, command = ''] = /To make it: (.*)$/m.exec(shown.stdout.replace(/\n(?=\S)/g, ' ')) ?? [];
      return command;
    };

    it('has its command in the status, after which an instance of the template starts', async () => {
      const unit = 'sd-gateway@five.service';
      await check('cp', `${shipped}/sd-gateway@.service`, '/etc/systemd/system/');
      await check('systemctl', 'daemon-reload');
      const started = await type('start', '--instance', 'five');
      expect(started.status).toBe(1);
      expect(started.stderr).toContain(
        'The user sd-gateway-five, as which sd-gateway@five.service runs, does not exist. To make it: sd-gateway install --instance five\n',
      );
      expect(await make('--instance', 'five')).toBe('sd-gateway install --instance five');
      const doctor = await type('doctor', '--instance', 'five');
      expect(doctor.stdout).toMatch(/user: The user sd-gateway-five.*\n.*→ Make it: sd-gateway install/);

      const installed = await type('install', '--instance', 'five', '--now');
      expect(installed).toMatchObject({
        status: 0,
        stderr: '',
        stdout: `Wrote /etc/sysusers.d/sd-gateway-five.conf, which declares the user sd-gateway-five
Made the user sd-gateway-five
Wrote /etc/sd-gateway/sd-gateway-five.toml, a configuration to begin with
Started sd-gateway@five.service
`,
      });
      // The gateway without a name has the port before it.
      expect(await check('cat', '/etc/sd-gateway/sd-gateway-five.toml')).toMatch(
        /^listen = "127\.0\.0\.1:8734"$/m,
      );
      expect(await isThere('/etc/systemd/system/sd-gateway-five.service')).toBe(false);
      expect(await type('send', '--instance', 'five', 'hi')).toMatchObject({ stdout: 'hi\n' });
      expect((await type('install', '--instance', 'five')).stderr).toContain(`${unit} is active`);
      await check('systemctl', 'stop', unit);
    });

    it('because no user can have the name, is told with the command for another', async () => {
      const unit = 'sd-gateway@a.b.service';
      expect((await machine().run(['systemctl', 'start', unit])).status).toBe(1);
      const shown = (await type('status', '--instance', 'a.b')).stdout.replace(/\s+/g, ' ');
      const command = `systemctl disable --now ${unit} && systemctl reset-failed ${unit} && sd-gateway install --instance a.b`;
      expect(shown).toContain(`For a unit with another one: ${command}`);
      await machine().writeFile('/etc/sd-gateway/sd-gateway-a.b.toml', '[http]\nlisten = "127.0.0.1:9306"\n');
      await shell(`${command} --now`);
      expect(await type('send', '--instance', 'a.b', 'hi')).toMatchObject({ stdout: 'hi\n' });
      const user = (await check('systemctl', 'show', '-P', 'User', 'sd-gateway-a.b.service')).trim();
      expect(user).toMatch(/^sd-gateway_[0-9a-f]{16}$/);
      expect(await check('getent', 'passwd', user)).toContain('instance a.b');
      expect((await type('uninstall', '--instance', 'a.b', '--purge', '--yes')).status).toBe(0);
    });

    it('is made by install for a unit that was copied, and for its own', async () => {
      await check('cp', `${shipped}/sd-gateway.service`, '/etc/systemd/system/');
      await check('systemctl', 'daemon-reload');
      await check('userdel', 'sd-gateway');
      await machine().writeFile('/etc/sd-gateway/sd-gateway.toml', '');
      expect((await machine().run(['systemctl', 'start', 'sd-gateway'])).status).toBe(1);
      expect(await make()).toBe('sd-gateway install');
      expect((await type('install')).status).toBe(0);
      expect(await type('start')).toMatchObject({ status: 0 });
      expect(await type('send', 'hi')).toMatchObject({ stdout: 'hi\n' });
      expect((await type('install', '--force', '--now')).status).toBe(0);

      await check('systemctl', 'stop', 'sd-gateway');
      await check('userdel', 'sd-gateway');
      expect((await machine().run(['systemctl', 'start', 'sd-gateway'])).status).toBe(1);
      expect(await make()).toBe('sd-gateway install');
      expect((await type('install', '--now')).status).toBe(0);
      // The user has another number now, and its files with it.
      expect(await type('send', 'hi')).toMatchObject({ stdout: 'hi\n' });
      await expectOwned('sd-gateway', 'sd-gateway');
    });
  });

  it('shares it with no other instance, unless forced', async () => {
    const refused = await type('install', '--instance', 'six', '--run-as', 'sd-gateway');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('/etc/systemd/system/sd-gateway.service runs as sd-gateway, too:');
    expect((await type('install', '--instance', 'six', '--run-as', 'sd-gateway', '--force')).status).toBe(0);
    // A unit that was installed so is updated.
    expect(await type('install', '--instance', 'six', '--no-enable')).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('runs as sd-gateway, too:'),
    });
    expect((await type('uninstall', '--instance', 'six', '--purge', '--yes')).status).toBe(0);
  });

  it('is kept when all else is purged, and is not made again at the boot', async () => {
    const removed = await type('uninstall', '--purge', '--yes');
    expect(removed).toMatchObject({ status: 0, stderr: '' });
    expect(removed.stdout).toContain('Removed /etc/sysusers.d/sd-gateway.conf\n');
    expect(removed.stdout).toMatch(/^Kept: the user sd-gateway, .*"userdel sd-gateway" removes it$/m);
    await check('getent', 'passwd', 'sd-gateway');
    await check('userdel', 'sd-gateway');
    await check('systemd-sysusers');
    expect((await machine().run(['getent', 'passwd', 'sd-gateway'])).status).toBe(2);
  });
});
