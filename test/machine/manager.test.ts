import { expect, it } from 'vitest';
import { agentThatWaitsFor } from './harness/agent.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

// One after the other: these do something to the manager itself.
describeOnMachine('the manager', (machine) => {
  it('executes itself again and stays the supervisor', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'reexec' });
    await gateway.succeed('start');
    await gateway.systemctl('daemon-reexec');
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
    expect(await gateway.messages()).toContainEqual(
      // The connection to the manager's bus may not have outlived its execution.
      expect.stringMatching(/^Stopping: planned stop by systemd \(PID 1, UID 0\)(, stop job)?$/),
    );
  });

  it('a drain longer than a stale TimeoutStopSec= ends well, by extension', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'stale',
      service: ['TimeoutStopSec=2'],
      environment: { ...agentThatWaitsFor('/tmp/stale-go'), SD_GATEWAY_STOP_DRAIN: '60s' },
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'long' });
    await gateway.waitForStatus('1 running');
    const stop = gateway.succeed('stop');
    // Far beyond the unit's own patience. (A daemon-reload meanwhile would make systemd forget the extension.)
    await gateway.waitFor({ StatusText: (text) => Number(/, (\d+)s of 1min$/.exec(text)?.[1]) >= 5 });
    await machine().check(['touch', '/tmp/stale-go']);
    await stop;
    expect(await gateway.result()).toMatchObject({
      ActiveState: 'inactive',
      Result: 'success',
      ExecMainStatus: '0',
    });
    expect((await gateway.messages()).join('\n')).not.toMatch(/timed out|SIGKILL/);
    await gateway.succeed('start');
    expect((await gateway.http('GET', `/v1/messages/${body['id']}`)).body['state']).toBe('replied');
    await gateway.succeed('stop');
  });

  it('shuts the system down: a planned stop, with the running turn put back', async () => {
    const user = await machine().addUser('carol', 1502);
    const agent = {
      SD_GATEWAY_AGENT_TYPE: 'command',
      SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sleep', '1000']),
      SD_GATEWAY_STOP_DRAIN: '100ms',
    };
    const system = await GatewayUnit.install(machine(), { name: 'shutdown', environment: agent });
    const own = await GatewayUnit.install(machine(), { name: 'shutdown-user', user });
    await system.succeed('start');
    await own.succeed('start');
    await system.post('chat', { text: 'work' });
    await system.waitForStatus('1 running');
    await machine().powerOff();

    const records = await machine().journalAfterwards('SYSLOG_IDENTIFIER=sd-gateway');
    const saidBy = (unit: string) =>
      records
        .filter((record) => record['_SYSTEMD_UNIT'] === unit || record['_SYSTEMD_USER_UNIT'] === unit)
        .map((record) => record['MESSAGE']);
    expect(saidBy('shutdown.service')).toContainEqual(
      // The bus is being shut down too: it may not be there any more to be asked for the job.
      expect.stringMatching(
        /^Stopping: planned stop by systemd \(PID 1, UID 0\)(, stop job, because of the manager’s poweroff)?$/,
      ),
    );
    expect(saidBy('shutdown.service')).toContainEqual(expect.stringMatching(/: 0 ended, 1 put back/));
    expect(saidBy('shutdown-user.service')).toContainEqual(
      expect.stringMatching(/^Stopping: planned stop by systemd \(PID \d+, UID 1502\)(, stop job.*)?$/),
    );
    const all = await machine().journalAfterwards('UNIT=shutdown.service');
    expect(all.map((record) => record['MESSAGE']).join('\n')).not.toMatch(/FAILURE|Failed with result/);
  });
});
