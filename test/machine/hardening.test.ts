import { expect, it } from 'vitest';
import type { Machine, User } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

const shipped = '/usr/lib/sd-gateway/systemd';
const agent =
  '[agent]\ntype = "command"\ncommand = ["/bin/sh", "-c", "cat >/dev/null; grep -E ^CapBnd /proc/self/status; touch /usr/x 2>&1; true"]\n';

/** Any call that the filter refuses kills, so that it can't be missed. */
async function killWhatIsRefused(machine: Machine, folder: string): Promise<void> {
  await machine.writeFile(
    `${folder}/sd-gateway.service.d/refused.conf`,
    '[Service]\nSystemCallErrorNumber=kill\nRestart=no\n',
  );
}

async function scoreOf(machine: Machine, unit: string, user?: User): Promise<number> {
  const as = user === undefined ? {} : { user };
  const scope = user === undefined ? [] : ['--user'];
  const text = await machine.check(['systemd-analyze', ...scope, 'security', '--no-pager', unit], as);
  return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
}

/** Start, a turn, a reload, a stop: what the filter and the sandbox have to let through. */
async function liveThrough(machine: Machine, user?: User): Promise<string> {
  const as = user === undefined ? {} : { user };
  const systemctl = ['systemctl', ...(user === undefined ? [] : ['--user'])];
  await machine.check([...systemctl, 'start', 'sd-gateway.service'], as);
  const reply = await machine.check(['sd-gateway', 'send', 'hello'], as);
  await machine.check([...systemctl, 'reload', 'sd-gateway.service'], as);
  await machine.check([...systemctl, 'stop', 'sd-gateway.service'], as);
  const shown = [...systemctl, 'show', '--value', '-p', 'Result', 'sd-gateway.service'];
  expect(await machine.check(shown, as)).toBe('success\n');
  const field = user === undefined ? '_SYSTEMD_UNIT' : '_SYSTEMD_USER_UNIT';
  const records = await machine.journal(`${field}=sd-gateway.service`);
  const texts = records.map((record) => record['MESSAGE']);
  // By the signal of ExecReload=, which has to get through the sandbox as well.
  expect(texts).toContain('The configuration was read again.');
  // By systemctl, which has to run in the sandbox and to reach the manager from it.
  expect(texts).toContainEqual(expect.stringMatching(/^Stopped after .*\), stop job; /));
  return reply;
}

describeOnMachine('the sandbox', (machine) => {
  it('of the system unit is exposed 1.3 at most, and refuses no call that the gateway makes', async () => {
    await machine().check(['sh', '-c', `cp ${shipped}/*.service /etc/systemd/system/`]);
    await makeShippedUser(machine());
    await machine().writeFile('/etc/sd-gateway/sd-gateway.toml', agent);
    await killWhatIsRefused(machine(), '/etc/systemd/system');
    await machine().check(['systemctl', 'daemon-reload']);
    for (const unit of ['sd-gateway.service', 'sd-gateway@one.service']) {
      expect(await scoreOf(machine(), unit)).toBeLessThanOrEqual(1.3);
    }
    expect(await liveThrough(machine())).toBe(
      "CapBnd:\t0000000000000000\ntouch: cannot touch '/usr/x': Read-only file system\n",
    );
  });

  it('refuses no call of a delivery, a start on a taken port, or a crash either', async () => {
    const throws =
      "--import=data:text/javascript,process.on('SIGWINCH',()=>{throw(new(Error)('thrown_by_the_test'))})";
    await machine().writeFile(
      '/etc/systemd/system/sd-gateway.service.d/environment.conf',
      `[Service]\nEnvironment=SD_GATEWAY_DELIVERY_ALLOW=127.0.0.0/8 SD_GATEWAY_DELIVERY_MAX_ATTEMPTS=1 SD_GATEWAY_START_WAIT=3s\nEnvironment="NODE_OPTIONS=${throws}"\n`,
    );
    // Holds the port of the default configuration.
    await machine().check(['cp', `${shipped}/sd-gateway.socket`, '/etc/systemd/system/held.socket']);
    await machine().check([
      'sed',
      '-i',
      '/^FileDescriptorName/s/.*/Service=sleeps.service/',
      '/etc/systemd/system/held.socket',
    ]);
    await machine().writeFile('/etc/systemd/system/sleeps.service', '[Service]\nExecStart=sleep 600\n');
    await machine().check(['systemctl', 'daemon-reload']);
    await machine().check(['systemctl', 'start', 'held.socket']);
    const status = [
      'systemctl',
      'show',
      '--property=Result,ExecMainCode,ExecMainStatus',
      'sd-gateway.service',
    ];
    const failed = 'Result=exit-code\nExecMainCode=1\nExecMainStatus=1\n';
    expect((await machine().run(['systemctl', 'start', 'sd-gateway.service'])).status).not.toBe(0);
    expect(await machine().check(status)).toBe(failed);
    await machine().check(['systemctl', 'stop', 'held.socket']);

    await machine().check(['systemctl', 'start', 'sd-gateway.service']);
    const token = (await machine().check(['cat', '/var/lib/sd-gateway/token'])).trim();
    await machine().check([
      'curl',
      '--silent',
      '--fail',
      '--header',
      `Authorization: Bearer ${token}`,
      '--header',
      'Content-Type: application/json',
      '--data',
      '{"text": "hello", "reply_to": {"url": "http://127.0.0.1:1/nobody"}}',
      'http://127.0.0.1:8733/v1/sessions/a/messages',
    ]);
    const dead =
      'journalctl --follow --lines=all --unit=sd-gateway --output=cat | grep --max-count=1 "could not be delivered"';
    await machine().check(['timeout', '20', 'sh', '-c', dead]);
    const crash =
      'kill -WINCH $(systemctl show -P MainPID sd-gateway); while systemctl is-active -q sd-gateway; do sleep 0.05; done';
    await machine().check(['timeout', '20', 'sh', '-c', crash]);
    expect(await machine().check(status)).toBe(failed);
  });

  it('of the user unit is exposed 1.7 at most, in force, and refuses no call either', async () => {
    await machine().check(['sh', '-c', `cp ${shipped}/user/*.service /etc/systemd/user/`]);
    await killWhatIsRefused(machine(), '/etc/systemd/user');
    const user = await machine().addUser('gina', 1701);
    await machine().writeFile('/home/gina/.config/sd-gateway/sd-gateway.toml', agent);
    await machine().check(['chown', '-R', 'gina:', '/home/gina/.config']);
    for (const unit of ['sd-gateway.service', 'sd-gateway@one.service']) {
      expect(await scoreOf(machine(), unit, user)).toBeLessThanOrEqual(1.7);
    }
    expect(await liveThrough(machine(), user)).toBe(
      "CapBnd:\t0000000000000000\ntouch: cannot touch '/usr/x': Read-only file system\n",
    );
  });

  it('of the user unit can be taken back where the kernel allows no user namespaces', async () => {
    // The manager's own filter stands for such a kernel.
    await machine().writeFile(
      '/etc/systemd/system/user@1702.service.d/refuse.conf',
      '[Service]\nRestrictNamespaces=~user\n',
    );
    await machine().check(['systemctl', 'daemon-reload']);
    const user = await machine().addUser('hugo', 1702);
    expect(
      (await machine().run(['systemctl', '--user', 'start', 'sd-gateway.service'], { user })).status,
    ).not.toBe(0);
    const status = ['systemctl', '--user', 'show', '--value', '-p', 'ExecMainStatus', 'sd-gateway.service'];
    expect(await machine().check(status, { user })).toBe('217\n');
    const documented = await machine().check([
      'sed',
      '-n',
      '/^```ini/,/^```/{/^```/!p}',
      '/usr/lib/sd-gateway/docs/hardening.md',
    ]);
    await machine().writeFile('/etc/systemd/user/sd-gateway.service.d/no-user-namespaces.conf', documented);
    await machine().check(['systemctl', '--user', 'daemon-reload'], { user });
    await machine().check(['systemctl', '--user', 'start', 'sd-gateway.service'], { user });
    expect(await machine().check(['sd-gateway', 'send', 'hello'], { user })).toBe('hello\n');
    await machine().check(['systemctl', '--user', 'stop', 'sd-gateway.service'], { user });
  });
});
