import { expect, it } from 'vitest';
import { messageIds } from '../../src/log/fields.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

async function answers(gateway: GatewayUnit): Promise<void> {
  const { status, body } = await gateway.post('chat', { text: 'hello' });
  expect(status).toBe(202);
  expect(await gateway.reply(String(body['id']))).toBe('hello');
}

describeOnMachine('a unit that sees nothing of /proc but processes', (machine) => {
  it('starts, answers, and knows how the run before ended', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'subset',
      service: ['Restart=always', 'ProcSubset=pid', 'WatchdogSec=6'],
    });
    await gateway.succeed('start');
    await answers(gateway);
    await gateway.succeed('restart');
    await answers(gateway);
    expect(await gateway.show('StatusText')).toMatchObject({ StatusText: expect.stringMatching(/^Ready/) });
    await gateway.kill('KILL');
    await gateway.waitFor({ ActiveState: 'active', NRestarts: '1' });
    await answers(gateway);
    const ended = (await gateway.journal(`MESSAGE_ID=${messageIds.previousRun}`)).map(
      (record) => record['SD_GATEWAY_PREVIOUS_OUTCOME'],
    );
    expect(ended).toEqual(['clean', 'crashed']);
    // Another one with its directories can't see who has them, and says what it knows.
    const second = await machine().run([
      'systemd-run',
      '--pipe',
      '--wait',
      '--property=ProcSubset=pid',
      `--setenv=STATE_DIRECTORY=${gateway.stateDirectory}`,
      `--setenv=RUNTIME_DIRECTORY=${gateway.runtimeDirectory}`,
      '--setenv=SD_GATEWAY_START_WAIT=0',
      '/usr/local/bin/sd-gateway',
      'run',
    ]);
    expect(second.stderr).toContain(
      `The state directory ${gateway.stateDirectory} is in use by another process`,
    );
    await gateway.succeed('stop');
  });
});
