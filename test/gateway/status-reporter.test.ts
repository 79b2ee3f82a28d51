import { expect, test } from 'vitest';
import type { Announcer } from '../../src/gateway/announcer.js';
import { StatusReporter } from '../../src/gateway/status-reporter.js';

const counts = {
  sessions: 3,
  queued: 2,
  running: 1,
  replied: 4,
  delivered: 5,
  dead: 6,
  cancelled: 7,
  collected: 0,
  undelivered: 0,
};

function reporter() {
  const announcer = { status: () => undefined } as unknown as Announcer;
  return new StatusReporter(
    announcer,
    (work) => ({ state: 'ready', work, trouble: null, stalled: [] }) as never,
    () => undefined,
  );
}

test('what is said first has the counts of the store', async () => {
  const status = reporter();
  await status.follow({ counts: () => Promise.resolve(counts) });
  expect(status.text()).toContain('3 sessions, 1 running, 2 waiting, 9 answered, 6 failed');
  status.close();
});

test('a store that can’t count now is no reason not to start', async () => {
  const status = reporter();
  await status.follow({ counts: () => Promise.reject(new Error('locked')) });
  expect(status.text()).toContain('0 sessions');
  status.close();
});
