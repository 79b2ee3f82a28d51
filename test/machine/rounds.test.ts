import { expect, it } from 'vitest';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** ROUNDS=200 npm run rounds */
const rounds = Number(process.env['ROUNDS'] ?? 10);

interface Series {
  readonly name: string;
  readonly unit: string;
  readonly values: number[];
}

function describeSeries({ name, unit, values }: Series): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(1);
  return `${name.padEnd(34)} median ${at(0.5)} ${unit}, least ${at(0)}, most ${at(1)}`;
}

describeOnMachine('rounds', (machine) => {
  it(
    `${rounds} rounds of start, message and stop end inactive, with every accepted message answered`,
    async () => {
      const gateway = await GatewayUnit.install(machine(), {
        name: 'rounds',
        service: ['Restart=always', 'WatchdogSec=30'],
      });
      // A unit that another one refers to keeps its times when it is inactive.
      await machine().writeFile(
        '/etc/systemd/system/observer.service',
        '[Unit]\nAfter=rounds.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n',
      );
      await machine().check(['systemctl', 'start', 'observer.service']);
      const start: Series = { name: 'start to READY=1', unit: 'ms', values: [] };
      const stop: Series = { name: 'stop of an idle gateway', unit: 'ms', values: [] };
      const memory: Series = { name: 'resident memory', unit: 'MiB', values: [] };
      const accepted: string[] = [];
      for (let round = 1; round <= rounds; round++) {
        await gateway.succeed('start');
        const { status, body } = await gateway.post(`round-${round % 7}`, { text: `message ${round}` });
        expect(status).toBe(202);
        accepted.push(String(body['id']));
        // Every other one is stopped with the message on its way.
        if (round % 2 === 0) expect(await gateway.reply(String(body['id']))).toBe(`message ${round}`);
        memory.values.push(await residentMebibytes(await gateway.mainPid()));
        await gateway.succeed('stop');
        expect(await gateway.result()).toEqual({
          ActiveState: 'inactive',
          SubState: 'dead',
          Result: 'success',
          ExecMainStatus: '0',
          NRestarts: '0',
        });
        const times = await gateway.show(
          'InactiveExitTimestampMonotonic',
          'ActiveEnterTimestampMonotonic',
          'ActiveExitTimestampMonotonic',
          'InactiveEnterTimestampMonotonic',
        );
        const between = (from: string, to: string) => (Number(times[to]) - Number(times[from])) / 1_000;
        start.values.push(between('InactiveExitTimestampMonotonic', 'ActiveEnterTimestampMonotonic'));
        stop.values.push(between('ActiveExitTimestampMonotonic', 'InactiveEnterTimestampMonotonic'));
      }
      await gateway.succeed('start');
      for (const [index, id] of accepted.entries()) {
        expect(await gateway.reply(id)).toBe(`message ${index + 1}`);
      }
      await gateway.succeed('stop');
      process.stdout.write(`\n${rounds} rounds\n${[start, stop, memory].map(describeSeries).join('\n')}\n`);
    },
    rounds * 5_000 + 60_000,
  );

  async function residentMebibytes(pid: number): Promise<number> {
    const status = await machine().check(['cat', `/proc/${pid}/status`]);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
  }
});
