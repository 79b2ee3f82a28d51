import { copyFileSync } from 'node:fs';
import type { Benchmark, Contender } from './frame/benchmark.js';
import { program } from './frame/places.js';
import { runForJson, temporaryDirectory } from './frame/processes.js';

interface Past {
  readonly name: string;
  readonly title: string;
  readonly pattern: 'one-session' | 'new-sessions' | 'some-sessions';
  readonly messages: number;
  readonly sessions: number;
}

/** The store’s own rate with a past beside its rate without one: what is kept must not make it slower. */
function growth({ name, title, pattern, messages, sessions }: Past): Benchmark {
  return {
    name,
    group: 'growth',
    title,
    figures: [{ name: 'rate', unit: 'messages/s', better: 'higher' }],
    targets: [{ figure: 'rate', against: 'the same, empty store', atLeast: 0.9 }],
    async open({ smoke }) {
      const { path, remove } = temporaryDirectory();
      const fill = (file: string, count: number, of: number): Promise<unknown> =>
        runForJson([process.execPath, program('fill-store'), file, String(count), String(of), '0']);
      const factor = smoke ? 1_000 : 1;
      await fill(`${path}/past.db`, messages / factor, Math.ceil(sessions / factor));
      await fill(`${path}/empty.db`, 1, 1);
      const count = smoke ? 128 : 6_400;
      const contender = (contenderName: string, from: string): Contender => ({
        name: contenderName,
        measure: () => {
          // A store of its own, as the last one left it: opened before the clock starts.
          copyFileSync(`${path}/${from}.db`, `${path}/run.db`);
          return runForJson([
            process.execPath,
            program('store-rate'),
            `${path}/run.db`,
            String(count),
            pattern,
          ]);
        },
      });
      return {
        contenders: [contender('sd-gateway', 'past'), contender('the same, empty store', 'empty')],
        close() {
          remove();
          return Promise.resolve();
        },
      };
    },
  };
}

export const longSession = growth({
  name: 'long-session',
  title: 'The store, a session of 10^5 messages',
  pattern: 'one-session',
  messages: 100_000,
  sessions: 1,
});

export const manySessions = growth({
  name: 'many-sessions',
  title: 'The store, 10^5 sessions of one message',
  pattern: 'new-sessions',
  messages: 100_000,
  sessions: 100_000,
});

export const fullStore = growth({
  name: 'full-store',
  title: 'The store, 10^6 messages in it',
  pattern: 'some-sessions',
  messages: 1_000_000,
  sessions: 10_000,
});
