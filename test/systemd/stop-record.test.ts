import { expect, it } from 'vitest';
import { messageIds } from '../../src/log/message-ids.js';
import { agentThatWaitsFor } from './harness/agent.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** Throws where nobody catches, upon SIGWINCH. */
const throwsOnSignal =
  "--import=data:text/javascript,process.on('SIGWINCH',()=>{throw(new(Error)('thrown_by_the_test'))})";

describeOnMachine('the record of a stop', (machine) => {
  it.concurrent('says who, what, why, by which job, how long, and what was left; the next start links to it', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'recorded',
      environment: {
        ...agentThatWaitsFor('/tmp/never-there'),
        SD_GATEWAY_STOP_DRAIN: '1s',
        SD_GATEWAY_LOG_LEVEL: 'debug',
      },
    });
    await gateway.succeed('start');
    const { InvocationID: invocation } = await gateway.show('InvocationID');
    await gateway.post('chat', { text: 'work' });
    await gateway.waitForStatus('1 running');
    await gateway.succeed('restart');
    const [requested] = await gateway.journal(`MESSAGE_ID=${messageIds.stopRequested}`);
    expect(requested).toMatchObject({ SD_GATEWAY_JOB: 'restart', SD_GATEWAY_STOP_CAUSE: 'planned-stop' });
    const [stopped] = await gateway.journal(`MESSAGE_ID=${messageIds.stopped}`);
    expect(stopped).toMatchObject({
      MESSAGE: expect.stringMatching(
        /^Stopped after \d+ ms: planned stop by systemd \(PID 1, UID 0\), restart job; 0 turns ended, 1 put back for the next start; exit status 0$/,
      ),
      SD_GATEWAY_JOB: 'restart',
      SD_GATEWAY_SENDER_PID: '1',
      SD_GATEWAY_PUT_BACK: '1',
      SD_GATEWAY_FINISHED: '0',
      SD_GATEWAY_EXIT_STATUS: '0',
    });
    // At debug each record tells where in the code it comes from.
    expect(stopped).toMatchObject({
      CODE_FILE: expect.stringMatching(/\/dist\/bundle\/[\w-]+\.c?js$/),
      CODE_LINE: expect.stringMatching(/^\d+$/),
      CODE_FUNC: expect.stringContaining('#say'),
    });
    expect(Number(stopped?.['SD_GATEWAY_DRAIN_USEC'])).toBeGreaterThanOrEqual(1_000_000);
    const links = await gateway.journal(`MESSAGE_ID=${messageIds.previousRun}`);
    expect(links).toHaveLength(1);
    expect(links[0]).toMatchObject({
      SD_GATEWAY_PREVIOUS_INVOCATION: invocation,
      SD_GATEWAY_PREVIOUS_OUTCOME: 'clean',
    });
    await gateway.succeed('stop');
  });

  it.concurrent('is there after a crash too, by what the crash left', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'crashed',
      service: ['Restart=on-failure'],
      environment: { NODE_OPTIONS: throwsOnSignal },
    });
    await gateway.succeed('start');
    await machine().check(['kill', '-WINCH', String(await gateway.mainPid())]);
    await gateway.waitFor({ NRestarts: '1', ActiveState: 'active' });
    const [link] = await gateway.journal(`MESSAGE_ID=${messageIds.previousRun}`);
    expect(link).toMatchObject({
      PRIORITY: '4',
      MESSAGE: 'The last run did not end as planned: crash (thrown_by_the_test); 0 turns are run again',
      SD_GATEWAY_PREVIOUS_OUTCOME: 'failed',
    });
    await gateway.succeed('stop');
  });

  it.concurrent('names the job of an idle gateway too, and what drew it along', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'asked',
      unit: ['PartOf=whole.target', 'After=whole.target'],
      environment: { SD_GATEWAY_LOG_LEVEL: 'debug' },
    });
    await machine().writeFile('/etc/systemd/system/whole.target', '[Unit]\nDescription=Whole\n');
    for (const [words, said] of [
      [['stop', 'asked.service'], 'stop job'],
      [['restart', 'asked.service'], 'restart job'],
      [['stop', 'whole.target'], 'stop job, drawn along by the stop of whole.target (PartOf=)'],
    ] as const) {
      await machine().check(['systemctl', 'start', 'whole.target', 'asked.service']);
      const { InvocationID: invocation } = await gateway.show('InvocationID');
      const connected = { MESSAGE: 'Connected to the service manager over D-Bus.' };
      await gateway.waitForRecord(connected, `_SYSTEMD_INVOCATION_ID=${invocation}`);
      await machine().check(['systemctl', ...words]);
      const own = [`_SYSTEMD_INVOCATION_ID=${invocation}`, `MESSAGE_ID=${messageIds.stopped}`];
      const [stopped] = await gateway.journal(...own);
      expect(stopped?.['MESSAGE']).toContain(`by systemd (PID 1, UID 0), ${said}; 0 turns ended`);
    }
  });
});
