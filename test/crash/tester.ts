import { setTimeout as pause } from 'node:timers/promises';
import type { Machine } from '../machine/harness/machine.js';
import { ChannelLoad, hookSecret } from './channels/load.js';
import type { Fault, Surroundings } from './fault.js';
import { faults } from './faults.js';
import { agentPort, CrashGateway, port, receiverPort } from './gateway.js';
import { Random } from './inside/random.mjs';
import type { ClientKind } from './kinds.js';
import { GatewayMemory } from './memory.js';
import {
  type AttemptEvent,
  parseLines,
  parseTurns,
  type Receipt,
  type StoredMessage,
  withIds,
} from './record.js';
import { type CrashReport, type LoadReport, reportOf, withoutRecord } from './report.js';
import { Worker } from './worker.js';

export interface CrashOptions {
  readonly seed: number;
  /** Time in which faults are injected, in milliseconds. */
  readonly duration: number;
  /** Least number of injected faults, however long that takes on a slow machine. */
  readonly least?: number;
  /** The command line of the gateway. */
  readonly program?: string;
  /** Which faults; all by default. */
  readonly only?: readonly string[];
  /** Number of sessions of each kind. */
  readonly clients?: Readonly<Partial<Record<ClientKind, number>>>;
  /** True: messages come in and replies go out by channels as well. Default: false. */
  readonly channels?: boolean;
  /** Mean pause of a client between an answer and its next post, in milliseconds. */
  readonly between?: number;
  /** Longest time that the gateway may take to serve again, in milliseconds. */
  readonly startPatience?: number;
  /** Longest time without the end of any message before the rest is taken for lost, in milliseconds. */
  readonly endPatience?: number;
  /** Is told how far the test has come: once a minute, and at each step of its end. Default: nobody. */
  readonly progress?: (line: string) => void;
}

/** The gateway does not come back: nothing can be tested any more. */
class NotServing extends Error {}

const defaultClients: Readonly<Record<ClientKind, number>> = {
  client: 20,
  cancel: 4,
  collect: 4,
  interrupt: 4,
  once: 4,
  acp: 2,
  openai: 2,
  http: 2,
  hook: 2,
};
const turnsFile = '/run/tester/turns';
const storedFile = '/run/tester/stored';
const receiverFiles = ['/run/tester/received', '/run/tester/attempts'] as const;

/** Has a gateway go through faults under load, then looks whether all that it had accepted came to its end. */
export async function crashTest(machine: Machine, options: CrashOptions): Promise<CrashReport> {
  const { seed, duration, least = 0, program = '/usr/local/bin/sd-gateway run', between = 250 } = options;
  const withChannels = options.channels === true;
  const clients = { ...(options.clients ?? defaultClients), ...(!withChannels && { hook: 0 }) };
  const random = new Random(seed);
  const gateway = await CrashGateway.install(machine, program, seed);
  const channels = withChannels ? await ChannelLoad.open(machine, seed) : null;
  if (channels !== null) await gateway.addTables(channels.tables);
  await gateway.unit.succeed('start');
  await gateway.channelsUp();
  const memory = new GatewayMemory(gateway);
  const receiver = new Worker(machine, 'receiver.mjs', String(receiverPort), ...receiverFiles, String(seed));
  const agents = new Worker(
    machine,
    'agent-server.mjs',
    String(agentPort),
    String(port),
    turnsFile,
    String(seed),
  );
  const tokenFile = `${gateway.unit.stateDirectory}/token`;
  const load = new Worker(
    machine,
    'load.mjs',
    JSON.stringify({
      port,
      tokenFile,
      receiver: receiverPort,
      turns: turnsFile,
      clients,
      pause: between,
      seed,
      hookSecret,
    }),
  );
  if (channels !== null) {
    channels.begin(seed, () => gateway.endedMessages());
    // What nobody has a list of, such as the first private message to a bot, can't be read back behind a fault.
    await gateway.sessionsBegun(channels.sessions);
  }
  const chosen = faults
    .filter(({ name }) => options.only === undefined || options.only.includes(name))
    .filter((fault) => {
      const isPossible = fault.isPossible?.(gateway) ?? true;
      if (!isPossible) process.stdout.write(`"${fault.name}" is not possible here, and left out\n`);
      return isPossible;
    });
  const counts: Record<string, number> = Object.fromEntries(chosen.map(({ name }) => [name, 0]));
  const recoveries: number[] = [];
  const violations: string[] = [];
  const acceptedByFaults: Record<string, number> = {};
  const began = performance.now();
  const course = () => ({
    seed,
    seconds: (performance.now() - began) / 1_000,
    faults: counts,
    recoveries,
    memory: memory.growthMiB,
    misbehaved: 0,
  });
  const injected = () => Object.values(counts).reduce((sum, count) => sum + count, 0);
  const tell = (step: string) =>
    options.progress?.(
      `${course().seconds.toFixed(0)} s: ${injected()} faults, ${memory.growthMiB.toFixed(0)} MiB, ${step}`,
    );
  let minutesTold = 0;
  while (performance.now() - began < duration || injected() < least) {
    for (const worker of [receiver, agents, load]) worker.mustRun();
    memory.look();
    if (course().seconds >= (minutesTold + 1) * 60) {
      minutesTold += 1;
      tell(`${violations.length} violations`);
    }
    const fault = random.pick(chosen);
    counts[fault.name] = (counts[fault.name] ?? 0) + 1;
    const surroundings: Omit<Surroundings, 'pid'> = {
      gateway,
      receiver,
      agents,
      random,
      pause,
      violate: (text) => violations.push(`${fault.name}: ${text}`),
      noteAccepted: (session) => {
        acceptedByFaults[session] = 1;
      },
    };
    try {
      const recovery = await injectAndRecover(surroundings, fault, options.startPatience ?? 60_000);
      if (recovery !== null) recoveries.push(recovery);
      await pause(random.between(0, 300));
    } catch (error) {
      if (!(error instanceof NotServing)) throw error;
      return withoutRecord(course(), [...violations, error.message]);
    }
  }
  const run = course();
  gateway.setClock(0);
  receiver.mustRun();
  tell('the channels write no more');
  await channels?.end();
  tell('the clients end');
  const posted = await load.end<LoadReport>();
  if (posted === null) throw new Error('The clients did not say what they saw.');
  tell('waits for the end of all messages');
  const patience = String(options.endPatience ?? 120_000);
  const accepted = { ...posted.accepted, ...acceptedByFaults, ...channels?.written };
  const collect = ['node', '/usr/lib/sd-gateway/test/crash/inside/collect.mjs', String(port), tokenFile];
  await machine.check(
    [
      'sh',
      '-c',
      `exec "$@" >${storedFile}`,
      'sh',
      ...collect,
      patience,
      ...Object.entries(accepted).map((each) => each.join('=')),
    ],
    {
      timeout: 600_000,
    },
  );
  memory.look();
  tell('the gateway stops');
  await gateway.unit.succeed('stop');
  await channels?.close();
  await receiver.end();
  const served = await agents.end<{ readonly mistakes: readonly string[]; readonly misbehaved: number }>();
  if (served === null) throw new Error('The agents’ server did not say what it saw.');
  const mistakes = [
    ...violations,
    ...posted.mistakes,
    ...served.mistakes,
    ...memory.violations(),
    ...(channels?.mistakes() ?? []),
  ];
  const stored = parseLines<StoredMessage>(gateway.read(storedFile));
  return reportOf(
    { ...run, memory: memory.growthMiB, misbehaved: served.misbehaved },
    { ...posted, accepted, mistakes },
    {
      accepted,
      cancels: posted.cancels,
      stored,
      turns: withIds(parseTurns(gateway.read(turnsFile)), stored),
      received: parseLines<Receipt>(gateway.read(receiverFiles[0])),
      attempts: parseLines<AttemptEvent>(gateway.read(receiverFiles[1])),
      shown: channels?.shown() ?? [],
    },
  );
}

/** Gives the time from the end of the gateway to its next READY=1 where the fault ended it, in milliseconds. */
async function injectAndRecover(
  surroundings: Omit<Surroundings, 'pid'>,
  fault: Fault,
  startPatience: number,
): Promise<number | null> {
  const { gateway } = surroundings;
  // The last fault may have ended the gateway without systemd having seen it: what is signalled must be there.
  const before = await awaitServing(gateway, fault, startPatience, () => gateway.processId() !== null);
  await fault.inject({ ...surroundings, pid: gateway.processId() });
  const after = await awaitServing(
    gateway,
    fault,
    startPatience,
    (now) => !fault.endsGateway || now['MainPID'] !== before['MainPID'],
  );
  const time = Number(after['ActiveEnterTimestampMonotonic']) - Number(after['ActiveExitTimestampMonotonic']);
  return fault.endsGateway ? time / 1_000 : null;
}

/** Waits until the unit is active and this is true of it. */
async function awaitServing(
  gateway: CrashGateway,
  fault: Fault,
  startPatience: number,
  met: (shown: Readonly<Record<string, string>>) => boolean,
): Promise<Readonly<Record<string, string>>> {
  const shown = ['ActiveState', 'MainPID', 'ActiveEnterTimestampMonotonic', 'ActiveExitTimestampMonotonic'];
  const deadline = performance.now() + startPatience;
  for (;;) {
    const now = await gateway.unit.show(...shown);
    if (now['ActiveState'] === 'active' && met(now)) return now;
    if (performance.now() > deadline) {
      const facts = [
        JSON.stringify(await gateway.unit.show(...shown, 'SubState', 'ControlPID', 'Job', 'TasksCurrent')),
        ...gateway.processes(),
        ...(await gateway.unit.messages()).slice(-20),
      ].join('\n');
      throw new NotServing(
        `After "${fault.name}" the gateway did not serve again within ${startPatience / 1_000} s: ${facts}`,
      );
    }
    await pause(20);
  }
}
