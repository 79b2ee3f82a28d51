import type { Benchmark } from './frame/benchmark.js';
import { startGateway } from './frame/gateway.js';
import { program } from './frame/places.js';
import { ownProcesses, runForJson, temporaryDirectory } from './frame/processes.js';

const agent = [process.execPath, program('acp-echo')];

export const acpTurn: Benchmark = {
  name: 'acp-turn',
  group: 'agents',
  title: 'A turn of an ACP agent that runs already, from the post to the reply',
  figures: [{ name: 'p50', unit: 'ms', better: 'lower' }],
  targets: [{ figure: 'p50', against: 'its parts by hand', atMost: 1.3 }],
  open({ smoke }) {
    const measure = (...words: readonly string[]) =>
      runForJson<{ readonly p50: number }>([
        process.execPath,
        program('acp-turn'),
        smoke ? '5' : '500',
        ...words,
      ]);
    return Promise.resolve({
      contenders: [
        {
          name: 'sd-gateway',
          async measure() {
            const settings = {
              SD_GATEWAY_AGENT_TYPE: 'acp',
              SD_GATEWAY_AGENT_COMMAND: JSON.stringify(agent),
            };
            const gateway = await startGateway(settings, ownProcesses, () => undefined, 'SIGKILL');
            try {
              return { p50: (await measure('gateway', String(gateway.port), gateway.token)).p50 };
            } finally {
              await gateway.stop();
            }
          },
        },
        {
          // A request to a server of node:http in a process of its own, which commits it to SQLite; the prompt and its answer
          // over pipes, by the protocol's SDK; the reply committed; one after the other.
          name: 'its parts by hand',
          async measure() {
            const { path, remove } = temporaryDirectory();
            try {
              return { p50: (await measure('parts', path, ...agent)).p50 };
            } finally {
              remove();
            }
          },
        },
      ],
    });
  },
};
