import type { GatewayFacts } from '../../../src/channels/control/facts.js';
import { type UnitState, unitState } from '../../../src/cli/operate/unit.js';
import type { Terminal } from '../../../src/cli/terminal.js';
import type { RunRecord } from '../../../src/store/open-store.js';

export const now = Date.parse('2026-11-23T17:00:00Z');

/** Properties as systemctl of systemd 252 printed them for a running gateway, in UTC. */
export const shown: Readonly<Record<string, string>> = {
  LoadState: 'loaded',
  FragmentPath: '/etc/systemd/system/sd-gateway.service',
  DropInPaths: '',
  UnitFileState: 'enabled',
  NeedDaemonReload: 'no',
  ActiveState: 'active',
  SubState: 'running',
  StateChangeTimestamp: 'Mon 2026-11-23 16:52:57 UTC',
  Result: 'success',
  InvocationID: 'b1d599e96c8349858a32494571302be6',
  MainPID: '147',
  UID: '62592',
  ExecMainPID: '147',
  ExecMainStartTimestamp: 'Mon 2026-11-23 16:52:56 UTC',
  StatusText: 'Ready for 7min: 1 session, 0 running, 0 waiting, 1 answered, 0 failed',
  ExecMainCode: '0',
  ExecMainStatus: '0',
  ExecMainExitTimestamp: '',
  NRestarts: '0',
  Restart: 'always',
  RestartUSec: '2s',
  TimeoutStartUSec: '1min 30s',
  StartLimitBurst: '100',
  StartLimitIntervalUSec: '10min',
  WatchdogUSec: '30s',
  WatchdogTimestamp: 'Mon 2026-11-23 16:59:55 UTC',
  MemoryCurrent: '70373376',
  MemoryHigh: 'infinity',
  MemoryMax: '536870912',
  RuntimeDirectory: 'sd-gateway',
  StateDirectory: 'sd-gateway',
};

/** A running gateway's unit, but for what is said. */
export function unit(changes: Partial<UnitState> = {}): UnitState {
  return { ...unitState('system', 'sd-gateway.service', shown), ...changes };
}

export const exited = (status: number): NonNullable<UnitState['exit']> => ({
  how: 'exited',
  status,
  at: now,
});

export const failed = (changes: Partial<UnitState> = {}): UnitState =>
  unit({
    activeState: 'failed',
    subState: 'failed',
    result: 'exit-code',
    exit: exited(1),
    mainPid: null,
    ...changes,
  });

export const target = { scope: 'system', instance: null } as const;

export function run(changes: Partial<RunRecord> = {}): RunRecord {
  return {
    id: '00000000-0000-7000-8000-000000000000',
    invocationId: 'eef214995e1a4fd2a5a5ae684688e226',
    bootId: 'd31d8d3a7f2b4c0f9c6f0a2f9a1b5e77',
    pid: 99,
    version: '0.1.0',
    startedAt: now - 3_600_000,
    startDuration: 300,
    readyAt: now - 3_599_700,
    resumedTurns: 0,
    stop: {
      requestedAt: now - 430_000,
      at: now - 429_000,
      cause: 'planned-stop',
      description: 'planned stop by systemd (PID 1, UID 0), restart job',
      exitStatus: 0,
      signal: 'SIGTERM',
      sender: { pid: 1, uid: 0, comm: 'systemd' },
      job: { type: 'restart', shutdown: null, because: null },
      drainMicroseconds: 12_000,
      finishedTurns: 1,
      putBackTurns: 2,
      error: null,
    },
    ...changes,
  };
}

export function gateway(changes: Partial<GatewayFacts> = {}): GatewayFacts {
  return {
    version: '0.1.0',
    node: 'v22.1.0',
    pid: 147,
    uid: 62592,
    instance: null,
    unit: 'sd-gateway.service',
    invocationId: 'b1d599e96c8349858a32494571302be6',
    state: 'ready',
    status: 'Ready for 7min: 1 session, 0 running, 0 waiting, 1 answered, 0 failed',
    startedAt: now - 423_500,
    readyAt: now - 423_000,
    supervision: 'supervised by PID 1, unit sd-gateway.service',
    supervisionWarnings: [],
    watchdog: { microseconds: 30_000_000, sinceLastPing: 5_000 },
    parts: [
      { name: 'event loop', pendingFor: 0, stalled: false },
      { name: 'store', pendingFor: 0, stalled: false },
    ],
    eventLoopDelay: { mean: 1.25, p99: 3, max: 11 },
    trouble: null,
    waitingHosts: [],
    agents: [],
    reloadRefused: null,
    work: {
      sessions: 1,
      queued: 0,
      running: 0,
      replied: 1,
      delivered: 0,
      dead: 0,
      cancelled: 0,
      collected: 0,
      undelivered: 0,
    },
    listening: ['127.0.0.1:8733'],
    connections: { open: 3, bound: 10_000, withoutToken: 1, withoutTokenBound: 512, reached: false },
    residentMemory: 80_000_000,
    database: '/var/lib/sd-gateway/gateway.db',
    configurationFile: null,
    runs: [run({ stop: null }), run()],
    callerTurn: null,
    ...changes,
  };
}

export function plain(width: number): Terminal {
  return { isTerminal: false, width, paint: (_style, text) => text };
}
