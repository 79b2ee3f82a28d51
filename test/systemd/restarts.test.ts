import { expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { Poster, type PosterReport } from './load/poster.js';

/** RESTARTS=50 npm run restarts */
const restarts = Number(process.env['RESTARTS'] ?? 2);
const rate = 500;
const unit = 'sd-gateway.service';
const tokenFile = '/var/lib/sd-gateway/token';

async function installUnits(machine: Machine): Promise<void> {
  const from = '/usr/lib/sd-gateway/systemd';
  await machine.check(['sh', '-c', `cp ${from}/*.service ${from}/*.socket /etc/systemd/system/`]);
  await machine.check(['systemctl', 'daemon-reload']);
}

async function configure(machine: Machine, text: string): Promise<void> {
  await machine.writeFile('/etc/sd-gateway/sd-gateway.toml', text);
}

/** A gateway without a past. */
async function forget(machine: Machine): Promise<void> {
  await machine.check(['systemctl', 'stop', 'sd-gateway.socket', unit]);
  await machine.check(['systemctl', 'clean', '--what=state', unit]);
}

async function restartUnderLoad(machine: Machine, address: string): Promise<PosterReport> {
  const poster = new Poster(machine, { address, tokenFile, clients: 50, rate });
  await poster.answered(rate / 2);
  for (let count = 0; count < restarts; count++) {
    await machine.check(['systemctl', 'restart', unit]);
    await poster.answered(rate);
  }
  return poster.end();
}

interface View {
  readonly seq: number;
  readonly text: string;
  readonly state: string;
  readonly reply: { readonly text: string; readonly at: string } | null;
}

/** What is wrong with a session's messages, as the store has them. */
function mistakesOf(session: string, taken: number, messages: readonly View[]): string[] {
  const mistakes: string[] = [];
  if (messages.length !== taken) mistakes.push(`${session}: ${taken} taken, ${messages.length} there`);
  let last = '';
  for (const [index, { seq, text, state, reply }] of messages.entries()) {
    const wanted = String(index + 1);
    if (seq !== index + 1 || text !== wanted)
      mistakes.push(`${session}: message ${wanted} is ${seq}, ${text}`);
    if (state !== 'replied' || reply?.text !== wanted)
      mistakes.push(`${session}: message ${seq} is ${state}`);
    if (reply !== null && reply.at < last) mistakes.push(`${session}: message ${seq} was run out of order`);
    last = reply?.at ?? last;
  }
  return mistakes;
}

async function curl(machine: Machine, address: string, path: string): Promise<string> {
  const token = (await machine.check(['cat', tokenFile])).trim();
  const target = address.startsWith('unix:')
    ? ['--unix-socket', address.slice('unix:'.length), `http://gateway${path}`]
    : [`${address}${path}`];
  return machine.check([
    'curl',
    '--silent',
    '--show-error',
    '-H',
    `Authorization: Bearer ${token}`,
    ...target,
  ]);
}

async function sessionMessages(machine: Machine, address: string, session: string): Promise<View[]> {
  const messages: View[] = [];
  let after: string | null = null;
  do {
    const query: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const path = `/v1/sessions/${session}/messages?limit=1000${query}`;
    const page = JSON.parse(await curl(machine, address, path)) as {
      readonly items: readonly View[];
      readonly next: string | null;
    };
    messages.push(...page.items);
    after = page.next;
  } while (after !== null);
  return messages;
}

/** Waits until nothing is left to be run. */
async function settled(machine: Machine): Promise<void> {
  await machine.check([
    'sh',
    '-c',
    `until systemctl show --value -p StatusText ${unit} | grep -q " 0 running, 0 waiting"; do sleep 0.2; done`,
  ]);
}

function describeReport(name: string, report: PosterReport): string {
  const perSecond = (report.answers / report.seconds).toFixed(0);
  return (
    `${name}: ${restarts} restarts, ${report.answers} posts in ${report.seconds.toFixed(0)} s (${perSecond}/s), ` +
    `${report.failures.length} failed, ${report.connections} connections, longest answer ${report.longest.toFixed(0)} ms`
  );
}

const ways = [
  {
    name: 'a socket unit',
    listen: '127.0.0.1:8733',
    address: 'http://127.0.0.1:8733',
    start: 'sd-gateway.socket',
  },
  {
    name: 'the file descriptor store',
    listen: '127.0.0.1:8733',
    address: 'http://127.0.0.1:8733',
    start: unit,
  },
  {
    name: 'the file descriptor store, Unix socket',
    listen: 'unix:/run/sd-gateway/http.sock',
    address: 'unix:/run/sd-gateway/http.sock',
    start: unit,
  },
] as const;

describeOnMachine('a restart under load', (machine) => {
  it.for(ways)(
    `fails no request, loses nothing and keeps the order, with $name`,
    { timeout: restarts * 20_000 + 60_000 },
    async ({ name, listen, address, start }) => {
      await installUnits(machine());
      await configure(machine(), `[http]\nlisten = "${listen}"\n`);
      await machine().check(['systemctl', 'start', start]);
      await machine().check(['systemctl', 'start', unit]);
      const report = await restartUnderLoad(machine(), address);
      process.stdout.write(`\n${describeReport(name, report)}\n`);
      expect(report.failures).toEqual([]);
      await settled(machine());
      const mistakes: string[] = [];
      for (const [session, taken] of Object.entries(report.sessions)) {
        mistakes.push(...mistakesOf(session, taken, await sessionMessages(machine(), address, session)));
      }
      expect(mistakes).toEqual([]);
      await forget(machine());
    },
  );
});
