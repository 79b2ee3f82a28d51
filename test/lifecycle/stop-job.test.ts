import { describe, expect, it } from 'vitest';
import {
  describeStopJob,
  explainStopJob,
  type ManagerJob,
  mayBeDrawnAlong,
  type StopJob,
} from '../../src/lifecycle/stop-job.js';

const unit = 'sd-gateway.service';
const stop: ManagerJob = { unit, type: 'stop' };
const restart: ManagerJob = { unit, type: 'restart' };
const job = (name: string, type: string): ManagerJob => ({ unit: name, type });

describe('the job that stops the unit', () => {
  it.each<[string, ManagerJob[], Record<string, string[]>, StopJob | null, string]>([
    ['none', [], {}, null, ''],
    ['another unit’s only', [job('a.service', 'stop')], { PartOf: ['a.service'] }, null, ''],
    ['a stop by hand', [stop], {}, { type: 'stop', shutdown: null, because: null }, 'stop job'],
    ['a restart by hand', [restart], {}, { type: 'restart', shutdown: null, because: null }, 'restart job'],
    [
      'a reboot, which has a job for everything',
      [stop, job('a.service', 'stop'), job('shutdown.target', 'start'), job('reboot.target', 'start')],
      { PartOf: ['a.service'] },
      { type: 'stop', shutdown: 'reboot', because: null },
      'stop job, because of the manager’s reboot',
    ],
    [
      'a shutdown that says no more',
      [stop, job('shutdown.target', 'start')],
      {},
      { type: 'stop', shutdown: 'shutdown', because: null },
      'stop job, because of the manager’s shutdown',
    ],
    [
      'a restart of what it is part of',
      [restart, job('stack.target', 'restart')],
      { PartOf: ['stack.target'] },
      {
        type: 'restart',
        shutdown: null,
        because: { unit: 'stack.target', job: 'restart', dependency: 'PartOf' },
      },
      'restart job, drawn along by the restart of stack.target (PartOf=)',
    ],
    [
      'a start of what it conflicts with',
      [job('other.service', 'stop'), job('rescue.target', 'start'), stop],
      { Conflicts: ['rescue.target'], PartOf: [] },
      {
        type: 'stop',
        shutdown: null,
        because: { unit: 'rescue.target', job: 'start', dependency: 'Conflicts' },
      },
      'stop job, drawn along by the start of rescue.target (Conflicts=)',
    ],
    [
      'a start of what it is part of, which stops nothing',
      [stop, job('stack.target', 'start')],
      { PartOf: ['stack.target'] },
      { type: 'stop', shutdown: null, because: null },
      'stop job',
    ],
  ])('%s', (_name, jobs, dependencies, expected, words) => {
    const found = explainStopJob(unit, jobs, dependencies);
    expect(found).toEqual(expected);
    if (found !== null) expect(describeStopJob(found)).toBe(words);
  });

  it.each<[ManagerJob[], boolean]>([
    [[stop], false],
    [[stop, job('a.service', 'stop')], true],
    [[stop, job('a.service', 'stop'), job('poweroff.target', 'start')], false],
  ])('asks for dependencies only where they can say something: %#', (jobs, expected) => {
    expect(mayBeDrawnAlong(unit, jobs)).toBe(expected);
  });
});
