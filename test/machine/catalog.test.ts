import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { messageIds } from '../../src/log/fields.js';
import { agentThatWaitsFor } from './harness/agent.js';
import type { JournalRecord } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

const catalog = readFileSync(new URL('../../systemd/sd-gateway.catalog', import.meta.url), 'utf8');

/** The only record of this kind. */
async function recordOf(gateway: GatewayUnit, id: keyof typeof messageIds): Promise<JournalRecord> {
  const records = await gateway.journal(`MESSAGE_ID=${messageIds[id]}`);
  expect(records.map((record) => record['MESSAGE'])).toHaveLength(1);
  return records[0] as JournalRecord;
}

/** Throws where nobody catches, upon SIGWINCH. */
const throwsOnSignal =
  "--import=data:text/javascript,process.on('SIGWINCH',()=>{throw(new(Error)('thrown_by_the_test'))})";

describeOnMachine('the journal', (machine) => {
  it.concurrent('explains each kind of record by journalctl -x, once the catalog is installed', async () => {
    const folder = '/usr/local/lib/systemd/catalog';
    await machine().check([
      'install',
      '-D',
      '-m',
      '0644',
      '-t',
      folder,
      '/usr/lib/sd-gateway/systemd/sd-gateway.catalog',
    ]);
    await machine().check(['journalctl', '--update-catalog']);
    for (const id of Object.values(messageIds)) {
      const shown = await machine().check(['journalctl', '--dump-catalog', id]);
      const subject = catalog.split(`-- ${id}\n`)[1]?.split('\n')[0] ?? 'not in the catalog';
      expect(shown).toContain(subject);
    }
    const gateway = await GatewayUnit.install(machine(), { name: 'explained' });
    await gateway.succeed('start');
    await gateway.kill('TERM');
    await gateway.waitFor({ ActiveState: (state) => state !== 'active' });
    await machine().check(['journalctl', '--sync']);
    const text = await machine().check(['journalctl', '--catalog', '--no-pager', '--unit=explained']);
    expect(text).toContain('The gateway serves');
    // With the record's own fields in the text.
    expect(text).toMatch(/Process \d+ \((sh|timeout)\) of user 0 sent/);
  });

  it.concurrent('has a ready, a reload, a refused reload, a stop and its drain', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'told' });
    await gateway.succeed('start');
    await gateway.succeed('reload');
    await gateway.waitFor({ ActiveState: 'active', SubState: 'running' });
    await machine().writeFile(gateway.configurationFile, '[stop]\nforeign_sigterm = "perhaps"\n');
    await gateway.succeed('reload');
    await gateway.waitForStatus('reload refused: ');
    await gateway.succeed('stop');
    expect((await recordOf(gateway, 'ready'))['PRIORITY']).toBe('5');
    expect((await recordOf(gateway, 'reloadDone'))['PRIORITY']).toBe('5');
    expect(await recordOf(gateway, 'reloadRefused')).toMatchObject({
      PRIORITY: '3',
      MESSAGE: expect.stringContaining(`${gateway.configurationFile}:2:1`),
    });
    expect(await recordOf(gateway, 'stopRequested')).toMatchObject({
      SD_GATEWAY_STOP_CAUSE: 'planned-stop',
      SD_GATEWAY_SIGNAL: 'SIGTERM',
      SD_GATEWAY_SENDER_PID: '1',
      SD_GATEWAY_SENDER_UID: '0',
      SD_GATEWAY_SENDER_COMM: 'systemd',
    });
    expect(await recordOf(gateway, 'drainFinished')).toMatchObject({
      SD_GATEWAY_DRAIN_USEC: expect.stringMatching(/^\d+$/),
      SD_GATEWAY_PUT_BACK: '0',
    });
  });

  it.concurrent('has a foreign kill with its sender, and what was put back', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'killed',
      environment: { ...agentThatWaitsFor('/tmp/never'), SD_GATEWAY_STOP_DRAIN: '100ms' },
    });
    await gateway.succeed('start');
    await gateway.post('chat', { text: 'work' });
    await gateway.waitForStatus('1 running');
    await gateway.kill('TERM');
    await gateway.waitFor({ ActiveState: 'failed' });
    expect(await recordOf(gateway, 'foreignKill')).toMatchObject({
      PRIORITY: '3',
      SD_GATEWAY_STOP_CAUSE: 'foreign-kill',
      SD_GATEWAY_SENDER_UID: '0',
    });
    expect(await recordOf(gateway, 'putBack')).toMatchObject({ SD_GATEWAY_PUT_BACK: '1' });
  });

  it.concurrent('has a crash with its stack', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'crashes',
      environment: { NODE_OPTIONS: throwsOnSignal },
    });
    await gateway.succeed('start');
    await machine().check(['kill', '-WINCH', String(await gateway.mainPid())]);
    await gateway.waitFor({ ActiveState: 'failed' });
    expect(await gateway.result()).toMatchObject({ Result: 'exit-code', ExecMainStatus: '1' });
    expect(await recordOf(gateway, 'crash')).toMatchObject({
      PRIORITY: '2',
      MESSAGE: expect.stringMatching(/thrown_by_the_test\n +at /),
    });
  });

  it.concurrent('has a delivery that is given up', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'gives-up',
      environment: {
        SD_GATEWAY_DELIVERY_ALLOW: '["127.0.0.0/8"]',
        SD_GATEWAY_DELIVERY_MAX_ATTEMPTS: '1',
      },
    });
    await gateway.succeed('start');
    const { status } = await gateway.post('chat', {
      text: 'hello',
      reply_to: { url: 'http://127.0.0.1:1/nobody' },
    });
    expect(status).toBe(202);
    await gateway.waitForStatus('1 failed');
    expect(await recordOf(gateway, 'deliveryDead')).toMatchObject({
      SD_GATEWAY_SESSION: 'chat',
      SD_GATEWAY_ATTEMPT: '1',
    });
    await gateway.succeed('stop');
  });

  it.concurrent('has a database that is damaged', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'damaged' });
    await gateway.succeed('start');
    await gateway.succeed('stop');
    await machine().writeFile(`${gateway.stateDirectory}/gateway.db`, 'this is no database '.repeat(500));
    expect(await gateway.attempt('start')).not.toBe(0);
    expect(await recordOf(gateway, 'storeDamaged')).toMatchObject({ PRIORITY: '2' });
  });
});
