import { expect, it } from 'vitest';
import { messageIds } from '../../src/log/fields.js';
import { agentThatWaitsFor } from './harness/agent.js';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** A state directory on a disk of its own, of a few megabytes. */
async function mountSmallDisk(machine: Machine, path: string, sizeMib = 6): Promise<void> {
  await machine.check(['mkdir', '-p', path]);
  await machine.check(['mount', '-t', 'tmpfs', '-o', `size=${sizeMib}m,mode=0700`, 'tmpfs', path]);
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
    // The record of a stop finds no room in the store.
    await fillDisk(machine(), unit.stateDirectory);
    await unit.succeed('stop');
    expect(await unit.messages()).toContainEqual(
      expect.stringContaining('The record of this run could not be kept'),
    );

    // A start on a full disk says so, waits for room, and finds everything.
    await fillDisk(machine(), unit.stateDirectory);
    const started = unit.attempt('start');
    await unit.waitForStatus('Starting: waiting up to 5min: There is no room for the database');
    await machine().check(['rm', `${unit.stateDirectory}/ballast`]);
    expect(await started).toBe(0);
    expect((await unit.result())['NRestarts']).toBe('0');
    expect(await unit.reply(String(after.body['id']))).toBe('done');
    const link = (await unit.journal(`MESSAGE_ID=${messageIds.previousRun}`)).at(-1);
    expect(link).toMatchObject({
      SD_GATEWAY_PREVIOUS_OUTCOME: 'clean',
      MESSAGE: expect.stringMatching(/^The last run ended cleanly: planned stop by systemd/),
    });
    await unit.succeed('stop');
  });

  it.concurrent('leaves room to empty the log that a long reader had grow, and goes on once that has ended', async () => {
    const unit = await GatewayUnit.install(machine(), { name: 'long-reader' });
    const state = unit.stateDirectory;
    await mountSmallDisk(machine(), state, 40);
    await unit.succeed('start');
    const pid = await unit.mainPid();
    const script = `
import os, sqlite3, time
database = sqlite3.connect("file:${state}/gateway.db?mode=ro", uri=True, isolation_level=None)
database.execute("BEGIN")
database.execute("SELECT count(*) FROM messages").fetchall()
open("/tmp/long-reader", "w")
while os.path.exists("/tmp/long-reader"):
    time.sleep(0.05)
`;
    const reads = machine().run(['python3', '-c', script]);
    await machine().check([
      'timeout',
      '20',
      'sh',
      '-c',
      'until test -e /tmp/long-reader; do sleep 0.05; done',
    ]);
    const before = await unit.post('a', { text: 'before' });
    expect(before.status).toBe(202);
    // Posts until it is refused, then says how.
    const post = `
token=$(cat ${state}/token)
printf '{"text": "%0200000d"}' 0 >/tmp/long-reader-body
for number in $(seq 500); do
  code=$(curl --silent --output /tmp/long-reader-answer --write-out '%{http_code}' --unix-socket ${unit.socket} \\
    --header "Authorization: Bearer $token" --header 'Content-Type: application/json' \\
    --data @/tmp/long-reader-body http://gateway/v1/sessions/a/messages)
  [ "$code" = 202 ] || break
done
echo "$code"; cat /tmp/long-reader-answer`;
    const refused = await machine().check(['bash', '-c', post]);
    expect(refused).toMatch(/^507\n.*store-full/);
    await unit.waitForStatus('new messages are refused: The write-ahead log');
    const environment = { RUNTIME_DIRECTORY: unit.runtimeDirectory, STATE_DIRECTORY: state };
    const status = await machine().run(['/usr/local/bin/sd-gateway', 'status'], { environment });
    expect(status.stdout.replace(/\s+/g, ' ')).toMatch(/because of python3 \(PID \d+\): end that/);
    // Each accepted message has come to its end, and the disk is not full.
    expect(await unit.reply(String(before.body['id']))).toBe('before');
    const free = Number(await machine().check(['sh', '-c', `df --output=avail -k ${state} | tail -1`]));
    expect(free).toBeGreaterThan(4_096);

    await machine().check(['rm', '/tmp/long-reader']);
    expect((await reads).status).toBe(0);
    await unit.waitFor({ StatusText: (text) => !text.includes('refused') });
    expect((await unit.post('a', { text: 'after' })).status).toBe(202);
    const logBytes = Number(await machine().check(['stat', '-c', '%s', `${state}/gateway.db-wal`]));
    expect(logBytes).toBeLessThan(8 * 1024 ** 2);
    expect(await unit.mainPid()).toBe(pid);
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
