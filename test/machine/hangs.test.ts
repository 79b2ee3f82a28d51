import { expect, it } from 'vitest';
import { messageIds } from '../../src/log/fields.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

describeOnMachine('what hangs', (machine) => {
  it.concurrent('in the store, behind a lock of another process, is named before the watchdog ends the gateway', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'locked',
      service: ['Restart=always', 'WatchdogSec=4', 'WatchdogSignal=SIGKILL'],
      environment: { SD_GATEWAY_STORE_BUSY_TIMEOUT: '60s' },
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'accepted before' });
    expect(await gateway.reply(String(body['id']))).toBe('accepted before');
    const lock = `import sqlite3, time, os
connection = sqlite3.connect("${gateway.stateDirectory}/gateway.db")
connection.execute("BEGIN EXCLUSIVE")
open("/tmp/locked", "w").close()
while not os.path.exists("/tmp/unlock"): time.sleep(0.05)
`;
    const holder = machine().check(['python3', '-c', lock]);
    await machine().check(['sh', '-c', 'while ! test -e /tmp/locked; do sleep 0.05; done']);
    const late = gateway.post('chat', { text: 'not accepted' });
    await gateway.waitForStatus('store');
    await gateway.waitFor({ NRestarts: (count) => Number(count) >= 1 });
    await machine().check(['touch', '/tmp/unlock']);
    await holder;
    // No answer: it may come again, and is not counted as accepted.
    expect((await late).status).not.toBe(202);
    await gateway.waitFor({ ActiveState: 'active' });
    expect(await gateway.reply(String(body['id']))).toBe('accepted before');

    const records = await gateway.journal();
    const stall = records.findIndex((record) => record['MESSAGE_ID'] === messageIds.watchdogStall);
    const end = records.findIndex((record) => record['MESSAGE']?.includes('Watchdog timeout'));
    expect(records[stall]?.['MESSAGE']).toMatch(/^No progress in: .*store/);
    expect(stall).toBeLessThan(end);
    expect(records.map((record) => record['UNIT_RESULT'])).toContain('watchdog');
    await gateway.succeed('stop');
  });

  it.concurrent('ended for want of memory is oom-kill, and a start that loses nothing', async () => {
    // As systemd-oomd does it: what a limit of the kernel's would need, the memory controller in cgroup v2, is not
    // there wherever this runs.
    const gateway = await GatewayUnit.install(machine(), { name: 'greedy', service: ['Restart=always'] });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'before the end' });
    expect(body['id']).toBeDefined();
    await machine().check([
      'python3',
      '-c',
      `import os
group = '/sys/fs/cgroup/system.slice/greedy.service'
os.setxattr(group, 'user.oomd_kill', b'1')
os.setxattr(group, 'user.oomd_ooms', b'1')
os.kill(${await gateway.mainPid()}, 9)`,
    ]);
    await gateway.waitFor({ NRestarts: '1', ActiveState: 'active' });
    const results = (await gateway.journal()).map((record) => record['UNIT_RESULT']);
    expect(results).toContain('oom-kill');
    expect(await gateway.reply(String(body['id']))).toBe('before the end');
    const [record] = await gateway.journal(`MESSAGE_ID=${messageIds.previousRun}`);
    expect(record).toMatchObject({ SD_GATEWAY_PREVIOUS_OUTCOME: 'crashed', PRIORITY: '4' });
    await gateway.succeed('stop');
  });
});
