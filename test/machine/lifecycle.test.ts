import { expect, it, vi } from 'vitest';
import { agentThatWaitsFor, askingAgent } from './harness/agent.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

const success = { ActiveState: 'inactive', Result: 'success', ExecMainStatus: '0' } as const;

describeOnMachine('the lifecycle', (machine) => {
  it.concurrent('start returns when the gateway serves', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'serves' });
    await gateway.succeed('start');
    expect((await gateway.http('GET', '/readyz')).status).toBe(200);
    expect((await gateway.show('StatusText'))['StatusText']).toBe(
      'Ready: 0 sessions, 0 running, 0 waiting, 0 answered, 0 failed',
    );
    await gateway.post('one', { text: 'hello' });
    await gateway.waitForStatus('1 session, 0 running, 0 waiting, 1 answered, 0 failed');
    await gateway.succeed('stop');
  });

  it.concurrent('reload takes a good configuration, and refuses a bad one without harm', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'reloads' });
    await gateway.succeed('start');
    await machine().writeFile(gateway.configurationFile, '[stop]\nforeign_sigterm = "clean"\n');
    await gateway.succeed('reload');
    // systemctl returns once the signal is sent.
    await gateway.waitForRecord({ MESSAGE: 'The configuration was read again.' });

    await machine().writeFile(gateway.configurationFile, '[stop]\nforeign_sigterm = "perhaps"\n');
    await gateway.succeed('reload');
    await gateway.waitForStatus('reload refused: ');
    expect((await gateway.show('StatusText'))['StatusText']).toContain(
      `${gateway.configurationFile}:2:1: stop.foreign_sigterm`,
    );
    const { body } = await gateway.post('chat', { text: 'still here' });
    expect(await gateway.reply(String(body['id']))).toBe('still here');

    // The good configuration is in force.
    await gateway.kill('TERM');
    await gateway.waitFor(success);
    const messages = await gateway.messages();
    // The kill(1) of ExecReload= may have ended before its name could be read.
    expect(messages).toContainEqual(
      expect.stringMatching(/^Reload asked for by (?:\w+|a process that has ended) \(PID \d+, UID 0\)$/),
    );
    expect(messages).toContain('The configuration was read again.');
    expect(messages).toContainEqual(
      expect.stringMatching(/^The new configuration is refused, the old one stays/),
    );
  });

  it.concurrent('restart keeps what was accepted', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'restarts' });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'before' });
    expect(await gateway.reply(String(body['id']))).toBe('before');
    await gateway.succeed('restart');
    expect((await gateway.http('GET', `/v1/messages/${body['id']}`)).body['state']).toBe('replied');
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject({ ...success, NRestarts: '0' });
  });

  it.concurrent('a stop waits for a running turn, takes messages for the next start, and says so', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'drains',
      environment: agentThatWaitsFor('/tmp/drains-go'),
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'work' });
    await gateway.waitForStatus('1 running');
    const stop = gateway.succeed('stop');
    await gateway.waitForStatus(
      'Stopping (planned stop by systemd (PID 1, UID 0)): waiting for 1 running turn',
    );
    const more = await gateway.post('chat', { text: 'more' });
    expect(more.status).toBe(202);
    await machine().check(['touch', '/tmp/drains-go']);
    await stop;
    expect(await gateway.result()).toMatchObject(success);
    await gateway.succeed('start');
    for (const { id } of [body, more.body]) expect(await gateway.reply(String(id))).toBe('done');
    await gateway.succeed('stop');
  });

  it.concurrent('a stop does not wait for a person, whose answer counts after the next start', async () => {
    await machine().writeFile('/usr/local/bin/asks.mjs', askingAgent);
    const gateway = await GatewayUnit.install(machine(), {
      name: 'asks',
      environment: {
        SD_GATEWAY_AGENT_TYPE: 'acp',
        SD_GATEWAY_AGENT_COMMAND: '["/usr/bin/env", "node", "/usr/local/bin/asks.mjs"]',
        SD_GATEWAY_AGENT_ASK: '["execute"]',
        SD_GATEWAY_STOP_DRAIN: '10min',
      },
    });
    const asked = (count: number) =>
      vi.waitFor(
        async () => {
          const { items } = (await gateway.http('GET', '/v1/questions?limit=9')).body;
          const questions = items as readonly { readonly code: string; readonly state: string }[];
          expect(questions).toHaveLength(count);
          return questions;
        },
        { timeout: 20_000, interval: 50 },
      );
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'work' });
    const [first] = await asked(1);
    expect(first).toMatchObject({ state: 'open' });
    await gateway.succeed('restart');
    expect((await gateway.messages()).join('\n')).toContain('1 put back for the next start');
    const questions = await asked(2);
    const [before, now] = questions.toSorted(({ code }) => (code === first?.code ? -1 : 1));
    expect([before?.state, now?.state]).toEqual(['expired', 'open']);
    // The agent asks for the same call, so the person whom the stop has overtaken answers it.
    const answer = { answer: 'allow' };
    expect((await gateway.http('POST', `/v1/questions/${first?.code}`, answer)).status).toBe(200);
    expect(await gateway.reply(String(body['id']))).toBe('yes');
    await gateway.succeed('stop');
  });

  it.concurrent('systemctl kill, which hits the running command too, costs its message no attempt', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'kills-all',
      environment: { ...agentThatWaitsFor('/tmp/kills-all-go'), SD_GATEWAY_DISPATCH_MAX_ATTEMPTS: '1' },
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'work' });
    await gateway.waitForStatus('1 running');
    await gateway.succeed('kill');
    await gateway.waitFor(success);
    await machine().check(['touch', '/tmp/kills-all-go']);
    await gateway.succeed('start');
    expect(await gateway.reply(String(body['id']))).toBe('done');
    await gateway.succeed('stop');
  });

  it.concurrent('two stops, of which the second changes nothing', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'twice',
      environment: agentThatWaitsFor('/tmp/twice-go'),
    });
    await gateway.succeed('start');
    await gateway.post('chat', { text: 'work' });
    await gateway.waitForStatus('1 running');
    const stops = [gateway.succeed('stop')];
    await gateway.waitForStatus('Stopping');
    stops.push(gateway.succeed('stop'));
    await gateway.attempt('kill', '--signal=SIGTERM');
    await machine().check(['touch', '/tmp/twice-go']);
    await Promise.all(stops);
    expect(await gateway.result()).toMatchObject(success);
  });

  it.concurrent('what does not end within the drain is put back, and run again by the next start', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'puts-back',
      environment: { ...agentThatWaitsFor('/tmp/puts-back-go'), SD_GATEWAY_STOP_DRAIN: '200ms' },
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'work' });
    const later = await gateway.post('chat', { text: 'more work' });
    await gateway.waitForStatus('1 running');
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject(success);
    expect((await gateway.show('StatusText'))['StatusText']).toBe('');
    expect(await gateway.messages()).toContainEqual(
      expect.stringMatching(/^Drained in \d+ ms: 0 ended, 1 put back/),
    );
    await machine().check(['touch', '/tmp/puts-back-go']);
    await gateway.succeed('start');
    expect(await gateway.reply(String(body['id']))).toBe('done');
    expect(await gateway.reply(String(later.body['id']))).toBe('done');
    expect((await gateway.http('GET', `/v1/messages/${body['id']}`)).body).toMatchObject({
      attempts: 1,
      seq: 1,
    });
    await gateway.succeed('stop');
  });

  it.concurrent('a stop during the start is a stop', async () => {
    // Another process has the database, so that the start waits for it.
    const gateway = await GatewayUnit.install(machine(), {
      name: 'early',
      environment: { SD_GATEWAY_STORE_BUSY_TIMEOUT: '60s' },
    });
    await gateway.succeed('start');
    await gateway.succeed('stop');
    const lock = `import sqlite3, time
connection = sqlite3.connect("${gateway.stateDirectory}/gateway.db")
connection.execute("PRAGMA locking_mode=EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
open("/tmp/early-locked", "w").close()
import os
while not os.path.exists("/tmp/early-unlock"): time.sleep(0.05)
`;
    const holder = machine().check(['python3', '-c', lock]);
    await machine().check(['sh', '-c', 'while ! test -e /tmp/early-locked; do sleep 0.05; done']);
    const start = gateway.attempt('start');
    await gateway.waitForStatus('Starting: ');
    const stop = gateway.succeed('stop');
    // It does not wait for the one who has the database.
    await stop;
    expect(await start).not.toBe(0);
    expect(await gateway.result()).toMatchObject(success);
    await machine().check(['touch', '/tmp/early-unlock']);
    await holder;
    await gateway.succeed('start');
    await gateway.succeed('stop');
  });

  it.concurrent('a start that takes longer than TimeoutStartSec= is waited for', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'slow-start',
      service: ['TimeoutStartSec=4'],
      environment: { SD_GATEWAY_STORE_BUSY_TIMEOUT: '60s' },
    });
    await gateway.succeed('start');
    await gateway.succeed('stop');
    const lock = `import sqlite3, time
connection = sqlite3.connect("${gateway.stateDirectory}/gateway.db")
connection.execute("PRAGMA locking_mode=EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
open("/tmp/slow-start-locked", "w").close()
time.sleep(8)
`;
    const holder = machine().check(['python3', '-c', lock]);
    await machine().check(['sh', '-c', 'while ! test -e /tmp/slow-start-locked; do sleep 0.05; done']);
    await gateway.succeed('start');
    await holder;
    expect((await gateway.messages()).join('\n')).not.toMatch(/timed out/);
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject(success);
  });

  it.concurrent('a stop in the middle of a reload is a stop', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'reload-stop' });
    for (let round = 0; round < 10; round++) {
      await gateway.succeed('start');
      // The other way round the reload's job would replace the stop's.
      await gateway.systemctl('reload', '--no-block', 'reload-stop.service');
      await gateway.succeed('stop');
      await gateway.waitFor(success);
    }
    expect((await gateway.messages()).join('\n')).not.toMatch(/FAILURE|Failed with result/);
  });

  it.concurrent('start right after a stop, ten times', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'again' });
    for (let round = 0; round < 10; round++) {
      await gateway.succeed('start');
      await gateway.systemctl('stop', '--no-block', 'again.service');
    }
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject({ ...success, NRestarts: '0' });
  });

  it.concurrent('a wedged gateway is ended by the watchdog and started again', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'wedged',
      service: ['Restart=always', 'WatchdogSec=2', 'WatchdogSignal=SIGKILL'],
      environment: {
        NODE_OPTIONS: "--import=data:text/javascript,process.on('SIGWINCH',()=>{for(;;);})".replaceAll(
          '%',
          '%%',
        ),
      },
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('chat', { text: 'before the loop' });
    const { InvocationID } = await gateway.show('InvocationID');
    await machine().check(['kill', '-WINCH', String(await gateway.mainPid())]);
    await gateway.waitFor({
      NRestarts: '1',
      ActiveState: 'active',
      InvocationID: (id) => id !== InvocationID,
    });
    const said = (await gateway.messages()).join('\n');
    expect(said).toMatch(/Watchdog timeout \(limit 2s\)!/);
    expect(said).toMatch(/No progress: the event loop has been blocked for 1\.7 s\. systemd will end/);
    expect(await gateway.reply(String(body['id']))).toBe('before the loop');
    await gateway.succeed('stop');
  });

  it.concurrent('a wrapper gets one warning that says what to do', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'wrapped',
      command: "/bin/sh -c 'sd-gateway run; exit $?'",
      service: ['Restart=no', 'TimeoutStartSec=3'],
    });
    expect(await gateway.attempt('start')).not.toBe(0);
    const warnings = (await gateway.messages()).filter((message) => message.includes('NotifyAccess='));
    expect(warnings).toEqual([
      expect.stringMatching(
        /^The unit's main process is sh \(PID \d+\), not the gateway .* put "exec" before it/,
      ),
    ]);
  });

  it.concurrent('a wrapper with NotifyAccess=all is a planned stop all the same', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'wrapped-all',
      command: "/bin/sh -c 'sd-gateway run; exit $?'",
      service: ['Restart=no', 'NotifyAccess=all', 'KillMode=control-group', 'SuccessExitStatus=143 SIGTERM'],
    });
    await gateway.succeed('start');
    await gateway.succeed('stop');
    expect(await gateway.messages()).toContainEqual(
      expect.stringMatching(/^Stopping: planned stop by systemd/),
    );
    expect((await gateway.result()).ActiveState).toBe('inactive');
  });
});
