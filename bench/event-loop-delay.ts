import type { Benchmark, Contender } from './frame/benchmark.js';
import { nativeProgram, program } from './frame/places.js';
import { runForJson } from './frame/processes.js';

const without = 'none of them';

/**
 * The delay that the gateway's dealings with systemd add to its event loop. A control, which blocks the loop for 2 ms
 * now and then, shows that a difference would be seen.
 */
export const eventLoopDelay: Benchmark = {
  name: 'event-loop-delay',
  group: 'systemd-protocols',
  title: 'Event loop’s delay with notifications, watchdog and signal watch',
  figures: ['idle, p50', 'idle, p99', 'loaded, p50', 'loaded, p99'].map((name) => ({
    name,
    unit: 'µs',
    better: 'lower',
  })),
  // Not measurable.
  targets: ['idle, p99', 'loaded, p99'].map((figure) => ({
    figure,
    against: without,
    atMost: 1.05,
    orOverlap: true,
  })),
  open({ smoke }) {
    const contender = (name: string, how: string): Contender => ({
      name,
      measure: () =>
        runForJson([
          process.execPath,
          program('event-loop-delay'),
          how,
          // Beside others, on a busy machine, it is enough that there are some.
          ...(smoke ? ['1', '1'] : ['2', '200']),
          nativeProgram('manager'),
        ]),
    });
    return Promise.resolve({
      contenders: [
        contender('sd-gateway', 'own'),
        contender(without, 'none'),
        contender('control: 2 ms blocked, 50 times a second', 'control'),
      ],
    });
  },
};
