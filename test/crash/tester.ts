import { setTimeout as pause } from 'node:timers/promises';
import type { Machine } from '../systemd/harness/machine.js';
import { type Fault, faults } from './faults.js';
import { CrashGateway, port, receiverPort } from './gateway.js';
import { violationsOf } from './invariants.js';
import { Random } from './random.js';
import { parseLines, parseTurns, type Receipt, type StoredMessage } from './record.js';
import { Worker } from './worker.js';

export interface CrashOptions {
  readonly seed: number;
  /** How long faults are injected, in milliseconds. */
  readonly duration: number;
  /** The command line of the gateway. */
  readonly program?: string;
  /** Which faults; all by default. */
  readonly only?: readonly string[];
  readonly clients?: number;
  /** Mean pause of a client between an answer and its next post, in milliseconds. */
  readonly between?: number;
  /** How long the gateway may take to serve again, in milliseconds. */
  readonly startPatience?: number;
  /** How long no reply may come in the end before the rest is taken for lost, in milliseconds. */
  readonly endPatience?: number;
}

export interface CrashReport {
  readonly seed: number;
  readonly seconds: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly messages: number;
  /** Posts that clients repeated under the same key, and that had been accepted before. */
  readonly repeatedPosts: number;
  /** Why posts were not accepted at first. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Turns that were begun again. */
  readonly resumedTurns: number;
  /** Replies that came again under their key. */
  readonly duplicates: number;
  /** From the end of the gateway to its next READY=1, in milliseconds. */
  readonly recovery: {
    readonly count: number;
    readonly median: number;
    readonly p99: number;
    readonly most: number;
  };
  readonly violations: readonly string[];
}

interface LoadReport {
  readonly accepted: Readonly<Record<string, number>>;
  readonly repeated: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly mistakes: readonly string[];
}

/** The gateway does not come back: nothing can be tested any more. */
class NotServing extends Error {}

const nothing = {
  seconds: 0,
  messages: 0,
  repeatedPosts: 0,
  refusals: {},
  resumedTurns: 0,
  duplicates: 0,
  recovery: { count: 0, median: 0, p99: 0, most: 0 },
} as const;

/** Has a gateway go through faults under load, then looks whether all that it had accepted came to its end. */
export async function crashTest(machine: Machine, options: CrashOptions): Promise<CrashReport> {
  const { seed, duration, program = '/usr/local/bin/sd-gateway run', clients = 20, between = 250 } = options;
  const random = new Random(seed);
  const gateway = await CrashGateway.install(machine, program);
  await gateway.unit.succeed('start');
  const receiver = new Worker(machine, 'receiver.mjs', String(receiverPort), '/run/tester/received');
  const tokenFile = `${gateway.unit.stateDirectory}/token`;
  const load = new Worker(
    machine,
    'load.mjs',
    JSON.stringify({ port, tokenFile, receiver: receiverPort, clients, pause: between }),
  );
  const chosen = faults.filter(({ name }) => options.only === undefined || options.only.includes(name));
  const counts: Record<string, number> = Object.fromEntries(chosen.map(({ name }) => [name, 0]));
  const recoveries: number[] = [];
  const began = performance.now();
  while (performance.now() - began < duration) {
    const fault = random.pick(chosen);
    counts[fault.name] = (counts[fault.name] ?? 0) + 1;
    try {
      const recovery = await injectAndRecover(
        gateway,
        receiver,
        random,
        fault,
        options.startPatience ?? 60_000,
      );
      if (recovery !== null) recoveries.push(recovery);
      await pause(random.between(0, 300));
    } catch (error) {
      if (!(error instanceof NotServing)) throw error;
      return { ...nothing, seed, faults: counts, violations: [error.message] };
    }
  }
  const seconds = (performance.now() - began) / 1_000;
  gateway.setClock(0);
  const posted = await load.end<LoadReport>();
  if (posted === null) throw new Error('The clients did not say what they saw.');
  const messages = Object.values(posted.accepted).reduce((sum, count) => sum + count, 0);
  const allReceived = await receiver.reached(messages, options.endPatience ?? 60_000);
  const stored = parseLines<StoredMessage>(
    await machine.check(
      [
        'node',
        '/usr/lib/sd-gateway/test/crash/inside/collect.mjs',
        String(port),
        tokenFile,
        ...Object.keys(posted.accepted),
      ],
      { timeout: 600_000 },
    ),
  );
  await gateway.unit.succeed('stop');
  await receiver.end();
  const turns = parseTurns(gateway.read('/run/tester/turns'));
  const received = parseLines<Receipt>(gateway.read('/run/tester/received'));
  const begun = turns.filter(({ kind }) => kind === 'begin');
  recoveries.sort((a, b) => a - b);
  const at = (part: number) => recoveries[Math.floor((recoveries.length - 1) * part)] ?? 0;
  return {
    seed,
    seconds,
    faults: counts,
    messages,
    repeatedPosts: posted.repeated,
    refusals: posted.refusals,
    resumedTurns: begun.length - new Set(begun.map(({ message }) => message)).size,
    duplicates: received.length - new Set(received.map(({ key }) => key)).size,
    recovery: { count: recoveries.length, median: at(0.5), p99: at(0.99), most: at(1) },
    violations: [
      ...posted.mistakes,
      ...(allReceived ? [] : [`Only ${receiver.count} of ${messages} replies had come in the end.`]),
      ...violationsOf({ accepted: posted.accepted, stored, turns, received }),
    ],
  };
}

/** Gives the time from the end of the gateway to its next READY=1 where the fault ended it, in milliseconds. */
async function injectAndRecover(
  gateway: CrashGateway,
  receiver: Worker,
  random: Random,
  fault: Fault,
  startPatience: number,
): Promise<number | null> {
  // The last fault may have ended the gateway without systemd having seen it: what is signalled must be there.
  const before = await awaitServing(gateway, fault, startPatience, () => gateway.processId() !== null);
  await fault.inject({ gateway, receiver, random, pause });
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

/** The report as a table. */
export function describeReport(report: CrashReport): string {
  const total = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  const { median, p99, most, count } = report.recovery;
  const rows: readonly (readonly [string, string])[] = [
    ['seed', String(report.seed)],
    ['faults', `${total} in ${report.seconds.toFixed(0)} s`],
    ...Object.entries(report.faults).map(([name, times]) => [`  ${name}`, String(times)] as const),
    ['messages accepted and delivered', String(report.messages)],
    ['posts repeated by clients, accepted before', String(report.repeatedPosts)],
    ['posts refused or cut off at first', JSON.stringify(report.refusals)],
    ['turns run again', String(report.resumedTurns)],
    ['replies received again under their key', String(report.duplicates)],
    [
      'end of the gateway to READY=1',
      `median ${median.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, most ${most.toFixed(0)} ms (${count})`,
    ],
    ['violations', report.violations.length === 0 ? 'none' : report.violations.slice(0, 20).join('\n  ')],
  ];
  return rows.map(([name, value]) => `${name.padEnd(44)} ${value}`).join('\n');
}
