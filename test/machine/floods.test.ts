import { expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** Sends requests on 300 connections without end, and reads none of the answers, until it is told to go. */
const flood = `const [, , path, name] = process.argv;
const { existsSync, writeFileSync } = require('node:fs');
const { connect } = require('node:net');
const requests = 'GET /readyz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'.repeat(200);
let left = 300;
for (let index = left; index > 0; index--) {
  const socket = connect(path);
  const send = () => {
    while (socket.write(requests));
    socket.once('drain', send);
  };
  socket.pause().on('error', () => undefined).once('connect', () => {
    send();
    left -= 1;
    if (left === 0) writeFileSync('/tmp/flooded-' + name, '');
  });
}
setInterval(() => existsSync('/tmp/release-' + name) && process.exit(), 50);
`;

async function residentMiB(machine: Machine, gateway: GatewayUnit): Promise<number> {
  const status = await machine.check(['cat', `/proc/${await gateway.mainPid()}/status`]);
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Several turns of the watchdog. */
async function goesOnFor(milliseconds: number, look: () => Promise<void>): Promise<void> {
  for (const end = performance.now() + milliseconds; performance.now() < end; ) await look();
}

describeOnMachine('a flood', (machine) => {
  it.concurrent('of requests whose answers nobody reads holds up nobody, and costs no memory', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'flooded',
      service: ['Restart=always', 'WatchdogSec=4'],
    });
    await gateway.succeed('start');
    await machine().writeFile('/tmp/flood.cjs', flood);
    const flooding = machine().check(['node', '/tmp/flood.cjs', gateway.socket, 'flooded'], {
      timeout: 120_000,
    });
    const told = machine().check(['sh', '-c', 'until test -e /tmp/flooded-flooded; do sleep 0.05; done']);
    await Promise.race([told, flooding]);
    await goesOnFor(10_000, async () => {
      expect((await gateway.http('GET', '/healthz')).status).toBe(200);
      const { status, body } = await gateway.post('chat', { text: 'hello' });
      expect(status).toBe(202);
      expect(await gateway.reply(String(body['id']))).toBe('hello');
      expect(await residentMiB(machine(), gateway)).toBeLessThan(300);
    });
    await machine().check(['touch', '/tmp/release-flooded']);
    await flooding;
    expect(await gateway.result()).toMatchObject({ ActiveState: 'active', NRestarts: '0' });
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
  });

  it.concurrent('of lines that eight agents write to standard error holds up nobody', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'loud',
      service: ['Restart=always', 'WatchdogSec=4'],
      environment: {
        SD_GATEWAY_AGENT_TYPE: 'command',
        SD_GATEWAY_AGENT_COMMAND: '["/bin/sh", "-c", "yes >&2"]',
        SD_GATEWAY_STOP_DRAIN: '100ms',
      },
    });
    await gateway.succeed('start');
    for (let session = 1; session <= 8; session++) {
      expect((await gateway.post(`session-${session}`, { text: 'speak' })).status).toBe(202);
    }
    await goesOnFor(10_000, async () => {
      expect((await gateway.http('GET', '/healthz')).status).toBe(200);
      expect((await gateway.post('chat', { text: 'waits' })).status).toBe(202);
      expect(await residentMiB(machine(), gateway)).toBeLessThan(300);
    });
    expect(await gateway.result()).toMatchObject({ ActiveState: 'active', NRestarts: '0' });
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
  });
});
