import { expect, it } from 'vitest';
import type { CommandResult, JournalRecord, User } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

describeOnMachine('sd-gateway logs', (machine) => {
  const type = (words: string, user?: User): Promise<CommandResult> =>
    machine().run(['sd-gateway', 'logs', ...words.split(' ')], user === undefined ? {} : { user });

  it.each(['system', 'user'] as const)(
    'tells the invocations of a unit of the %s manager apart',
    async (scope) => {
      const user = scope === 'user' ? await machine().addUser('lotte', 1530) : undefined;
      const options = user === undefined ? {} : { user };
      const unit = await GatewayUnit.install(machine(), { name: `sd-gateway-${scope}`, ...options });
      await unit.succeed('start');
      const { InvocationID: first } = await unit.show('InvocationID');
      await unit.succeed('restart');
      const { InvocationID: second } = await unit.show('InvocationID');
      await machine().check(['journalctl', '--sync']);
      const invocation = `--instance ${scope} --invocation`;

      const current = await type(`${invocation} current`, user);
      expect(current.stdout).toContain(`invocation ${second}`);
      expect(current.stdout).not.toContain('Stopping');
      expect(current.stdout).toContain(' systemd: Started ');

      const previous = await type(`${invocation} previous`, user);
      expect(previous.stdout).toContain(`invocation ${first}`);
      expect(previous.stdout).toContain('Stopping: planned stop by systemd');
      expect(previous.stdout).not.toContain(`invocation ${second}`);
      expect((await type(`${invocation} ${first}`, user)).stdout).toBe(previous.stdout);

      const newest = await type(`--instance ${scope} --since today --lines 1 --json`, user);
      expect(newest.stdout.trim().split('\n')).toHaveLength(1);
      // systemd and the gateway write theirs at the same time.
      expect((JSON.parse(newest.stdout) as JournalRecord)['MESSAGE']).toMatch(/^(Started|Ready after) /);
      // A user reads the records of their own units, whether or not they may read the system's.
      expect(await type(`--instance ${scope} --session nobody`, user)).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('leave out an option'),
      });
      await unit.succeed('stop');
    },
  );

  it('goes on over a restart with --follow, and ends with 0 by Ctrl-C', async () => {
    const unit = await GatewayUnit.install(machine(), { name: 'sd-gateway-follow' });
    await unit.succeed('start');
    // The reading ends itself once it has seen the second start: the status is that of "logs".
    const script = `
      mkfifo /run/followed
      sd-gateway logs --instance follow --follow >/run/followed & logs=$!
      exec 3</run/followed
      seen() { while read -r line <&3; do case $line in *"$1"*) return;; esac; done; exit 9; }
      seen "Started sd-gateway-follow"
      systemctl restart sd-gateway-follow
      seen "Stopping: planned stop"
      seen "-- invocation"
      seen "Started sd-gateway-follow"
      kill -INT $logs
      wait $logs`;
    const { status, stderr } = await machine().run(['bash', '--norc', '-c', script], { timeout: 30_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    await unit.succeed('stop');
  });

  it('says why there is nothing', async () => {
    const absent = await type('--instance absent');
    expect(absent).toMatchObject({ status: 4, stdout: '', stderr: expect.stringContaining('There is no ') });
    const user = await machine().addUser('nils', 1531);
    expect(await type('--system --instance system', user)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('usermod --append --groups systemd-journal'),
    });
    expect(await type('--instance system --session nobody')).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('leave out an option'),
    });
    expect(await type('--instance system --since whenever')).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('Failed to parse timestamp: whenever'),
    });
  });

  it('ends quietly when its reader has seen enough', async () => {
    const { status, stderr, stdout } = await machine().run([
      'bash',
      '--norc',
      '-c',
      'set -o pipefail; sd-gateway logs --instance system --lines 1000 | head -n 1',
    ]);
    expect({ status, stderr, lines: stdout.trim().split('\n').length }).toEqual({
      status: 0,
      stderr: '',
      lines: 1,
    });
  });
});
