import { expect, it } from 'vitest';
import { messageIds } from '../../src/log/fields.js';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** Opens COUNT connections, has each answered, and holds what is not closed until it is told to go. */
const holder = `const [, , path, count, name] = process.argv;
const { existsSync, writeFileSync } = require('node:fs');
const { connect } = require('node:net');
let left = Number(count);
const tried = () => {
  left -= 1;
  if (left === 0) writeFileSync('/tmp/held-' + name, '');
};
for (let index = 0; index < Number(count); index++) {
  const socket = connect(path, () => socket.write('GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'));
  let first = true;
  const once = () => {
    if (first) tried();
    first = false;
  };
  socket.on('error', once).on('close', once).on('data', once);
}
setInterval(() => existsSync('/tmp/release-' + name) && process.exit(), 50);
`;

interface Held {
  /** Resolves once nothing of it is open any more. */
  release(): Promise<void>;
}

async function hold(machine: Machine, gateway: GatewayUnit, count: number): Promise<Held> {
  const { name, socket } = gateway;
  await machine.writeFile(`/tmp/hold-${name}.cjs`, holder);
  const held = machine.check(['node', `/tmp/hold-${name}.cjs`, socket, String(count), name], {
    timeout: 120_000,
  });
  const told = machine.check(['sh', '-c', `until test -e /tmp/held-${name}; do sleep 0.05; done`]);
  await Promise.race([told, held]);
  return {
    async release() {
      await machine.check(['touch', `/tmp/release-${name}`]);
      await held;
    },
  };
}

async function answers(gateway: GatewayUnit): Promise<void> {
  expect((await gateway.http('GET', '/healthz')).status).toBe(200);
  const { status, body } = await gateway.post('chat', { text: 'hello' });
  expect(status).toBe(202);
  expect(await gateway.reply(String(body['id']))).toBe('hello');
}

function statusOf(machine: Machine, gateway: GatewayUnit): Promise<string> {
  return machine.check(['/usr/local/bin/sd-gateway', 'status'], {
    environment: { RUNTIME_DIRECTORY: gateway.runtimeDirectory, STATE_DIRECTORY: gateway.stateDirectory },
  });
}

const bound = 'connections are at their bound';

describeOnMachine('a table of descriptors', (machine) => {
  it.concurrent('of 1,024 is not filled by 1,100 clients that hold connections without a token', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'held',
      service: ['Restart=always', 'LimitNOFILE=1024', 'WatchdogSec=6'],
    });
    await gateway.succeed('start');
    const held = await hold(machine(), gateway, 1_100);
    await gateway.waitForStatus(bound);
    await answers(gateway);
    expect(await statusOf(machine(), gateway)).toContain(bound);
    const { body } = await gateway.http('GET', '/readyz');
    expect(body).toMatchObject({ ready: true, facts: { connections: { reached: true } } });
    await held.release();
    await gateway.waitFor({ StatusText: (text) => text.startsWith('Ready') && !text.includes(bound) });
    await answers(gateway);
    expect(await gateway.result()).toMatchObject({ ActiveState: 'active', NRestarts: '0' });
    expect(await gateway.journal(`MESSAGE_ID=${messageIds.connectionsBounded}`)).toHaveLength(1);
    expect(await gateway.journal(`MESSAGE_ID=${messageIds.connectionsTaken}`)).toHaveLength(1);
    await gateway.succeed('stop');
  });

  it.concurrent('of 48 leaves room for whoever has the token, and for the gateway', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'few',
      service: ['Restart=always', 'LimitNOFILE=48', 'WatchdogSec=6'],
    });
    await gateway.succeed('start');
    const held = await hold(machine(), gateway, 80);
    await answers(gateway);
    expect(await statusOf(machine(), gateway)).toContain('running');
    await held.release();
    await answers(gateway);
    expect(await gateway.result()).toMatchObject({ ActiveState: 'active', NRestarts: '0' });
    await gateway.succeed('reload');
    await gateway.succeed('restart');
    await answers(gateway);
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
  });
});
