import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Contender, Figure, Figures } from './frame/benchmark.js';
import { type Serving, startGateway } from './frame/gateway.js';
import { program } from './frame/places.js';

const goal = 'the goal';

/** The figures that are to be reached, as the frame knows them. */
const goalOf = (figures: Figures): Contender => ({ name: goal, measure: () => Promise.resolve(figures) });
const reached = (figure: string) => ({ figure, against: goal, atMost: 1 });
const lower = (name: string, unit: string): Figure => ({ name, unit, better: 'lower' });

/** A gateway with one channel, or none, once that is up. */
function startWithChannel(isConfigured = true): Promise<Serving> {
  const command = JSON.stringify([process.execPath, program('channel-load')]);
  return startGateway(
    {
      SD_GATEWAY_LOG_LEVEL: 'notice',
      MALLOC_ARENA_MAX: '2',
      SD_GATEWAY_DISPATCH_CONCURRENCY: '64',
      SD_GATEWAY_DELIVERY_CONCURRENCY: '64',
    },
    [],
    (directory) => {
      if (!isConfigured) return;
      const table = `[channels.load]\ntype = "command"\ncommand = ${command}\nallow = ["*"]\nrequired = true\n`;
      writeFileSync(`${directory}/sd-gateway.toml`, table);
    },
  );
}

interface Load {
  readonly count: number;
  readonly missing: number;
  readonly mistakes: readonly string[];
  readonly p99: number;
}

/** Has the channel's program write, and gives what it saw. Throws if a reply is missing or wrong. */
async function load({ directory }: Serving, rate: number, seconds: number): Promise<Load> {
  const socket = connect(`${directory}/channels/load/load`);
  socket.write(`${JSON.stringify({ rate, seconds })}\n`);
  const seen = JSON.parse(await text(socket)) as Load;
  if (seen.mistakes.length > 0 || seen.missing > 0 || seen.count !== rate * seconds) {
    throw new Error(`Of ${rate * seconds} messages: ${JSON.stringify(seen).slice(0, 1_000)}`);
  }
  return seen;
}

/** Resident memory (VmRSS of proc_pid_status(5)), MiB. */
function residentMemory(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) / 1_024;
}

/** Processor time of a process so far, in seconds (proc_pid_stat(5)); the kernel counts 100 ticks a second. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/**
 * Messages in and out by a command channel, two minutes a round, all rounds by one gateway: ten minutes with five rounds. Its
 * memory is compared with that after a first minute.
 */
export const commandChannel: Benchmark = {
  name: 'command-channel',
  group: 'messages',
  title: '500 messages a second in and out through a command channel',
  figures: [
    lower('p99', 'ms from a message to its send'),
    lower('memory above that of the first minute', 'MiB'),
  ],
  targets: ['p99', 'memory above that of the first minute'].map(reached),
  async open({ smoke }) {
    const gateway = await startWithChannel();
    const [rate, first, seconds] = smoke ? [100, 0.2, 0.2] : [500, 60, 120];
    await load(gateway, rate, first);
    const before = residentMemory(gateway.pid);
    return {
      contenders: [
        {
          name: 'sd-gateway',
          async measure() {
            const { p99 } = await load(gateway, rate, seconds);
            return { p99, 'memory above that of the first minute': residentMemory(gateway.pid) - before };
          },
        },
        // The heap's own ups and downs between two collections.
        goalOf({ p99: 1_000, 'memory above that of the first minute': 32 }),
      ],
      close: () => gateway.stop(),
    };
  },
};

/** A channel on which nothing comes, its program included, beside a gateway without one. */
export const idleChannel: Benchmark = {
  name: 'idle-channel',
  group: 'messages',
  title: 'A gateway at rest with a command channel',
  figures: [lower('processor', '% of a core')],
  targets: [reached('processor')],
  open({ smoke }) {
    const seconds = smoke ? 0.2 : 60;
    const contender = (name: string, isConfigured: boolean): Contender => ({
      name,
      async measure() {
        const gateway = await startWithChannel(isConfigured);
        try {
          // The start's own work is over.
          await pause(smoke ? 0 : 20_000);
          const before = processorTime(gateway.pid);
          await pause(seconds * 1_000);
          return { processor: ((processorTime(gateway.pid) - before) / seconds) * 100 };
        } finally {
          await gateway.stop();
        }
      },
    });
    return Promise.resolve({
      contenders: [
        contender('sd-gateway', true),
        contender('without a channel', false),
        goalOf({ processor: 1 }),
      ],
    });
  },
};
