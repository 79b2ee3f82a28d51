import { expect, test, vi } from 'vitest';
import { SideWork } from '../../../src/gateway/supervisor/side-work.js';
import { StatusReporter } from '../../../src/gateway/supervisor/status-reporter.js';
import type { Notifier } from '../../../src/lifecycle/effects/notifier.js';

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

const opened = Promise.resolve();

function reporter(stalled: () => readonly string[] = () => []) {
  const said: string[] = [];
  const notifier = { status: (text: string) => said.push(text) } as unknown as Notifier;
  const status = new StatusReporter(
    notifier,
    (work) => ({ state: 'ready', readyFor: 0, work, trouble: null, stalled: stalled() }) as never,
    () => undefined,
    new SideWork({ warning: (text) => said.push(text), notice: (text) => said.push(text) }),
  );
  return Object.assign(status, { said });
}

test('what is said first has the counts of the store', async () => {
  const status = reporter();
  await status.follow({ counts: () => Promise.resolve(counts) }, opened);
  expect(status.text()).toContain('3 sessions, 1 running, 2 waiting, 9 answered, 6 failed');
  status.close();
});

test('counts that somebody has just asked for are those of the line, too', async () => {
  const status = reporter();
  await status.follow({ counts: () => Promise.resolve(counts) }, opened);
  expect(status.text({ ...counts, running: 0, replied: 5 })).toContain('0 running, 2 waiting, 10 answered');
  status.close();
});

test('a line that can’t be made is no reason to end, and the last one stays', async () => {
  let stalled = (): readonly string[] => [];
  const status = reporter(() => stalled());
  await status.follow({ counts: () => Promise.resolve(counts) }, opened);
  const before = status.text();
  stalled = () => {
    throw new Error('EMFILE: too many open files');
  };
  expect(status.text()).toBe(before);
  expect(status.said).toEqual([expect.stringContaining('The status line failed: EMFILE')]);
  status.close();
});

test('a store that can’t count now is no reason not to start', async () => {
  const status = reporter();
  await status.follow({ counts: () => Promise.reject(new Error('locked')) }, opened);
  expect(status.text()).toContain('0 sessions');
  status.close();
});

test('a store that can’t be opened is told of where it is opened', async () => {
  const status = reporter();
  const error = new Error('damaged');
  const counts = () => Promise.reject(error);
  await expect(status.follow({ counts }, Promise.reject(error))).rejects.toBe(error);
  expect(status.said).toEqual([]);
  status.close();
});

test('a store that does not answer holds up nothing else that there is to say', async () => {
  vi.useFakeTimers();
  let stalled: readonly string[] = [];
  const status = reporter(() => stalled);
  try {
    const answers = [Promise.resolve(counts), new Promise<typeof counts>(() => {})];
    const store = { counts: () => answers.shift() ?? Promise.reject(new Error('asked twice at a time')) };
    await status.follow(store, opened);
    status.changed();
    await vi.advanceTimersByTimeAsync(1_500);
    expect(status.said).toHaveLength(1);
    expect(status.said[0]).toContain('3 sessions');
    stalled = ['store'];
    status.changed();
    expect(status.said[1]).toContain('no progress in: store');
  } finally {
    status.close();
    vi.useRealTimers();
  }
});
