import type { Benchmark, Contender } from './frame/benchmark.js';
import type { BurstOptions } from './frame/bursts.js';
import { nativeProgram, program } from './frame/places.js';
import { measureBursts } from './notify.js';

export const journal: Benchmark = {
  name: 'journal',
  group: 'systemd-protocols',
  title: 'A journal record with 10 fields',
  figures: [{ name: 'time', unit: 'µs', better: 'lower' }],
  targets: [
    { figure: 'time', against: 'C: sd_journal_sendv', atMost: 1.5 },
    { figure: 'time', against: 'pino to standard output', atMost: 1 },
  ],
  open({ smoke }) {
    const count = smoke ? 300 : 100_000;
    const contender = (
      name: string,
      receiver: BurstOptions['receiver'],
      sender: readonly string[],
    ): Contender => ({
      name,
      measure: () =>
        // A burst of lines fits into a pipe.
        measureBursts(
          { sender: [...sender, String(count), '128'], receiver },
          count,
          'µs',
          receiver === 'journal' ? 'record' : null,
        ),
    });
    const node = [process.execPath, program('journal')];
    return Promise.resolve({
      contenders: [
        contender('sd-gateway', 'journal', [...node, 'own']),
        contender('C: sd_journal_sendv', 'journal', [nativeProgram('journal')]),
        contender('pino to standard output', 'stdout', [...node, 'pino']),
        contender('systemd-cat, pino within', 'systemd-cat', [...node, 'pino']),
      ],
    });
  },
};
