import { type ExitStatus, joinStops, type StopRequest, stopRequest } from './stop-cause.js';

/** starting → ready ⇄ reloading → stopping → stopped. */
export type LifecycleState =
  /** `reload`: a reload was asked for, and follows the start. */
  | { readonly name: 'starting'; readonly reload: boolean }
  | { readonly name: 'ready' }
  /** `again`: another reload was asked for, and follows this one. */
  | { readonly name: 'reloading'; readonly again: boolean }
  | { readonly name: 'stopping'; readonly phase: 'draining' | 'closing'; readonly stop: StopRequest }
  /** `stop`: the one that the process ends with; its exit status is the process's. */
  | { readonly name: 'stopped'; readonly stop: StopRequest };

export type LifecycleEvent =
  /** The store is open and recovered, and the listeners are bound. */
  | { readonly type: 'started' }
  | {
      readonly type: 'start-failed';
      readonly cause: 'crash' | 'unavailable' | 'refused';
      readonly reason: string;
      readonly errno: number | null;
    }
  | { readonly type: 'reload-requested' }
  | { readonly type: 'reload-done' }
  | { readonly type: 'reload-refused'; readonly reason: string }
  | { readonly type: 'stop-requested'; readonly stop: StopRequest }
  | { readonly type: 'drain-finished' }
  /** Everything that was open is closed. */
  | { readonly type: 'closed' }
  | { readonly type: 'crashed'; readonly reason: string }
  | { readonly type: 'end-at-once'; readonly stop: StopRequest };

/** An effect of an event. src/lifecycle/supervise.ts performs them in their order. */
export type LifecycleEffect =
  /** `READY=1`. */
  | { readonly type: 'announce-ready' }
  /** `RELOADING=1` with `MONOTONIC_USEC=`. */
  | { readonly type: 'announce-reloading' }
  /** `STOPPING=1`, and the stop in the journal. */
  | { readonly type: 'announce-stopping'; readonly stop: StopRequest }
  /** The reason in `STATUS=`, and `ERRNO=` where there is one. */
  | { readonly type: 'announce-failure'; readonly reason: string; readonly errno: number | null }
  | { readonly type: 'announce-reload-refused'; readonly reason: string }
  | { readonly type: 'begin-reload' }
  | { readonly type: 'cancel-start' }
  | { readonly type: 'begin-drain' }
  | { readonly type: 'close' }
  /** The supervisor asks for the stop that a kill has begun, which is a planned one from now on. */
  | { readonly type: 'note-planned-stop'; readonly stop: StopRequest }
  /** Another stop is under way: this one is put on record and changes nothing. */
  | { readonly type: 'note-further-stop'; readonly stop: StopRequest }
  /** The one exit; `atOnce`: nothing is waited for. */
  | { readonly type: 'exit'; readonly exitStatus: ExitStatus; readonly atOnce: boolean };

export interface Transition {
  readonly state: LifecycleState;
  readonly effects: readonly LifecycleEffect[];
}

export const initialState: LifecycleState = { name: 'starting', reload: false };

const reloadEffects: readonly LifecycleEffect[] = [{ type: 'announce-reloading' }, { type: 'begin-reload' }];

/** Ends a process that can't be trusted, or that a person wants gone: from any state but the last. */
function endAtOnce(stop: StopRequest, before: readonly LifecycleEffect[]): Transition {
  return {
    state: { name: 'stopped', stop },
    effects: [...before, { type: 'exit', exitStatus: stop.exitStatus, atOnce: true }],
  };
}

function whileStarting(state: LifecycleState & { name: 'starting' }, event: LifecycleEvent): Transition {
  switch (event.type) {
    case 'started':
      return state.reload
        ? {
            state: { name: 'reloading', again: false },
            effects: [{ type: 'announce-ready' }, ...reloadEffects],
          }
        : { state: { name: 'ready' }, effects: [{ type: 'announce-ready' }] };
    case 'start-failed':
      return {
        state: { name: 'stopping', phase: 'closing', stop: stopRequest(event.cause, 'gateway', null) },
        effects: [{ type: 'announce-failure', reason: event.reason, errno: event.errno }, { type: 'close' }],
      };
    case 'reload-requested':
      return { state: { name: 'starting', reload: true }, effects: [] };
    case 'stop-requested':
      return {
        state: { name: 'stopping', phase: 'closing', stop: event.stop },
        effects: [
          { type: 'announce-stopping', stop: event.stop },
          { type: 'cancel-start' },
          { type: 'close' },
        ],
      };
    default:
      return { state, effects: [] };
  }
}

function whileServing(
  state: LifecycleState & { name: 'ready' | 'reloading' },
  event: LifecycleEvent,
): Transition {
  if (event.type === 'stop-requested') {
    return {
      state: { name: 'stopping', phase: 'draining', stop: event.stop },
      effects: [{ type: 'announce-stopping', stop: event.stop }, { type: 'begin-drain' }],
    };
  }
  if (event.type === 'reload-requested') {
    return state.name === 'ready'
      ? { state: { name: 'reloading', again: false }, effects: reloadEffects }
      : { state: { name: 'reloading', again: true }, effects: [] };
  }
  if (state.name === 'reloading' && (event.type === 'reload-done' || event.type === 'reload-refused')) {
    const refused: readonly LifecycleEffect[] =
      event.type === 'reload-refused' ? [{ type: 'announce-reload-refused', reason: event.reason }] : [];
    const done: readonly LifecycleEffect[] = [...refused, { type: 'announce-ready' }];
    return state.again
      ? { state: { name: 'reloading', again: false }, effects: [...done, ...reloadEffects] }
      : { state: { name: 'ready' }, effects: done };
  }
  return { state, effects: [] };
}

function whileStopping(state: LifecycleState & { name: 'stopping' }, event: LifecycleEvent): Transition {
  switch (event.type) {
    case 'stop-requested': {
      // Once the drain is over, the stop is on record.
      const stop = state.phase === 'draining' ? joinStops(state.stop, event.stop) : state.stop;
      return stop === state.stop
        ? { state, effects: [{ type: 'note-further-stop', stop: event.stop }] }
        : { state: { ...state, stop }, effects: [{ type: 'note-planned-stop', stop }] };
    }
    case 'drain-finished':
      return state.phase === 'draining'
        ? { state: { ...state, phase: 'closing' }, effects: [{ type: 'close' }] }
        : { state, effects: [] };
    case 'closed':
      return state.phase === 'closing'
        ? {
            state: { name: 'stopped', stop: state.stop },
            effects: [{ type: 'exit', exitStatus: state.stop.exitStatus, atOnce: false }],
          }
        : { state, effects: [] };
    default:
      return { state, effects: [] };
  }
}

/** The only place where the state changes. An event that has no meaning in a state leaves it as it is. */
export function transition(state: LifecycleState, event: LifecycleEvent): Transition {
  if (state.name === 'stopped') return { state, effects: [] };
  if (event.type === 'crashed') {
    const stop = stopRequest('crash', 'gateway', null);
    return endAtOnce(stop, [{ type: 'announce-failure', reason: event.reason, errno: null }]);
  }
  if (event.type === 'end-at-once') return endAtOnce(event.stop, []);
  switch (state.name) {
    case 'starting':
      return whileStarting(state, event);
    case 'ready':
    case 'reloading':
      return whileServing(state, event);
    case 'stopping':
      return whileStopping(state, event);
  }
}
