import type { Benchmark } from './frame/benchmark.js';
import { startGateway } from './frame/gateway.js';
import { program } from './frame/places.js';
import { runForJson } from './frame/processes.js';

/** Writes its time, in nanoseconds of CLOCK_MONOTONIC, and ends some time later. */
const agent = [process.execPath, program('say-time')];

export const firstDelta: Benchmark = {
  name: 'first-delta',
  group: 'agents',
  title: 'From an agent’s first write to its reader',
  figures: [{ name: 'p50', unit: 'ms', better: 'lower' }],
  targets: [{ figure: 'p50', against: 'a pipe, read by Node.js', atMostMore: 2 }],
  open({ smoke }) {
    const measure = (...words: readonly string[]) =>
      runForJson<{ readonly p50: number }>([
        process.execPath,
        program('first-delta'),
        smoke ? '3' : '50',
        ...words,
      ]);
    return Promise.resolve({
      contenders: [
        {
          name: 'sd-gateway, to a client of a stream',
          async measure() {
            const gateway = await startGateway({ SD_GATEWAY_AGENT_COMMAND: JSON.stringify(agent) });
            try {
              return { p50: (await measure('gateway', String(gateway.port), gateway.token)).p50 };
            } finally {
              await gateway.stop();
            }
          },
        },
        {
          name: 'a pipe, read by Node.js',
          measure: async () => ({ p50: (await measure('pipe', ...agent)).p50 }),
        },
      ],
    });
  },
};
