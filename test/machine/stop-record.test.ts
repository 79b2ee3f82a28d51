import { expect, it } from 'vitest';
import { messageIds } from '../../src/log/fields.js';
import { agentThatWaitsFor } from './harness/agent.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** Throws where nobody catches, upon SIGWINCH. */
const throwsOnSignal =
  "--import=data:text/javascript,process.on('SIGWINCH',()=>{throw(new(Error)('thrown_by_the_test'))})";

describeOnMachine('the record of a stop', (machine) => {
  it.concurrent('says who, what, why, by which job, how long, and what was left; the next start links to it', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'recorded',
      environment: {
        ...agentThatWaitsFor('/tmp/never-there'),
        SD_GATEWAY_STOP_DRAIN: '1s',
        SD_GATEWAY_LOG_LEVEL: 'debug',
      },
    });
    await gateway.succeed('start');
    const { InvocationID: invocation } = await gateway.show('InvocationID');
    await gateway.post('chat', { text: 'work' });
    await gateway.waitForStatus('1 running');
    await gateway.succeed('restart');
    const [requested] = await gateway.journal(`MESSAGE_ID=${messageIds.stopRequested}`);
    expect(requested).toMatchObject({ SD_GATEWAY_JOB: 'restart', SD_GATEWAY_STOP_CAUSE: 'planned-stop' });
    const [stopped] = await gateway.journal(`MESSAGE_ID=${messageIds.stopped}`);
    expect(stopped).toMatchObject({
      MESSAGE: expect.stringMatching(
        /^Stopped after \d+ ms: planned stop by systemd \(PID 1, UID 0\), restart job; 0 turns ended, 1 put back for the next start; exit status 0$/,
      ),
      SD_GATEWAY_JOB: 'restart',
      SD_GATEWAY_SENDER_PID: '1',
      SD_GATEWAY_PUT_BACK: '1',
      SD_GATEWAY_FINISHED: '0',
      SD_GATEWAY_EXIT_STATUS: '0',
    });
    // At debug each record tells where in the code it comes from.
    expect(stopped).toMatchObject({
      CODE_FILE: expect.stringMatching(/\/dist\/bundle\/[\w-]+\.c?js$/),
      CODE_LINE: expect.stringMatching(/^\d+$/),
      CODE_FUNC: expect.stringContaining('#logStop'),
    });
    expect(Number(stopped?.['SD_GATEWAY_DRAIN_USEC'])).toBeGreaterThanOrEqual(1_000_000);
    const links = await gateway.journal(`MESSAGE_ID=${messageIds.previousRun}`);
    expect(links).toHaveLength(1);
    expect(links[0]).toMatchObject({
      SD_GATEWAY_PREVIOUS_INVOCATION: invocation,
      SD_GATEWAY_PREVIOUS_OUTCOME: 'clean',
    });
    await gateway.succeed('stop');
  });

  it.concurrent('is there after a crash too, by what the crash left', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'crashed',
      service: ['Restart=on-failure'],
      environment: { NODE_OPTIONS: throwsOnSignal },
    });
    await gateway.succeed('start');
    await machine().check(['kill', '-WINCH', String(await gateway.mainPid())]);
    await gateway.waitFor({ NRestarts: '1', ActiveState: 'active' });
    const [link] = await gateway.journal(`MESSAGE_ID=${messageIds.previousRun}`);
    expect(link).toMatchObject({
      PRIORITY: '4',
      MESSAGE: 'The last run did not end as planned: crash (thrown_by_the_test); 0 turns are run again',
      SD_GATEWAY_PREVIOUS_OUTCOME: 'failed',
    });
    await gateway.succeed('stop');
  });

  const kills = '/bin/kill -TERM $MAINPID';
  const killsAndWaits = '/bin/sh -c "kill -TERM $0; while kill -0 $0; do sleep 0.02; done" $MAINPID';

  it.concurrent.each([
    ['idle', kills],
    ['busy', kills],
    ['idle-awaited', killsAndWaits],
    ['busy-awaited', killsAndWaits],
  ])('is that of a planned stop where ExecStop= kills the gateway first, %s', async (name, command) => {
    const isBusy = name.startsWith('busy');
    const go = `/tmp/exec-stop-${name}-go`;
    const gateway = await GatewayUnit.install(machine(), {
      name: `exec-stop-${name}`,
      service: [`ExecStop=${command}`],
      environment: isBusy ? agentThatWaitsFor(go) : {},
    });
    await gateway.succeed('start');
    if (isBusy) {
      await gateway.post('chat', { text: 'work' });
      await gateway.waitForStatus('1 running');
    }
    const done = gateway.succeed('stop');
    await gateway.waitForRecord({ SD_GATEWAY_STOP_CAUSE: 'planned-stop' });
    if (isBusy) await machine().check(['touch', go]);
    await done;
    expect(await gateway.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
    const [stopped] = await gateway.journal(`MESSAGE_ID=${messageIds.stopped}`);
    expect(stopped).toMatchObject({
      MESSAGE: expect.stringMatching(
        /: planned stop by (systemd \(PID 1, UID 0\)|the service manager), after SIGTERM by .* \(PID \d+, UID 0\)(, stop job)?; .*exit status 0$/,
      ),
      SD_GATEWAY_STOP_CAUSE: 'planned-stop',
    });
    // Nobody who looks for errors or kills finds one.
    expect(await gateway.journal(`MESSAGE_ID=${messageIds.foreignKill}`)).toEqual([]);
  });

  it.concurrent.each([
    ['systemctl kill', 'killed', [], 'no job: systemctl kill'],
    ['RuntimeMaxSec=', 'limited', ['RuntimeMaxSec=2'], 'no job: systemd’s own doing, Result=timeout'],
  ])('says that a stop by %s has no job', async (_what, name, service, said) => {
    const go = `/tmp/${name}-go`;
    const gateway = await GatewayUnit.install(machine(), {
      name,
      service,
      environment: agentThatWaitsFor(go),
    });
    await gateway.succeed('start');
    await gateway.post('chat', { text: 'work' });
    // The next run has a turn from its start on.
    await gateway.succeed('kill', '--signal=KILL');
    await gateway.waitFor({ ActiveState: 'failed' });
    await gateway.succeed('start');
    const own = `_PID=${await gateway.mainPid()}`;
    // The command of the turn would get the signal too.
    if (service.length === 0) await gateway.succeed('kill', '--kill-who=main');
    await gateway.waitForRecord({ SD_GATEWAY_STOP_CAUSE: 'planned-stop' }, own);
    await machine().check(['touch', go]);
    await gateway.waitFor({ ActiveState: (state) => state === 'inactive' || state === 'failed' });
    const [stopped] = await gateway.journal(own, `MESSAGE_ID=${messageIds.stopped}`);
    expect(stopped?.['MESSAGE']).toContain(`planned stop by systemd (PID 1, UID 0), ${said}; 1 turn ended`);
  });

  it.concurrent('takes no start job for the reason of systemctl kill, while the start waits for a directory', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'killed-early',
      environment: { SD_GATEWAY_HTTP_LISTEN: 'unix:/run/never-made/s', SD_GATEWAY_START_WAIT: '2min' },
    });
    await gateway.succeed('start', '--no-block');
    await gateway.waitForStatus('the directory does not exist');
    await gateway.succeed('kill', '--kill-who=main');
    await gateway.waitFor({ ActiveState: (state) => state === 'inactive' || state === 'failed' });
    const [stopped] = await gateway.journal(`MESSAGE_ID=${messageIds.stopped}`);
    // An idle gateway waits for 100 ms only for the manager's answer.
    expect(stopped?.['MESSAGE']).toMatch(
      /: planned stop by systemd \(PID 1, UID 0\)(, no job: systemctl kill, during the start)?; 0 turns ended/,
    );
    expect(stopped).not.toHaveProperty('SD_GATEWAY_JOB');
  });

  it.concurrent('names why systemd ends a start, and not the start job', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'start-post-failed',
      service: ['ExecStartPost=/bin/false'],
    });
    expect(await gateway.attempt('start')).not.toBe(0);
    const [stopped] = await gateway.journal(`MESSAGE_ID=${messageIds.stopped}`);
    // An idle gateway waits for 100 ms only for the manager's answer.
    expect(stopped?.['MESSAGE']).toMatch(
      /: planned stop by systemd \(PID 1, UID 0\)(, no job: systemd’s own doing, Result=exit-code, during the start)?; /,
    );
    expect(stopped).not.toHaveProperty('SD_GATEWAY_JOB');
  });

  it.concurrent.each(['stop', 'restart'])(
    'is that of a planned stop if the manager is asked to %s while the drain of a kill goes on',
    async (verb) => {
      const go = `/tmp/${verb}-after-kill-go`;
      const gateway = await GatewayUnit.install(machine(), {
        name: `${verb}-after-kill`,
        environment: agentThatWaitsFor(go),
      });
      await gateway.succeed('start');
      await gateway.post('chat', { text: 'work' });
      await gateway.waitForStatus('1 running');
      const pid = await gateway.mainPid();
      await machine().check(['kill', '-TERM', String(pid)]);
      await gateway.waitForRecord({ SD_GATEWAY_STOP_CAUSE: 'foreign-kill' }, `_PID=${pid}`);
      await gateway.succeed(verb, '--no-block');
      await machine().check(['touch', go]);
      await gateway.waitFor({
        ActiveState: verb === 'stop' ? 'inactive' : 'active',
        MainPID: (main) => main !== String(pid),
      });
      expect(await gateway.result()).toMatchObject({ Result: 'success', NRestarts: '0' });
      const [stopped] = await gateway.journal(`_PID=${pid}`, `MESSAGE_ID=${messageIds.stopped}`);
      expect(stopped).toMatchObject({
        MESSAGE: expect.stringContaining(`planned stop by the service manager, after SIGTERM by`),
        SD_GATEWAY_JOB: verb,
        SD_GATEWAY_EXIT_STATUS: '0',
      });
    },
  );

  it.concurrent.each([
    ['restart', 'stop'],
    ['stop', 'restart'],
  ])('names the last job: %s, then %s', async (first, last) => {
    const go = `/tmp/${first}-then-${last}-go`;
    const gateway = await GatewayUnit.install(machine(), {
      name: `${first}-then-${last}`,
      environment: agentThatWaitsFor(go),
    });
    await gateway.succeed('start');
    await gateway.post('chat', { text: 'work' });
    await gateway.waitForStatus('1 running');
    const pid = await gateway.mainPid();
    await gateway.succeed(first, '--no-block');
    await gateway.waitForRecord(
      { SD_GATEWAY_STOP_CAUSE: 'planned-stop', SD_GATEWAY_JOB: first },
      `_PID=${pid}`,
    );
    await gateway.succeed(last, '--no-block');
    await machine().check(['touch', go]);
    await gateway.waitFor({ MainPID: (main) => main !== String(pid) });
    const [stopped] = await gateway.journal(`_PID=${pid}`, `MESSAGE_ID=${messageIds.stopped}`);
    expect(stopped).toMatchObject({ SD_GATEWAY_JOB: last });
  });

  it.concurrent('names the job of an idle gateway too', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'asked' });
    for (const verb of ['stop', 'restart'] as const) {
      await gateway.succeed('start');
      await gateway.succeed(verb);
      const stopped = (await gateway.journal(`MESSAGE_ID=${messageIds.stopped}`)).at(-1);
      expect(stopped?.['MESSAGE']).toContain(`by systemd (PID 1, UID 0), ${verb} job; 0 turns ended`);
    }
    await gateway.succeed('stop');
  });

  it.concurrent.each([
    ['the system manager', 'whole', undefined],
    ['a user manager', 'carls', { name: 'carl', uid: 1503 }],
  ] as const)('names the job of a unit of %s, and what drew it along', async (_whose, name, user) => {
    if (user !== undefined) await machine().addUser(user.name, user.uid);
    const go = `/tmp/${name}-go`;
    const gateway = await GatewayUnit.install(machine(), {
      name,
      ...(user === undefined ? {} : { user }),
      unit: [`PartOf=${name}.target`, `After=${name}.target`],
      environment: agentThatWaitsFor(go),
    });
    const folder = `/etc/systemd/${user === undefined ? 'system' : 'user'}`;
    await machine().writeFile(`${folder}/${name}.target`, '[Unit]\nDescription=Whole\n');
    for (const [verb, unit, said] of [
      ['stop', `${name}.service`, 'stop job'],
      ['restart', `${name}.service`, 'restart job'],
      ['stop', `${name}.target`, `stop job, drawn along by the stop of ${name}.target (PartOf=)`],
    ] as const) {
      await machine().check(['rm', '-f', go]);
      expect(await gateway.systemctl('start', `${name}.target`, `${name}.service`)).toBe(0);
      await gateway.post('chat', { text: 'work' });
      await gateway.waitForStatus('1 running');
      const own = `_PID=${await gateway.mainPid()}`;
      const done = gateway.systemctl(verb, unit);
      // The job is asked for while the turn runs, and this record waits for the answer.
      const planned = { SD_GATEWAY_STOP_CAUSE: 'planned-stop' };
      await gateway.waitForRecord(planned, own, `MESSAGE_ID=${messageIds.stopRequested}`);
      await machine().check(['touch', go]);
      expect(await done).toBe(0);
      const [stopped] = await gateway.journal(own, `MESSAGE_ID=${messageIds.stopped}`);
      expect(stopped?.['MESSAGE']).toContain(`), ${said}; 1 turn ended`);
    }
  });
});
