import { expect, it } from 'vitest';
import type { CommandResult, Machine } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

const shipped = '/usr/lib/sd-gateway/systemd';

/** A drop-in of an operator's in the place of an earlier one; then the unit is started anew. */
async function restartWith(machine: Machine, unit: string, lines: readonly string[]): Promise<CommandResult> {
  const folder = `/etc/systemd/system/${unit.replace(/@.*\./, '@.')}.d`;
  await machine.writeFile(`${folder}/agent.conf`, ['[Service]', ...lines, ''].join('\n'));
  await machine.check(['systemctl', 'daemon-reload']);
  return machine.run(['systemctl', 'restart', unit]);
}

async function variables(machine: Machine, unit: string): Promise<string> {
  const pid = (await machine.check(['systemctl', 'show', '--property=MainPID', '--value', unit])).trim();
  return machine.check(['sh', '-c', `tr '\\0' '\\n' </proc/${pid}/environ`]);
}

function propertyOf(shown: string, property: string): string {
  return new RegExp(`^${property}=(.*)$`, 'm').exec(shown)?.[1] ?? '';
}

const further = ['StateDirectory=agent-cache', 'RuntimeDirectory=agent-run', 'ConfigurationDirectory=agent'];

// systemd sorts the directories of a list (systemd/systemd#24783): a further one may come before the gateway's.
describeOnMachine('a drop-in with further directories', (machine) => {
  it('leaves the store, the token, the configuration and the control socket where they are', async () => {
    const unit = 'sd-gateway.service';
    await machine().check(['cp', `${shipped}/${unit}`, '/etc/systemd/system/']);
    await makeShippedUser(machine());
    await machine().writeFile(
      '/etc/sd-gateway/sd-gateway.toml',
      '[dispatch]\nconcurrency = 1\n[agent]\ntype = "command"\ncommand = ["/bin/sh", "-c", "until test -e /etc/sd-gateway/open; do sleep 0.1; done; cat"]\n[stop]\ndrain = "100ms"\n',
    );
    await machine().check(['systemctl', 'start', unit]);
    const waiting = await machine().run(['sd-gateway', 'send', '--wait', '0', '--json', 'kept']);
    const { id } = JSON.parse(waiting.stdout) as { readonly id: string };
    const token = await machine().check(['cat', '/var/lib/sd-gateway/token']);

    expect((await restartWith(machine(), unit, further)).status).toBe(0);
    const environment = await variables(machine(), unit);
    expect(propertyOf(environment, 'STATE_DIRECTORY')).toMatch(/agent-cache:.*sd-gateway$/);
    expect(propertyOf(environment, 'RUNTIME_DIRECTORY')).toMatch(/agent-run:.*sd-gateway$/);
    expect(propertyOf(environment, 'CONFIGURATION_DIRECTORY')).toMatch(/agent:.*sd-gateway$/);
    expect(await machine().check(['cat', '/var/lib/sd-gateway/token'])).toBe(token);
    expect(await machine().check(['ls', '-A', '/var/lib/agent-cache/', '/run/agent-run/'])).not.toMatch(
      /token|gateway\.db|control\.sock|compiled/,
    );

    await machine().check(['touch', '/etc/sd-gateway/open']);
    expect(await machine().check(['sd-gateway', 'send', 'still there'])).toContain('still there');
    const answer = await machine().check([
      'curl',
      '--silent',
      '--header',
      `Authorization: Bearer ${token.trim()}`,
      `http://127.0.0.1:8733/v1/messages/${id}?wait=30`,
    ]);
    expect(answer).toMatch(/"state":\s*"replied"/);
    const status = JSON.parse(await machine().check(['sd-gateway', 'status', '--json'])) as {
      readonly gateway: { readonly database: string } | null;
    };
    expect(status.gateway?.database).toMatch(/\/sd-gateway\/gateway\.db$/);
    const doctor = await machine().check(['sd-gateway', 'doctor']);
    expect(doctor).toMatch(/ok +directories: .*sd-gateway/);
    expect(await machine().check(['sd-gateway', 'check-config'])).toContain('\nconcurrency = 1\n');
    expect((await machine().run(['sd-gateway', 'store', 'check'])).stdout).toContain('is sound');
  });

  it('is refused with 78 where none of several is the gateway’s, and says so everywhere', async () => {
    const unit = 'sd-gateway.service';
    const lines = ['StateDirectory=', 'StateDirectory=agent-cache sd-gateway-2'];
    expect((await restartWith(machine(), unit, lines)).status).not.toBe(0);
    const shown = await machine().check(['systemctl', 'show', unit]);
    expect(propertyOf(shown, 'ExecMainStatus')).toBe('78');
    expect(propertyOf(shown, 'StatusText')).toContain('STATE_DIRECTORY');
    const told =
      /STATE_DIRECTORY: it holds .*\/agent-cache, .*\/sd-gateway-2, .* "sd-gateway".*StateDirectory=/;
    const journal = await machine().journal(`--unit=${unit}`);
    expect(journal.map(({ MESSAGE = '' }) => MESSAGE).join('\n')).toMatch(told);
    for (const command of ['send', 'store', 'check-config']) {
      const words = { send: ['x'], store: ['check'], 'check-config': [] }[command] ?? [];
      const ended = await machine().run(['sd-gateway', command, ...words]);
      expect(ended.stderr).toMatch(told);
      expect(ended.status).toBe(78);
    }
    const doctor = await machine().run(['sd-gateway', 'doctor']);
    expect(doctor.stdout).toMatch(/problem +directories: STATE_DIRECTORY/);
    expect(doctor.status).toBe(1);
    const status = await machine().run(['sd-gateway', 'status']);
    expect(status.stderr).toBe('');
    expect(status.status).toBe(1);
    expect(
      await machine().check(['ls', '-A', '/var/lib/agent-cache/', '/var/lib/sd-gateway-2/']),
    ).not.toMatch(/token|gateway\.db/);
  });

  it('takes the only directory, whatever its name: the operator has put it there', async () => {
    const unit = 'sd-gateway.service';
    await machine().check(['systemctl', 'reset-failed', unit]);
    const lines = ['StateDirectory=', 'StateDirectory=moved'];
    expect((await restartWith(machine(), unit, lines)).status).toBe(0);
    expect(await machine().check(['ls', '-A', '/var/lib/moved/'])).toContain('gateway.db');
    expect(await machine().check(['sd-gateway', 'send', 'elsewhere'])).toContain('elsewhere');
    await machine().check(['systemctl', 'stop', unit]);
  });

  it('goes by the name of the instance with the template', async () => {
    const unit = 'sd-gateway@a.service';
    await machine().check(['cp', `${shipped}/sd-gateway@.service`, '/etc/systemd/system/']);
    await makeShippedUser(machine(), 'a');
    await machine().writeFile('/etc/sd-gateway/sd-gateway-a.toml', '[http]\nlisten = "127.0.0.1:8755"\n');
    const lines = [...further, 'StateDirectory=sd-gateway', 'RuntimeDirectory=sd-gateway-'];
    expect((await restartWith(machine(), unit, lines)).status).toBe(0);
    expect(propertyOf(await variables(machine(), unit), 'STATE_DIRECTORY').split(':')).toHaveLength(3);
    expect(await machine().check(['sd-gateway', 'send', '--instance', 'a', 'hello'])).toBe('hello\n');
    expect(await machine().check(['ls', '-A', '/var/lib/sd-gateway-a/'])).toContain('gateway.db');
    expect(await machine().check(['ls', '-A', '/run/sd-gateway-a/'])).toContain('control.sock');
    await machine().check(['systemctl', 'stop', unit]);
  });
});
