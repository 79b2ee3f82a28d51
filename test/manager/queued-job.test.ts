import { expect, it } from 'vitest';
import { describeQueuedStart, jobOf, startsUnit } from '../../src/manager/queued-job.js';

const slow = { unit: 'slow.service', type: 'start', isRunning: true };
const other = { unit: 'other.service', type: 'stop', isRunning: false };
const own = { unit: 'sd-gateway.service', type: 'start', isRunning: false };

it.each([
  [[slow, other], null],
  [[own, other], 'systemd is about to start it: its start job is queued.'],
  [[own, slow, other], 'systemd is about to start it: its start job waits for slow.service.'],
  [[{ ...own, isRunning: true }, slow], 'systemd is about to start it: its start job is queued.'],
  [
    [{ ...own, type: 'restart' }, slow],
    'systemd is about to start it: its restart job waits for slow.service.',
  ],
  [[{ ...own, type: 'stop' }, slow], null],
])('a start among the jobs %j', (jobs, text) => {
  const job = jobOf('sd-gateway.service', jobs, ['slow.service', 'basic.target']);
  expect(job !== null && startsUnit(job) ? describeQueuedStart(job) : null).toBe(text);
});
