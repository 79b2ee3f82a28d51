import { expect, it } from 'vitest';
import { messageIds } from '../../src/log/fields.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit, type UnitResult } from './harness/unit.js';

/** The look of a unit some time after what was done to it. */
type Outcome = Partial<UnitResult>;

const stopped: Outcome = {
  ActiveState: 'inactive',
  SubState: 'dead',
  Result: 'success',
  ExecMainStatus: '0',
  NRestarts: '0',
};
const failed: Outcome = {
  ActiveState: 'failed',
  SubState: 'failed',
  Result: 'exit-code',
  ExecMainStatus: '1',
  NRestarts: '0',
};
const restarted: Outcome = { ActiveState: 'active', SubState: 'running', Result: 'success', NRestarts: '1' };

interface Row {
  readonly name: string;
  readonly act: (gateway: GatewayUnit) => Promise<unknown>;
  readonly environment?: Readonly<Record<string, string>>;
  /** With `Restart=no`, `on-failure` and `always`. */
  readonly no: Outcome;
  readonly onFailure: Outcome;
  readonly always: Outcome;
  /** The text in the journal. */
  readonly says: RegExp;
}

/** Throws where nobody catches it, when the terminal's size changes: which it never does in a unit. */
const faultOnWindowChange =
  "--import=data:text/javascript,process.on('SIGWINCH',()=>{throw%20new%20Error('injected')})";

const rows: readonly Row[] = [
  {
    name: 'systemctl stop',
    act: (gateway) => gateway.succeed('stop'),
    no: stopped,
    onFailure: stopped,
    always: stopped,
    says: /^Stopping: planned stop by systemd \(PID 1, UID 0\)(, stop job)?$/,
  },
  {
    name: 'systemctl kill: the manager sends it',
    act: (gateway) => gateway.succeed('kill'),
    no: stopped,
    onFailure: stopped,
    always: restarted,
    says: /^Stopped after \d+ ms: planned stop by systemd \(PID 1, UID 0\)(, no job: systemctl kill)?; /,
  },
  {
    name: 'SIGTERM by somebody else',
    act: (gateway) => gateway.kill('TERM'),
    no: failed,
    onFailure: restarted,
    always: restarted,
    says: /^Stopping: foreign kill: SIGTERM by (sh|tail|timeout) \(PID \d+, UID 0\), which is not the supervisor$/,
  },
  {
    name: 'SIGTERM by somebody else, taken as clean',
    act: (gateway) => gateway.kill('TERM'),
    environment: { SD_GATEWAY_STOP_FOREIGN_SIGTERM: 'clean' },
    no: stopped,
    onFailure: stopped,
    always: restarted,
    says: /^Stopping: foreign kill: SIGTERM by (sh|tail|timeout)/,
  },
  ...(['INT', 'QUIT', 'USR1', 'USR2'] as const).map((signal) => ({
    name: `SIG${signal}`,
    act: (gateway: GatewayUnit) => gateway.kill(signal),
    no: failed,
    onFailure: restarted,
    always: restarted,
    says: new RegExp(`^Stopping: killed by SIG${signal} by (sh|tail|timeout) \\(PID \\d+, UID 0\\)$`),
  })),
  {
    name: 'a stop through the control socket',
    act: (gateway) => gateway.command('stop'),
    no: stopped,
    onFailure: stopped,
    always: restarted,
    says: /^Stopping: stop asked for through the control socket/,
  },
  {
    name: 'a restart through the control socket',
    act: (gateway) => gateway.command('restart'),
    no: restarted,
    onFailure: restarted,
    always: restarted,
    says: /^Stopping: restart asked for through the control socket/,
  },
  {
    name: 'an exception that nobody catches',
    act: (gateway) => gateway.kill('WINCH'),
    environment: { NODE_OPTIONS: faultOnWindowChange.replaceAll('%', '%%') },
    no: failed,
    onFailure: restarted,
    always: restarted,
    says: /^The gateway crashes: Error: injected\n\s+at /,
  },
  {
    name: 'kill -9',
    act: (gateway) => gateway.kill('KILL'),
    no: { ActiveState: 'failed', Result: 'signal', ExecMainStatus: '9', NRestarts: '0' },
    onFailure: restarted,
    always: restarted,
    says: /Main process exited, code=killed, status=9\/KILL/,
  },
];

describeOnMachine('the stop table', (machine) => {
  it.concurrent.each(
    rows.flatMap((row, index) =>
      (
        [
          ['no', row.no],
          ['on-failure', row.onFailure],
          ['always', row.always],
        ] as const
      ).map(([restart, outcome]) => ({ ...row, restart, outcome, unit: `table-${index}-${restart}` })),
    ),
  )('$name, Restart=$restart', async ({ unit, restart, act, environment, outcome, says }) => {
    const gateway = await GatewayUnit.install(machine(), {
      name: unit,
      service: [`Restart=${restart}`],
      ...(environment === undefined ? {} : { environment }),
    });
    await gateway.succeed('start');
    await act(gateway);
    await gateway.waitFor({ ...outcome });
    expect(await gateway.messages()).toContainEqual(expect.stringMatching(says));
    await gateway.succeed('stop');
    await gateway.attempt('reset-failed');
  });

  it.concurrent.each(['no', 'on-failure', 'always'])(
    'an unusable configuration is refused and not restarted, Restart=%s',
    async (restart) => {
      const gateway = await GatewayUnit.install(machine(), {
        name: `refused-${restart}`,
        service: [`Restart=${restart}`],
      });
      await machine().writeFile(gateway.configurationFile, '[http]\nlisen = "127.0.0.1:1"\n');
      expect(await gateway.attempt('start')).not.toBe(0);
      await gateway.waitFor({
        ActiveState: 'failed',
        Result: 'exit-code',
        ExecMainStatus: '78',
        NRestarts: '0',
      });
      expect((await gateway.show('StatusText'))['StatusText']).toContain(
        'unknown key "lisen" in [http]; did you mean "listen"?',
      );
      // Mended, it starts without further ado.
      await machine().writeFile(gateway.configurationFile, '');
      await gateway.succeed('start');
      await gateway.succeed('stop');
    },
  );

  it.concurrent('a failed start says why, in the status and as an errno', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'taken',
      service: ['Restart=no'],
      environment: { SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:7001', SD_GATEWAY_START_WAIT: '0' },
    });
    const holder = await GatewayUnit.install(machine(), {
      name: 'holder',
      environment: { SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:7001' },
    });
    await holder.succeed('start');
    expect(await gateway.attempt('start')).not.toBe(0);
    await gateway.waitFor(failed);
    const { StatusText, StatusErrno } = await gateway.show('StatusText', 'StatusErrno');
    expect(StatusText).toMatch(/^Failed: Can't listen on 127\.0\.0\.1:7001: .*listens there\./);
    expect(StatusErrno).toBe('98');
    await holder.succeed('stop');
  });

  it.concurrent('a foreign kill is found in the journal by its id, with its sender in fields', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'fields', service: ['Restart=no'] });
    await gateway.succeed('start');
    const pid = await gateway.mainPid();
    await gateway.kill('TERM');
    await gateway.waitFor(failed);
    expect(await gateway.journal(`MESSAGE_ID=${messageIds.foreignKill}`)).toEqual([
      expect.objectContaining({
        PRIORITY: '3',
        SYSLOG_IDENTIFIER: 'sd-gateway',
        _PID: String(pid),
        _TRANSPORT: 'journal',
        SD_GATEWAY_STOP_CAUSE: 'foreign-kill',
        SD_GATEWAY_SIGNAL: 'SIGTERM',
        SD_GATEWAY_SENDER_PID: expect.stringMatching(/^[1-9]\d*$/),
        SD_GATEWAY_SENDER_UID: '0',
        SD_GATEWAY_SENDER_COMM: expect.stringMatching(/^(sh|tail|timeout)$/),
      }),
    ]);
    expect(await gateway.journal(`MESSAGE_ID=${messageIds.ready}`)).toHaveLength(1);
    await gateway.attempt('reset-failed');
  });

  it.concurrent('user manager: its SIGTERM is a planned stop, another one is not', async () => {
    const user = await machine().addUser('bob', 1501);
    const gateway = await GatewayUnit.install(machine(), { name: 'bobs', user, service: ['Restart=no'] });
    await gateway.succeed('start');
    await gateway.succeed('kill');
    await gateway.waitFor(stopped);
    await gateway.succeed('start');
    await gateway.kill('TERM');
    await gateway.waitFor(failed);
    const messages = await gateway.messages();
    expect(messages).toContainEqual(
      expect.stringMatching(
        /^Stopping: planned stop by systemd \(PID \d+, UID 1501\)(, no job: systemctl kill)?$/,
      ),
    );
    expect(messages).toContainEqual(
      // 65534 in the user namespace of `npm run test:sandbox`, which has no other user.
      expect.stringMatching(
        /^Stopping: foreign kill: SIGTERM by (sh|tail|timeout) \(PID \d+, UID (0|65534)\)/,
      ),
    );
  });
});
