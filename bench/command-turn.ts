import type { Benchmark, Contender } from './frame/benchmark.js';
import { program } from './frame/places.js';
import { ownProcesses, runForJson } from './frame/processes.js';

export const commandTurn: Benchmark = {
  name: 'command-turn',
  group: 'messages',
  title: 'A turn of a command agent (/bin/cat)',
  figures: [{ name: 'time', unit: 'ms', better: 'lower' }],
  targets: [{ figure: 'time', against: 'child_process.spawn', atMost: 1.2 }],
  open({ smoke }) {
    const contender = (name: string, how: string): Contender => ({
      name,
      measure: () =>
        runForJson([...ownProcesses, process.execPath, program('command-turn'), how, smoke ? '5' : '300']),
    });
    return Promise.resolve({
      contenders: [contender('sd-gateway', 'own'), contender('child_process.spawn', 'spawn')],
    });
  },
};
