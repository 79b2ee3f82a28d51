import { Machine, whyNoMachine } from '../test/machine/harness/machine.js';
import { makeShippedUser } from '../test/machine/harness/shipped-user.js';
import { GatewayUnit } from '../test/machine/harness/unit.js';
import { Poster } from '../test/machine/load/poster.js';
import type { Benchmark, Figures } from './frame/benchmark.js';
import { checkout, program } from './frame/places.js';
import { runForJson, temporaryDirectory } from './frame/processes.js';

const inMachine = (path: string): string => `/usr/lib/sd-gateway/${path.slice(checkout.length)}`;

async function bootMachine(): Promise<Machine> {
  const reason = whyNoMachine();
  if (reason !== null) throw new Error(reason);
  return Machine.boot();
}

/** Times `systemctl start` and `systemctl stop` as whole processes, within the machine, and looks at what they did. */
async function startAndStop(machine: Machine, unit: string): Promise<Figures> {
  const script = [
    'set -e',
    'a=$EPOCHREALTIME; systemctl start "$1"; b=$EPOCHREALTIME',
    'test "$(systemctl is-active "$1")" = active',
    // Idle: whatever the start still had to do is done.
    'sleep 1',
    'c=$EPOCHREALTIME; systemctl stop "$1"; d=$EPOCHREALTIME',
    'systemctl show -p ActiveState,Result --value "$1" | tr "\\n" " "',
    'echo "$a $b $c $d"',
  ].join('\n');
  const words = (await machine.check(['bash', '-c', script, 'bash', unit])).trim().split(/\s+/);
  const [a = 0, b = 0, c = 0, d = 0] = words.slice(-4).map(Number);
  if (!words.includes('inactive') || !words.includes('success')) {
    throw new Error(`${unit} was not stopped cleanly: ${words.join(' ')}`);
  }
  return { start: (b - a) * 1e3, stop: (d - c) * 1e3 };
}

async function installPeer(
  machine: Machine,
  name: string,
  peer: string,
  directives: readonly string[] = [],
): Promise<string> {
  const text = [
    '[Service]',
    'Type=notify',
    'NotifyAccess=main',
    `ExecStart=/usr/bin/env node ${inMachine(program(peer))}`,
    ...directives,
    '',
  ].join('\n');
  await machine.writeFile(`/etc/systemd/system/${name}.service`, text);
  return `${name}.service`;
}

export const startStop: Benchmark = {
  name: 'start-stop',
  group: 'lifecycle',
  title: 'systemctl, until it returns',
  figures: [
    { name: 'start', unit: 'ms', better: 'lower' },
    { name: 'stop', unit: 'ms', better: 'lower' },
  ],
  targets: [
    { figure: 'start', against: 'bare node with one send', atMost: 2 },
    { figure: 'stop', against: 'bare node with one send', atMost: 1.5 },
  ],
  async open() {
    const machine = await bootMachine();
    const bare = await installPeer(machine, 'bare', 'bare-unit');
    const plain = await installPeer(machine, 'plain', 'plain-service', ['StateDirectory=plain']);
    const { name } = await GatewayUnit.install(machine, { name: 'bench' });
    const own = `${name}.service`;
    // The first start makes the store and the token.
    for (const unit of [own, bare, plain]) await startAndStop(machine, unit);
    return {
      contenders: [
        { name: 'sd-gateway', measure: () => startAndStop(machine, own) },
        { name: 'bare node with one send', measure: () => startAndStop(machine, bare) },
        // As most services are written with the same packages.
        { name: 'fastify and SQLite with one send', measure: () => startAndStop(machine, plain) },
      ],
      close: () => machine.destroy(),
    };
  },
};

export const startFull: Benchmark = {
  name: 'start-full',
  group: 'lifecycle',
  title: 'systemctl start, 10^6 messages, 10^4 to resume',
  figures: [{ name: 'start', unit: 'ms', better: 'lower' }],
  targets: [{ figure: 'start', against: 'an empty store', atMost: 1.3 }],
  async open({ smoke }) {
    const { path, remove } = temporaryDirectory();
    const file = `${path}/gateway.db`;
    const numbers = smoke ? ['1000', '100', '10'] : ['1000000', '10000', '10000'];
    await runForJson([process.execPath, program('fill-store'), file, ...numbers]);
    const machine = await bootMachine();
    const full = await GatewayUnit.install(machine, { name: 'full' });
    const empty = await GatewayUnit.install(machine, { name: 'empty' });
    for (const unit of [full, empty]) await startAndStop(machine, `${unit.name}.service`);
    const sealScript = `import('/usr/lib/sd-gateway/dist/store/sqlite/file/seal.js').then((s) => s.seal('${full.stateDirectory}/gateway.db', 'closed'))`;
    const resumed = new RegExp(`${numbers[2]} turns? `);
    return {
      contenders: [
        {
          name: 'sd-gateway',
          async measure() {
            await machine.check(['cp', inMachine(file), full.stateDirectory]);
            // As a gateway leaves it: the start is not to wait for the copy.
            await machine.check(['sync', `${full.stateDirectory}/gateway.db`]);
            await machine.check(['node', '-e', sealScript]);
            const figures = await startAndStop(machine, `${full.name}.service`);
            const said = await full.messages();
            if (!said.some((text) => resumed.test(text))) {
              throw new Error(`The turns were not resumed: ${said.slice(-8).join('\n')}`);
            }
            return figures;
          },
        },
        { name: 'an empty store', measure: () => startAndStop(machine, `${empty.name}.service`) },
      ],
      async close() {
        await machine.destroy();
        remove();
      },
    };
  },
};

interface Restarted {
  readonly address: string;
  readonly service: string;
  readonly tokenFile: string;
}

/** The longest that any of 50 clients waited for its answer, over one restart, at 500 posts a second. */
async function restartUnderLoad(machine: Machine, what: Restarted): Promise<Figures> {
  const { address, service, tokenFile } = what;
  const poster = new Poster(machine, { address, tokenFile, clients: 50, rate: 500 });
  await poster.answered(500);
  await machine.check(['systemctl', 'restart', service]);
  await poster.answered(500);
  const report = await poster.end();
  return { longest: report.longest };
}

/** The bare unit with a socket unit, which holds connections while nobody takes them. */
async function installBareSocket(
  machine: Machine,
  name: string,
  port: number,
  sandbox: readonly string[],
): Promise<Restarted> {
  const address = `127.0.0.1:${port}`;
  await machine.writeFile(`/etc/systemd/system/${name}.socket`, `[Socket]\nListenStream=${address}\n`);
  const service = [
    '[Service]',
    'Type=notify',
    `ExecStart=/usr/bin/env node ${inMachine(program('bare-unit'))}`,
    ...sandbox,
    '',
  ];
  await machine.writeFile(`/etc/systemd/system/${name}.service`, service.join('\n'));
  await machine.writeFile('/etc/bare-token', 'none');
  await machine.check(['systemctl', 'start', `${name}.socket`, `${name}.service`]);
  return { address: `http://${address}`, service: `${name}.service`, tokenFile: '/etc/bare-token' };
}

/** The sandbox of the shipped unit. */
async function shippedSandbox(machine: Machine): Promise<readonly string[]> {
  const unit = (await machine.check(['cat', '/usr/lib/sd-gateway/systemd/sd-gateway.service'])).split('\n');
  const lines = unit.slice(unit.indexOf('User=sd-gateway'), unit.indexOf('[Install]'));
  return lines.filter((line) => /^[A-Z]/.test(line));
}

async function installShippedUnits(machine: Machine): Promise<Restarted> {
  const from = '/usr/lib/sd-gateway/systemd';
  await machine.check(['sh', '-c', `cp ${from}/*.service ${from}/*.socket /etc/systemd/system/`]);
  await makeShippedUser(machine);
  await machine.check(['systemctl', 'daemon-reload']);
  await machine.check(['systemctl', 'start', 'sd-gateway.socket', 'sd-gateway.service']);
  return {
    address: 'http://127.0.0.1:8733',
    service: 'sd-gateway.service',
    tokenFile: '/var/lib/sd-gateway/token',
  };
}

export const restart: Benchmark = {
  name: 'restart',
  group: 'lifecycle',
  title: 'systemctl restart under 500 posts a second',
  figures: [{ name: 'longest', unit: 'ms without an answer', better: 'lower' }],
  targets: [{ figure: 'longest', against: 'bare node with a socket unit', atMost: 1.5 }],
  async open() {
    const machine = await bootMachine();
    const own = await installShippedUnits(machine);
    const bare = await installBareSocket(machine, 'bare-http', 8734, []);
    const boxed = await installBareSocket(machine, 'boxed-http', 8735, await shippedSandbox(machine));
    return {
      contenders: [
        { name: 'sd-gateway', measure: () => restartUnderLoad(machine, own) },
        { name: 'bare node with a socket unit', measure: () => restartUnderLoad(machine, bare) },
        { name: 'the same in the gateway’s sandbox', measure: () => restartUnderLoad(machine, boxed) },
      ],
      close: () => machine.destroy(),
    };
  },
};
