import { expect, it } from 'vitest';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** It takes its parent, the gateway, along when it is told to: by a fault, or as somebody outside would. */
const agent = [
  '/bin/sh',
  '-c',
  `read -r turn
  case "$turn" in
    *poison*) sleep 0.2; kill -SEGV $PPID;;
    # It ends when it is begun for the third time, which is by itself.
    *beside*) echo x >>"$HOME/begun"; until test "$(wc -l <"$HOME/begun")" -ge 3; do sleep 0.05; done;;
    *killed*) echo x >>"$HOME/kills"; sleep 0.2; test "$(wc -l <"$HOME/kills")" -gt 4 || kill -KILL $PPID;;
  esac
  sleep 0.5; echo fine`,
];

describeOnMachine('a message that takes the gateway down', (machine) => {
  it('is set aside once it has done so alone, and what ran beside it is run', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'poison',
      service: ['Restart=always'],
      environment: {
        SD_GATEWAY_AGENT_TYPE: 'command',
        SD_GATEWAY_AGENT_COMMAND: JSON.stringify(agent),
        SD_GATEWAY_DISPATCH_MAX_ATTEMPTS: '2',
        SD_GATEWAY_DELIVERY_ALLOW: '["127.0.0.0/8"]',
      },
    });
    await gateway.succeed('start');
    const post = async (session: string, text: string) => {
      // The receiver is not there: what waits for it is the notice.
      const { status, body } = await gateway.post(session, {
        text,
        reply_to: { url: 'http://127.0.0.1:9/' },
      });
      expect(status).toBe(202);
      return String(body['id']);
    };
    const beside = await post('beside', 'hello');
    const poison = await post('poison', 'poison');
    const read = async (id: string) => {
      // It may be down at the moment.
      const answer = await gateway.http('GET', `/v1/messages/${id}`).catch(() => null);
      return answer?.body ?? {};
    };
    await expect.poll(async () => (await read(poison))['state'], { timeout: 30_000 }).toBe('dead');
    expect(await read(poison)).toMatchObject({
      reply: null,
      error: expect.stringContaining('gateway'),
      delivery: { kind: 'notice' },
    });
    await expect
      .poll(async () => (await read(beside))['reply'], { timeout: 10_000 })
      .toMatchObject({
        text: 'fine',
      });
    // Twice beside others, and once alone.
    expect((await gateway.result()).NRestarts).toBe('3');
    await gateway.succeed('stop');
  });

  it('is run again, however often somebody else kills the gateway', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'killed',
      service: ['Restart=always', 'RestartSec=100ms', 'StartLimitBurst=20'],
      environment: {
        SD_GATEWAY_AGENT_TYPE: 'command',
        SD_GATEWAY_AGENT_COMMAND: JSON.stringify(agent),
        SD_GATEWAY_DISPATCH_MAX_ATTEMPTS: '2',
      },
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('killed', { text: 'killed' });
    const read = async () =>
      (await gateway.http('GET', `/v1/messages/${body['id']}`).catch(() => null))?.body ?? {};
    await expect.poll(async () => (await read())['state'], { timeout: 60_000 }).toBe('replied');
    expect(await read()).toMatchObject({ attempts: 1, reply: { text: 'fine' } });
    expect((await gateway.result()).NRestarts).toBe('4');
    // It has left room for others before its last run.
    const told = (await gateway.journal()).filter(
      ({ SD_GATEWAY_MESSAGE }) => SD_GATEWAY_MESSAGE === body['id'],
    );
    expect(told.map(({ MESSAGE }) => MESSAGE)).toEqual([
      expect.stringMatching(
        /^The gateway was killed 4 times in a row .* it waits 1s\. .*: sd-gateway cancel \S+$/,
      ),
    ]);
    await gateway.succeed('stop');
  });
});
