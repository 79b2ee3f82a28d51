import { expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';
import { Poster, type PosterReport } from './load/poster.js';
import { mistakesInStore } from './load/sessions.js';

/** RESTARTS=50 npm run restarts: all ways, and the check that a failure would be seen. */
const onDemand = process.env['RESTARTS'] !== undefined;
const restarts = Number(process.env['RESTARTS'] ?? 2);
const rate = 500;
const unit = 'sd-gateway.service';
const tokenFile = '/var/lib/sd-gateway/token';

async function installUnits(machine: Machine): Promise<void> {
  const from = '/usr/lib/sd-gateway/systemd';
  await machine.check(['sh', '-c', `cp ${from}/*.service ${from}/*.socket /etc/systemd/system/`]);
  await machine.check(['systemctl', 'daemon-reload']);
  await makeShippedUser(machine);
}

async function configure(machine: Machine, text: string): Promise<void> {
  await machine.writeFile('/etc/sd-gateway/sd-gateway.toml', text);
}

/** A gateway without a past. */
async function forget(machine: Machine): Promise<void> {
  await machine.check(['systemctl', 'stop', 'sd-gateway.socket', unit]);
  await machine.check(['systemctl', 'clean', '--what=state', unit]);
}

/** Posts at the rate, from before the first restart until all clients have been served after the last. */
async function restartUnderLoad(machine: Machine, address: string): Promise<PosterReport> {
  const poster = new Poster(machine, { address, tokenFile, clients: 50, rate });
  await poster.answered(rate / 2);
  for (let count = 0; count < restarts; count++) {
    await machine.check(['systemctl', 'restart', unit]);
    await poster.answered(onDemand ? rate : rate / 2);
  }
  return poster.end();
}

/** Waits until nothing is left to be run. */
async function settled(machine: Machine): Promise<void> {
  await machine.check([
    'sh',
    '-c',
    `until systemctl show --value -p StatusText ${unit} | grep -q " 0 running, 0 waiting"; do sleep 0.05; done`,
  ]);
}

function describeReport(name: string, report: PosterReport): string {
  const perSecond = (report.answers / report.seconds).toFixed(0);
  return (
    `${name}: ${restarts} restarts, ${report.answers} posts in ${report.seconds.toFixed(0)} s (${perSecond}/s), ` +
    `${report.failures.length} failed, ${report.connections} connections, longest answer ${report.longest.toFixed(0)} ms`
  );
}

interface Way {
  readonly name: string;
  readonly listen: string;
  readonly address: string;
  /** The units that are started. */
  readonly units: readonly string[];
}

const tcp = { listen: '127.0.0.1:8733', address: 'http://127.0.0.1:8733' };
const socketFile = 'unix:/run/sd-gateway/http.sock';
const socketUnit: Way = { name: 'a socket unit', ...tcp, units: ['sd-gateway.socket', unit] };
const store: Way = { name: 'the file descriptor store', ...tcp, units: [unit] };
const unixStore: Way = {
  name: 'the file descriptor store, and a Unix socket',
  listen: socketFile,
  address: socketFile,
  units: [unit],
};

async function restartsOf(machine: Machine, { name, listen, address, units }: Way): Promise<PosterReport> {
  await installUnits(machine);
  await configure(machine, `[http]\nlisten = "${listen}"\n`);
  await machine.check(['systemctl', 'start', ...units]);
  const report = await restartUnderLoad(machine, address);
  process.stdout.write(`\n${describeReport(name, report)}\n`);
  return report;
}

describeOnMachine('a restart under load', (machine) => {
  const timeout = restarts * 20_000 + 60_000;

  it.for(onDemand ? [socketUnit, store, unixStore] : [socketUnit, store])(
    'fails no request, loses nothing and keeps the order, with $name',
    { timeout },
    async (way) => {
      const report = await restartsOf(machine(), way);
      expect(report.failures).toEqual([]);
      await settled(machine());
      const token = (await machine().check(['cat', tokenFile])).trim();
      const place = { address: way.address, token };
      expect(await mistakesInStore(machine(), place, report.sessions)).toEqual([]);
      await forget(machine());
    },
  );

  if (onDemand) {
    it('fails requests where nothing is kept: the clients would tell', { timeout }, async () => {
      await machine().writeFile(
        '/etc/systemd/system/sd-gateway.service.d/nothing-kept.conf',
        '[Service]\nFileDescriptorStoreMax=0\n',
      );
      const { failures } = await restartsOf(machine(), { ...socketUnit, name: 'nothing kept' });
      expect(failures).not.toEqual([]);
      await machine().check(['rm', '-r', '/etc/systemd/system/sd-gateway.service.d']);
      await forget(machine());
    });
  }
});
