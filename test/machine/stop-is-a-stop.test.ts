import { expect, it } from 'vitest';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

describeOnMachine('what the project exists for', (machine) => {
  it('a user unit starts, answers, and is stopped by systemctl: inactive, and no failure anywhere', async () => {
    const user = await machine().addUser('alice', 1500);
    const gateway = await GatewayUnit.install(machine(), {
      name: 'gateway',
      user,
      service: ['Restart=always'],
    });

    await gateway.succeed('start');
    const { status, body } = await gateway.post('chat', { text: 'hello' });
    expect(status).toBe(202);
    expect(await gateway.reply(String(body['id']))).toBe('hello');

    await gateway.succeed('stop');
    expect(await gateway.attempt('is-active')).toBe(3);
    expect(await gateway.result()).toEqual({
      ActiveState: 'inactive',
      SubState: 'dead',
      Result: 'success',
      ExecMainStatus: '0',
      NRestarts: '0',
    });

    // No reset-failed in between.
    await gateway.succeed('start');
    await gateway.succeed('stop');
    expect(await gateway.attempt('is-failed')).not.toBe(0);

    const journal = (await gateway.messages()).join('\n');
    expect(journal).toContain('Stopping: planned stop by systemd');
    expect(journal).toContain('supervised by the user manager as gateway.service');
    expect(journal).not.toContain('status=1/FAILURE');
    expect(journal).not.toMatch(/failed/i);
  });
});
