import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  initialState,
  type LifecycleEffect,
  type LifecycleEvent,
  type LifecycleState,
  transition,
} from '../../src/lifecycle/state.js';
import { type StopRequest, stopRequest } from '../../src/lifecycle/stop-cause.js';

const stop = stopRequest('planned-stop', 'control-socket', null);
const restart = stopRequest('restart', 'control-socket', null);

function run(...events: readonly LifecycleEvent[]): { state: LifecycleState; effects: string[] } {
  let state = initialState;
  const effects: string[] = [];
  for (const event of events) {
    const next = transition(state, event);
    state = next.state;
    effects.push(...next.effects.map(describeEffect));
  }
  return { state, effects };
}

function describeEffect(effect: LifecycleEffect): string {
  return effect.type === 'exit' ? `exit ${effect.exitStatus}${effect.atOnce ? ' at once' : ''}` : effect.type;
}

const bySupervisor: StopRequest = {
  ...stop,
  signal: 'SIGTERM',
  sender: { pid: 1, uid: 0, comm: 'systemd', isSupervisor: true },
  requestedBy: 'signal',
};
const kill: StopRequest = { ...bySupervisor, cause: 'foreign-kill', exitStatus: 1, sender: null };
const killed: LifecycleEvent = { type: 'stop-requested', stop: kill };
const planned: LifecycleEvent = { type: 'stop-requested', stop: bySupervisor };
const started: LifecycleEvent = { type: 'started' };
const reload: LifecycleEvent = { type: 'reload-requested' };
const reloadDone: LifecycleEvent = { type: 'reload-done' };
const reloadRefused: LifecycleEvent = { type: 'reload-refused', reason: 'bad' };
const stopRequested: LifecycleEvent = { type: 'stop-requested', stop };
const restartRequested: LifecycleEvent = { type: 'stop-requested', stop: restart };
const drained: LifecycleEvent = { type: 'drain-finished' };
const closed: LifecycleEvent = { type: 'closed' };
const crashed: LifecycleEvent = { type: 'crashed', reason: 'bug' };
const atOnce: LifecycleEvent = { type: 'end-at-once', stop: { ...stop, exitStatus: 130 } };
const startFailed = (cause: 'crash' | 'unavailable' | 'refused'): LifecycleEvent => ({
  type: 'start-failed',
  cause,
  reason: 'why',
  errno: 98,
});

describe('the lifecycle', () => {
  it.each<[string, LifecycleEvent[], string[]]>([
    [
      'start, stop',
      [started, stopRequested, drained, closed],
      ['announce-ready', 'announce-stopping', 'begin-drain', 'close', 'exit 0'],
    ],
    [
      'restart',
      [started, restartRequested, drained, closed],
      ['announce-ready', 'announce-stopping', 'begin-drain', 'close', 'exit 75'],
    ],
    [
      'reload',
      [started, reload, reloadDone],
      ['announce-ready', 'announce-reloading', 'begin-reload', 'announce-ready'],
    ],
    [
      'reload refused',
      [started, reload, reloadRefused],
      ['announce-ready', 'announce-reloading', 'begin-reload', 'announce-reload-refused', 'announce-ready'],
    ],
    [
      'two reloads at once are two',
      [started, reload, reload, reload, reloadDone, reloadDone],
      [
        'announce-ready',
        'announce-reloading',
        'begin-reload',
        'announce-ready',
        'announce-reloading',
        'begin-reload',
        'announce-ready',
      ],
    ],
    [
      'reload during the start follows it',
      [reload, started],
      ['announce-ready', 'announce-reloading', 'begin-reload'],
    ],
    [
      'stop during the start',
      [stopRequested, started, closed],
      ['announce-stopping', 'cancel-start', 'close', 'exit 0'],
    ],
    [
      'stop during a reload, whose end comes too late',
      [started, reload, stopRequested, reloadDone, drained, closed],
      [
        'announce-ready',
        'announce-reloading',
        'begin-reload',
        'announce-stopping',
        'begin-drain',
        'close',
        'exit 0',
      ],
    ],
    [
      'the first of two stops counts',
      [started, stopRequested, restartRequested, drained, closed],
      ['announce-ready', 'announce-stopping', 'begin-drain', 'note-further-stop', 'close', 'exit 0'],
    ],
    [
      'a kill that the supervisor asks for too, while it drains, is a planned stop',
      [started, killed, planned, drained, closed],
      ['announce-ready', 'announce-stopping', 'begin-drain', 'note-planned-stop', 'close', 'exit 0'],
    ],
    [
      'a kill stays one once the drain is over',
      [started, killed, drained, planned, closed],
      ['announce-ready', 'announce-stopping', 'begin-drain', 'close', 'note-further-stop', 'exit 1'],
    ],
    ['failed start', [startFailed('crash'), closed], ['announce-failure', 'close', 'exit 1']],
    ['start given up', [startFailed('unavailable'), closed], ['announce-failure', 'close', 'exit 1']],
    ['refused start', [startFailed('refused'), closed], ['announce-failure', 'close', 'exit 78']],
    ['crash while starting', [crashed, started], ['announce-failure', 'exit 1 at once']],
    ['crash while ready', [started, crashed], ['announce-ready', 'announce-failure', 'exit 1 at once']],
    [
      'crash while stopping',
      [started, stopRequested, crashed, drained, closed],
      ['announce-ready', 'announce-stopping', 'begin-drain', 'announce-failure', 'exit 1 at once'],
    ],
    [
      'the keyboard insists',
      [started, stopRequested, atOnce, drained],
      ['announce-ready', 'announce-stopping', 'begin-drain', 'exit 130 at once'],
    ],
    [
      'late and early events have no meaning',
      [
        drained,
        closed,
        reloadDone,
        started,
        closed,
        drained,
        reloadDone,
        started,
        stopRequested,
        closed,
        drained,
        drained,
      ],
      ['announce-ready', 'announce-stopping', 'begin-drain', 'close'],
    ],
  ])('%s', (_name, events, effects) => {
    expect(run(...events).effects).toEqual(effects);
  });

  const event: fc.Arbitrary<LifecycleEvent> = fc.constantFrom(
    started,
    reload,
    reloadDone,
    reloadRefused,
    stopRequested,
    restartRequested,
    killed,
    planned,
    drained,
    closed,
    crashed,
    atOnce,
    startFailed('crash'),
    startFailed('refused'),
  );

  it('leaves by one exit, after which nothing happens, whatever the order of events', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const { state, effects } = run(...events);
        const exits = effects.filter((effect) => effect.startsWith('exit'));
        expect(exits.length).toBeLessThanOrEqual(1);
        if (exits.length === 1) expect(effects.at(-1)).toBe(exits[0]);
        expect(exits.length === 1).toBe(state.name === 'stopped');
      }),
      { numRuns: 2_000 },
    );
  });

  it('announces in an order that systemd understands', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const { state, effects } = run(...events);
        const announced = effects.filter((effect) => effect.startsWith('announce-'));
        expect(announced.filter((effect) => effect === 'announce-stopping').length).toBeLessThanOrEqual(1);
        const stopping = announced.indexOf('announce-stopping');
        if (stopping >= 0) expect(announced.slice(stopping)).not.toContain('announce-ready');
        // RELOADING=1 is followed by READY=1 or by the end of it all, before the next one.
        for (const [index, effect] of announced.entries()) {
          if (effect !== 'announce-reloading') continue;
          const next = announced.slice(index + 1).find((other) => other !== 'announce-reload-refused');
          const expected = ['announce-ready', 'announce-stopping', 'announce-failure'];
          if (next !== undefined) expect(expected).toContain(next);
          else expect(['reloading', 'stopped']).toContain(state.name);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
