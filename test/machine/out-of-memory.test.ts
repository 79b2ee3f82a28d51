import { expect, it } from 'vitest';
import { memoryLimit } from './harness/memory-limit.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** Holds 60 MiB for a second, which is less than the gateway has; then tells its own score. */
const agent = [
  '/bin/sh',
  '-c',
  'read -r turn; { head -c 60M /dev/zero; sleep 1; } | tail >/dev/null || exit; cat /proc/self/oom_score_adj',
];

describeOnMachine('agents that take more memory than there is', (machine) => {
  it('are ended by the kernel and run again, and the gateway goes on', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'greedy',
      service: ['OOMPolicy=continue', 'OOMScoreAdjust=100'],
      environment: {
        SD_GATEWAY_AGENT_TYPE: 'command',
        SD_GATEWAY_AGENT_COMMAND: JSON.stringify(agent),
        SD_GATEWAY_DISPATCH_RETRY_DELAY: '200ms',
        SD_GATEWAY_DISPATCH_MAX_ATTEMPTS: '100',
      },
    });
    await gateway.succeed('start');
    const limit = memoryLimit(machine(), gateway);
    const before = await gateway.mainPid();
    if (limit === null)
      process.stdout.write('No control group limits memory here: only scores are looked at.\n');
    else await limit.set(await gateway.outsidePid(), 150 * 2 ** 20);
    const sessions = ['a', 'b', 'c', 'd'];
    const posted = await Promise.all(sessions.map((session) => gateway.post(session, { text: 'all of it' })));
    const ids = posted.map(({ body }) => String(body['id']));
    expect(await Promise.all(ids.map((id) => gateway.reply(id)))).toEqual(sessions.map(() => '600'));
    if (limit !== null) expect(limit.kills()).toBeGreaterThan(0);
    expect(await gateway.mainPid()).toBe(before);
    expect((await gateway.result()).NRestarts).toBe('0');
    await gateway.succeed('stop');
    await limit?.lift();
  });
});
