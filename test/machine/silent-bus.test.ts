import { afterEach, expect, it } from 'vitest';
import { messageIds } from '../../src/log/fields.js';
import { agentThatWaitsFor } from './harness/agent.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** The answer shows that the gateway lived through these seconds. */
const answersAfter = (seconds: number) => ({
  SD_GATEWAY_AGENT_TYPE: 'command',
  SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', `cat >/dev/null; sleep ${seconds}; echo fine`]),
});

const stopped = {
  ActiveState: 'inactive',
  SubState: 'dead',
  Result: 'success',
  ExecMainStatus: '0',
  NRestarts: '0',
};

/** Root’s systemctl speaks with the manager itself. Another user’s has only the bus. */
const unprivileged = 'User=daemon';

describeOnMachine('a bus that is silent or late', (machine) => {
  const bus = async (signal: 'STOP' | 'CONT') => {
    const pid = await machine().check(['systemctl', 'show', '--property=MainPID', '--value', 'dbus.service']);
    await machine().check(['kill', `-${signal}`, pid.trim()]);
  };
  const stoppedRecord = async (gateway: GatewayUnit) => {
    const [record] = await gateway.journal(`MESSAGE_ID=${messageIds.stopped}`);
    const [, milliseconds] = /^Stopped after (\d+) ms: /.exec(record?.['MESSAGE'] ?? '') ?? [];
    return { record, milliseconds: Number(milliseconds) };
  };
  /** Warnings and worse of the gateway, and what it says of the bus. */
  const complaints = async (gateway: GatewayUnit) =>
    (await gateway.journal('SYSLOG_IDENTIFIER=sd-gateway')).filter(
      ({ PRIORITY, MESSAGE }) => Number(PRIORITY) <= 4 || /bus/i.test(MESSAGE ?? ''),
    );

  afterEach(async () => {
    await bus('CONT');
  });

  it('leaves a gateway alone that starts and serves while it is silent', async () => {
    await bus('STOP');
    const gateway = await GatewayUnit.install(machine(), {
      name: 'unheard',
      service: [unprivileged, 'Restart=always'],
      environment: answersAfter(4),
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'hello' });
    expect(await gateway.reply(String(body['id']))).toBe('fine');
    await gateway.succeed('stop');
    expect(await gateway.result()).toEqual(stopped);
    expect(await complaints(gateway)).toEqual([]);
    const { record, milliseconds } = await stoppedRecord(gateway);
    expect(record?.['SD_GATEWAY_JOB']).toBeUndefined();
    // It waits a tenth of a second for the job. The rest is room for a busy machine.
    expect(milliseconds).toBeLessThan(2_000);
  });

  it('does not hold up the drain, nor does who asks it outlive the gateway', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'unheeded',
      // systemd ends nothing of what the gateway leaves behind.
      service: [unprivileged, 'KillMode=process'],
      environment: agentThatWaitsFor('/tmp/unheeded-go'),
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'work' });
    await gateway.waitForStatus('1 running');
    await bus('STOP');
    const stop = gateway.succeed('stop');
    // Said before the drain ends, without waiting for all of the time that systemctl has.
    await gateway.waitForRecord(
      { MESSAGE: 'Stopping: planned stop by systemd (PID 1, UID 0)' },
      `MESSAGE_ID=${messageIds.stopRequested}`,
    );
    expect((await machine().run(['pgrep', '--uid', 'daemon', '--exact', 'systemctl'])).status).toBe(0);
    await machine().check(['touch', '/tmp/unheeded-go']);
    await stop;
    expect(await gateway.result()).toEqual(stopped);
    expect((await machine().run(['pgrep', '--uid', 'daemon', '--exact', 'systemctl'])).status).toBe(1);
    expect(await complaints(gateway)).toEqual([]);
    await gateway.succeed('start');
    expect(await gateway.reply(String(body['id']))).toBe('done');
    await gateway.succeed('stop');
  });

  it('tells the job of a stop that drains even if it answers late', async () => {
    await machine().writeFile(
      '/etc/systemd/system/dbus.service.d/late.conf',
      '[Service]\nExecStartPre=/bin/sleep 1.6\n',
    );
    await machine().check(['systemctl', 'daemon-reload']);
    const gateway = await GatewayUnit.install(machine(), {
      name: 'late',
      service: [unprivileged, 'Restart=always'],
      environment: answersAfter(4),
    });
    await machine().check(['systemctl', 'stop', 'dbus.service']);
    await gateway.succeed('start');
    const first = await gateway.post('chat', { text: 'hello' });
    expect(await gateway.reply(String(first.body['id']))).toBe('fine');

    await machine().check(['systemctl', 'stop', 'dbus.service']);
    const second = await gateway.post('chat', { text: 'hello' });
    await gateway.waitForStatus('1 running');
    await gateway.succeed('stop');
    expect(await gateway.result()).toEqual(stopped);
    expect(await complaints(gateway)).toEqual([]);
    expect((await stoppedRecord(gateway)).record).toMatchObject({
      MESSAGE: expect.stringContaining('by systemd (PID 1, UID 0), stop job; 1 turn ended'),
      SD_GATEWAY_JOB: 'stop',
    });
    await gateway.succeed('start');
    expect(await gateway.reply(String(second.body['id']))).toBe('fine');
    await gateway.succeed('stop');
  });
});

describeOnMachine('a gateway that can’t run systemctl', (machine) => {
  it('stops as any other, without a job on record and without a word', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'alone',
      service: ['InaccessiblePaths=/usr/bin/systemctl'],
    });
    await gateway.succeed('start');
    await gateway.succeed('stop');
    expect(await gateway.result()).toEqual(stopped);
    const records = await gateway.journal('SYSLOG_IDENTIFIER=sd-gateway');
    expect(records.filter(({ PRIORITY }) => Number(PRIORITY) <= 4)).toEqual([]);
    const [record] = await gateway.journal(`MESSAGE_ID=${messageIds.stopped}`);
    expect(record?.['MESSAGE']).toContain('planned stop by systemd (PID 1, UID 0); 0 turns ended');
  });
});
