import { beforeAll, describe, it } from 'vitest';
import type { User } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

const agent = (script: string) => ({
  SD_GATEWAY_AGENT_TYPE: 'command',
  SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', script]),
  SD_GATEWAY_STOP_DRAIN: '500ms',
  SD_GATEWAY_DELIVERY_ALLOW: '["127.0.0.0/8"]',
});

describeOnMachine('a turn that stops or restarts its own gateway', (machine) => {
  let otto: User;
  beforeAll(async () => {
    otto = await machine().addUser('otto', 1520);
  });

  /** It may be down at the moment. */
  const read = async (gateway: GatewayUnit, id: string) =>
    (await gateway.http('GET', `/v1/messages/${id}`).catch(() => null))?.body ?? {};

  describe.each([
    ['system', 'systemctl'],
    ['user', 'systemctl --user'],
  ])('of a unit of the %s manager', (scope, systemctl) => {
    const install = (kind: string, script: string) =>
      GatewayUnit.install(machine(), {
        name: `sd-gateway-${kind}-${scope}`,
        ...(scope === 'user' ? { user: otto } : {}),
        service: ['Restart=always'],
        environment: agent(script),
      });

    it.concurrent.for<[string, (unit: string) => string]>([
      ['loop', (unit: string) => `${systemctl} restart ${unit}`],
      ['noblock', (unit: string) => `${systemctl} --no-block restart ${unit}; sleep 60`],
      ['kill', () => 'kill -TERM $PPID; sleep 60'],
    ])(
      'past it (%s), is dead at the third stop, and the gateway goes on',
      async ([kind, command], { expect }) => {
        const log = `/tmp/${kind}-${scope}`;
        const unit = `sd-gateway-${kind}-${scope}.service`;
        const gateway = await install(
          kind,
          `read -r turn; echo "$SD_GATEWAY_ATTEMPT $SD_GATEWAY_PUT_BACKS" >>${log}; case "$turn" in *again*) ${command(unit)};; esac; echo fine`,
        );
        await gateway.succeed('start');
        const reply_to = { url: 'http://127.0.0.1:9/' };
        const { body } = await gateway.post('chat', { text: 'again', reply_to });
        const id = String(body['id']);
        const next = String((await gateway.post('chat', { text: 'hello' })).body['id']);
        const dies = () =>
          expect
            .poll(() => read(gateway, id), { timeout: 40_000 })
            .toMatchObject({
              state: 'dead',
              attempts: 1,
              error: expect.stringContaining('cut its turn off, 3 of 3 times (dispatch.max_attempts)'),
              delivery: { kind: 'notice' },
            });
        await dies();
        expect(await machine().check(['cat', log])).toMatch(/^1 0\n1 1\n1 2\n/);
        await expect
          .poll(async () => (await read(gateway, next))['reply'], { timeout: 20_000 })
          .toMatchObject({ text: 'fine' });
        const messages = (await gateway.messages()).filter((message) => message.includes(' of 3 times'));
        expect(messages.map((message) => /\d of 3 times/.exec(message)?.[0])).toEqual([
          '1 of 3 times',
          '2 of 3 times',
          '3 of 3 times',
        ]);
        await gateway.waitFor({ ActiveState: 'active', SubState: 'running' });
        if (kind === 'noblock') {
          await machine().check(['rm', log]);
          expect((await gateway.http('POST', `/v1/messages/${id}/retry`)).status).toBe(200);
          await dies();
          expect(await machine().check(['cat', log])).toBe('1 0\n1 1\n1 2\n');
          await gateway.waitFor({ ActiveState: 'active', SubState: 'running' });
        }
        await gateway.succeed('stop');
      },
    );

    it.concurrent.for<[string, string]>([
      ['cli', 'restart'],
      ['stop', 'stop'],
      ['idle', 'restart --when-idle'],
    ])(
      'by a command (%s), is refused, whichever way the command takes',
      async ([kind, words], { expect }) => {
        const instance = `--${scope} --instance ${kind}-${scope}`;
        const gateway = await install(
          kind,
          [
            'cat >/dev/null',
            // To its control socket, and through systemd.
            `sd-gateway ${words} 2>&1; echo "status $?"`,
            `env -u RUNTIME_DIRECTORY -u STATE_DIRECTORY sd-gateway ${words} ${instance} 2>&1; echo "status $?"`,
          ].join('; '),
        );
        await gateway.succeed('start');
        const before = await gateway.show('InvocationID');
        const { body } = await gateway.post('chat', { text: 'hello' });
        const reply = (await gateway.reply(String(body['id']))) ?? '';
        const lines = reply.split('\n').filter((line) => !line.startsWith('  '));
        const refusal = expect.stringMatching(
          /^sd-gateway: this command is part of a turn .*"chat".*was done\.$/,
        );
        expect(lines).toEqual([refusal, 'status 77', refusal, 'status 77']);
        expect(await gateway.show('InvocationID')).toEqual(before);
        expect(await gateway.result()).toMatchObject({ ActiveState: 'active', NRestarts: '0' });
        await gateway.succeed('stop');
      },
    );

    it.concurrent('has a process outside of it restart the gateway once it is over', async ({ expect }) => {
      const run = `systemd-run --collect ${scope === 'user' ? '--user' : ''}`;
      const restart = `sd-gateway restart --when-idle --${scope} --instance outside-${scope}`;
      const gateway = await install('outside', `cat >/dev/null; ${run} ${restart} 2>&1; sleep 1; echo over`);
      await gateway.succeed('start');
      const { InvocationID: before } = await gateway.show('InvocationID');
      const { body } = await gateway.post('chat', { text: 'hello' });
      const id = String(body['id']);
      await gateway.waitFor({ InvocationID: (id) => id !== '' && id !== before, ActiveState: 'active' });
      expect(await read(gateway, id)).toMatchObject({
        state: 'replied',
        reply: { text: expect.stringMatching(/over$/) },
      });
      await gateway.succeed('stop');
    });
  });
});
