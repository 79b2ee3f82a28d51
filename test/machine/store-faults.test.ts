import { expect, it } from 'vitest';
import { agentThatWaitsFor } from './harness/agent.js';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** A state directory on a disk of its own, of a few megabytes. */
async function mountSmallDisk(machine: Machine, path: string): Promise<void> {
  await machine.check(['mkdir', '-p', path]);
  await machine.check(['mount', '-t', 'tmpfs', '-o', 'size=6m,mode=0700', 'tmpfs', path]);
}

async function fillDisk(machine: Machine, path: string): Promise<void> {
  // Ends with "No space left on device".
  const { status, stderr } = await machine.run(['dd', 'if=/dev/zero', `of=${path}/ballast`, 'bs=4k']);
  expect(status, stderr).toBe(1);
}

describeOnMachine('a disk that takes no more', (machine) => {
  it.concurrent('refuses new messages with 507, keeps what it has, and goes on once there is room', async () => {
    const name = 'full-disk';
    const go = `/tmp/${name}-go`;
    const unit = await GatewayUnit.install(machine(), { name, environment: agentThatWaitsFor(go) });
    await mountSmallDisk(machine(), unit.stateDirectory);
    await unit.succeed('start');
    const accepted: unknown[] = [];
    for (const session of ['a', 'a', 'b']) {
      const { status, body } = await unit.post(session, { text: 'before' });
      expect(status).toBe(202);
      accepted.push(body['id']);
    }
    await unit.waitForStatus('2 running');
    const pid = await unit.mainPid();

    await fillDisk(machine(), unit.stateDirectory);
    const refused = await unit.post('a', { text: 'x'.repeat(5_000) });
    expect(refused).toMatchObject({ status: 507, body: { type: 'urn:sd-gateway:problem:store-full' } });
    await unit.waitForStatus('new messages are refused: There is no room for the database');
    const notReady = await unit.http('GET', '/readyz');
    expect(notReady.status).toBe(503);
    expect(JSON.stringify(notReady.body)).toContain('no room');
    const status = await machine().run(['/usr/local/bin/sd-gateway', 'status'], {
      environment: { RUNTIME_DIRECTORY: unit.runtimeDirectory, STATE_DIRECTORY: unit.stateDirectory },
    });
    expect(status.stdout).toContain('new messages are refused');

    // Turns end while nothing can be written: their replies are kept.
    await machine().check(['touch', go]);
    await unit.waitForRecord({ PRIORITY: '3' });
    expect((await unit.http('GET', `/v1/messages/${accepted[0]}`)).body['state']).toBe('running');

    await machine().check(['rm', `${unit.stateDirectory}/ballast`]);
    await unit.waitFor({ StatusText: (text) => !text.includes('refused') });
    for (const id of accepted) {
      expect(await unit.reply(String(id))).toBe('done');
      expect((await unit.http('GET', `/v1/messages/${id}`)).body['attempts']).toBe(1);
    }
    expect((await unit.http('GET', '/readyz')).status).toBe(200);
    const after = await unit.post('a', { text: 'after' });
    expect(after).toMatchObject({ status: 202, body: { seq: 3 } });
    expect(await unit.mainPid()).toBe(pid);
    await unit.succeed('stop');

    // A start on a full disk says so, waits for room, and finds everything.
    await fillDisk(machine(), unit.stateDirectory);
    const started = unit.attempt('start');
    await unit.waitForStatus('Starting: waiting up to 5min: There is no room for the database');
    await machine().check(['rm', `${unit.stateDirectory}/ballast`]);
    expect(await started).toBe(0);
    expect((await unit.result())['NRestarts']).toBe('0');
    expect(await unit.reply(String(after.body['id']))).toBe('done');
    await unit.succeed('stop');
  });

  it.concurrent.for([
    [5, 'failing', 503, 'store-unavailable', 'The disk under the database'],
    [30, 'read-only', 503, 'store-unavailable', 'The database'],
    [122, 'over-quota', 507, 'store-full', 'There is no room for the database'],
  ] as const)(
    'refuses while writing fails (errno %i, %s) with %i, and goes on after it',
    async ([errno, name, status, kind, said]) => {
      const library = `/tmp/${name}-faults.so`;
      const source = '/usr/lib/sd-gateway/test/machine/harness/disk-faults.c';
      await machine().check(['cc', '-shared', '-fPIC', '-o', library, source]);
      const unit = await GatewayUnit.install(machine(), {
        name: `disk-${name}`,
        environment: {
          LD_PRELOAD: library,
          DISK_FAULTS_PATH: 'gateway.db',
          DISK_FAULTS_ERRNO: `/tmp/${name}-errno`,
        },
      });
      await unit.succeed('start');
      const before = await unit.post('a', { text: 'before' });
      expect(await unit.reply(String(before.body['id']))).toBe('before');
      await machine().writeFile(`/tmp/${name}-errno`, String(errno));
      expect(await unit.post('a', { text: 'meanwhile' })).toMatchObject({
        status,
        body: { type: `urn:sd-gateway:problem:${kind}` },
      });
      await unit.waitForStatus(`new messages are refused: ${said}`);
      expect((await unit.http('GET', '/readyz')).status).toBe(503);
      expect((await unit.http('GET', `/v1/messages/${before.body['id']}`)).body['state']).toBe('replied');
      await machine().check(['rm', `/tmp/${name}-errno`]);
      await unit.waitFor({ StatusText: (text) => !text.includes('refused') });
      const after = await unit.post('a', { text: 'after' });
      expect(after).toMatchObject({ status: 202, body: { seq: 2 } });
      expect(await unit.reply(String(after.body['id']))).toBe('after');
      await unit.succeed('stop');
      expect((await unit.result())['Result']).toBe('success');
    },
  );
});
