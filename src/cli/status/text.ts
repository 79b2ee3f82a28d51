import { describeReaders } from '../../store/store-log.js';
import { formatExactTimeSpan, formatTimeSpan } from '../../text/time-span.js';
import { describeResult } from '../operate/failure.js';
import { commandFor } from '../operate/find.js';
import type { JournalLine } from '../operate/journal.js';
import type { UnitState } from '../operate/unit.js';
import { printable, type Style, type Terminal } from '../terminal.js';
import {
  type DriftFacts,
  formatAgo,
  formatSize,
  formatTime,
  type LastStop,
  type StatusReport,
  type StatusVerdict,
  wrap,
} from './report.js';

/** A line of the screen: what it is about, the text, and the style of the text. */
type Row = readonly [label: string, text: string, style?: Style | undefined];

const labelColumns = 13;

const verdictWords: Readonly<Record<StatusVerdict, readonly [text: string, style: Style]>> = {
  running: ['running', 'green'],
  foreground: ['running in the foreground', 'green'],
  starting: ['starting', 'yellow'],
  stopping: ['stopping', 'yellow'],
  stopped: ['stopped', 'dim'],
  failed: ['failed', 'red'],
  'not-installed': ['not installed', 'dim'],
  unknown: ['not known', 'yellow'],
};

function count(number: number, singular: string): string {
  return `${number} ${number === 1 ? singular : `${singular}s`}`;
}

function unitRows(unit: UnitState, now: number, timeZone: string | undefined): Row[] {
  const rows: Row[] = [];
  const where = [
    unit.scope === 'system' ? 'system' : 'user',
    ...(unit.enabled === null ? [] : [unit.enabled]),
  ];
  if (unit.loadState !== 'loaded') where.push(unit.loadState);
  rows.push(['Unit', `${unit.path ?? unit.name} (${[...where].join(', ')})`]);
  if (unit.dropIns.length > 0) rows.push(['Drop-ins', unit.dropIns.join(' ')]);
  if (unit.triggeredBy.length > 0) rows.push(['Triggered', `by ${unit.triggeredBy.join(', ')}`]);
  if (unit.loadError !== null && unit.loadState !== 'masked')
    rows.push(['Load error', unit.loadError, 'red']);
  const since =
    unit.since === null ? '' : ` since ${formatTime(unit.since, timeZone)}, ${formatAgo(unit.since, now)}`;
  rows.push(['State', `${unit.activeState} (${unit.subState})${since}`]);
  if (unit.result !== 'success') {
    rows.push(['Result', `${unit.result}: ${describeResult(unit)}`, 'red']);
  }
  return rows;
}

function processRow({ unit, gateway }: StatusReport): Row[] {
  const pid = gateway?.pid ?? unit?.mainPid ?? null;
  const invocation = gateway?.invocationId ?? unit?.invocationId ?? null;
  const parts = [
    ...(pid === null ? [] : [`PID ${pid}`]),
    ...(gateway === null
      ? []
      : [`UID ${gateway.uid}`, `sd-gateway ${gateway.version}`, `Node.js ${gateway.node.replace(/^v/, '')}`]),
  ];
  return [
    ...(parts.length === 0 ? [] : [['Process', parts.join(', ')] as const]),
    ...(invocation === null ? [] : [['Invocation', invocation] as const]),
  ];
}

function watchdogRow({ unit, gateway, at }: StatusReport): Row[] {
  const timeout =
    unit?.watchdog?.timeout ??
    (gateway === null || gateway.watchdog === null ? null : gateway.watchdog.microseconds / 1_000);
  const stalled = gateway?.parts.filter((part) => part.stalled) ?? [];
  const delay =
    gateway === null
      ? []
      : [
          `event loop delayed by ${gateway.eventLoopDelay.mean.toFixed(1)} ms in the mean, ${Math.ceil(gateway.eventLoopDelay.max)} ms at most`,
        ];
  const isUp = gateway !== null || (unit?.mainPid ?? null) !== null;
  if (!isUp) return [];
  if (timeout === null) {
    return delay.length === 0 ? [] : [['Watchdog', ['none', ...delay].join('; ')]];
  }
  const lastPing =
    gateway?.watchdog?.sinceLastPing === null || gateway?.watchdog?.sinceLastPing === undefined
      ? (unit?.watchdog?.lastPing ?? null)
      : at - gateway.watchdog.sinceLastPing;
  const sign = lastPing === null ? 'no sign of life yet' : `last sign of life ${formatAgo(lastPing, at)}`;
  const every = timeout < 1_000 ? formatExactTimeSpan(timeout) : formatTimeSpan(timeout);
  const rows: Row[] = [['Watchdog', [`every ${every}`, sign, ...delay].join('; ')]];
  if (stalled.length > 0) {
    const names = stalled.map(({ name, pendingFor }) => `${name} for ${formatTimeSpan(pendingFor)}`);
    rows.push(['', `no progress in: ${names.join(', ')}; systemd is about to end it`, 'red']);
  }
  return rows;
}

function workRow({ gateway, ...target }: StatusReport): Row[] {
  const work = gateway?.work ?? null;
  if (work === null) return [];
  const parts = [
    count(work.sessions, 'session'),
    `${work.running} running`,
    `${work.queued} waiting`,
    `${work.replied + work.delivered} answered`,
    `${work.undelivered} to deliver`,
    work.dead === 0 ? '0 failed' : `${work.dead} failed ("${commandFor('dead', target, false)}" lists them)`,
  ];
  return [['Work', parts.join(', ')]];
}

function memoryRow({ unit, gateway }: StatusReport): Row[] {
  const current = unit?.memory.current ?? gateway?.residentMemory ?? null;
  if (current === null) return [];
  const notes = [
    ...(unit === null || unit.memory.peak === null ? [] : [`peak ${formatSize(unit.memory.peak)}`]),
    ...(unit === null || unit.memory.high === null ? [] : [`throttled from ${formatSize(unit.memory.high)}`]),
    ...(unit === null || unit.memory.max === null ? [] : [`at most ${formatSize(unit.memory.max)}`]),
  ];
  return [['Memory', `${formatSize(current)}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`]];
}

function lastStopRow(stop: LastStop | null, now: number, timeZone: string | undefined): Row[] {
  if (stop === null) return [];
  const parts = [
    // It names the job as well.
    stop.description,
    ...(stop.at === null ? [] : [`${formatTime(stop.at, timeZone)}, ${formatAgo(stop.at, now)}`]),
    ...(stop.drainMicroseconds === null
      ? []
      : [`drained in ${formatExactTimeSpan(stop.drainMicroseconds / 1_000)}`]),
    ...(stop.putBackTurns === null
      ? []
      : [stop.putBackTurns === 0 ? 'nothing put back' : `${count(stop.putBackTurns, 'turn')} put back`]),
    ...((stop.deadMessages ?? 0) === 0 ? [] : [`${count(stop.deadMessages ?? 0, 'message')} dead`]),
    ...(stop.exitStatus === null ? [] : [`exit status ${stop.exitStatus}`]),
    ...(stop.source === 'journal' ? ['by the journal'] : []),
  ];
  const clean = stop.exitStatus === 0 || stop.exitStatus === 75;
  const unclean = stop.cause === null || (stop.exitStatus !== null && !clean);
  return [['Last stop', parts.join('; '), unclean ? 'yellow' : undefined]];
}

function driftRow(drift: DriftFacts | null): Row[] {
  return drift === null
    ? []
    : [
        [
          'Unit file',
          drift.text,
          drift.state === 'drifted' || drift.state === 'edited' ? 'yellow' : undefined,
        ],
      ];
}

/** The status line, unless it is what a gateway said before it ended. */
function presentStatus(unit: UnitState | null): string | null {
  const text = unit?.statusText ?? null;
  return unit?.mainPid != null || text?.startsWith('Failed') === true ? text : null;
}

/** A gateway of an older version doesn’t tell. */
function waitingHostRows({ gateway, at }: StatusReport): Row[] {
  return (gateway?.waitingHosts ?? []).map(({ origin, state, failures, until }, index) => {
    const next =
      until === null ? 'one is tried now' : `next try in ${Math.max(0, Math.ceil((until - at) / 1_000))} s`;
    const why = state === 'held' ? 'it asked for time (Retry-After)' : `${failures} failures in a row`;
    return [index === 0 ? 'Waiting for' : '', `${origin}: ${why}, ${next}`, 'yellow'] as const;
  });
}

/** A gateway of an older version doesn’t tell. */
function heldAgentRows({ gateway, at }: StatusReport): Row[] {
  return (gateway?.agents ?? [])
    .filter(({ state }) => state === 'held')
    .map(({ name, reason, since, nextAttemptAt }) => {
      const next = Math.max(0, Math.ceil(((nextAttemptAt ?? at) - at) / 1_000));
      const text = `"${name}" can’t be started, and its messages wait, for ${formatTimeSpan(Math.max(0, at - (since ?? at)))} by now; next try in ${next} s: ${reason}`;
      return ['Agent', text, 'red'] as const;
    });
}

/** One row for those that are up, and one for each other. A gateway of an older version doesn’t tell. */
function channelRows({ gateway, at }: StatusReport): Row[] {
  const channels = gateway?.channels ?? [];
  const up = channels
    .filter(({ state }) => state === 'up')
    .map(({ name, isolated = false }) => (isolated ? `${name} (isolated)` : name));
  return [
    ...(up.length === 0 ? [] : [['Channels', `up: ${up.join(', ')}`] as const]),
    ...channels
      .filter(({ state }) => state !== 'up')
      .map(({ name, isolated = false, state, since, reason }) => {
        const why = reason === null ? '' : `: ${reason}`;
        const text = `"${name}"${isolated ? ' (isolated)' : ''} is ${state}, for ${formatTimeSpan(Math.max(0, at - since))} by now${why}`;
        return ['Channel', text, state === 'down' ? 'red' : 'yellow'] as const;
      }),
  ];
}

/** A gateway of an older version doesn’t tell. */
function connectionsRow({ gateway }: StatusReport): Row[] {
  if (!gateway?.connections?.reached) return [];
  const { open, bound, withoutToken, withoutTokenBound } = gateway.connections;
  const text = `${open} of at most ${bound}, ${withoutToken} without the token, of which ${withoutTokenBound} may rest: those that rest are closed for new ones`;
  return [['Connections', text, 'yellow']];
}

function storeLogRow({ storeLog }: StatusReport): Row[] {
  if (storeLog?.isLong !== true) return [];
  const { sizeBytes, readers } = storeLog;
  const text = `${formatSize(sizeBytes)}, kept from being emptied by ${describeReaders(readers)}`;
  return [['Store log', text, 'yellow']];
}

function rowsOf(report: StatusReport, timeZone: string | undefined): Row[] {
  const { unit, gateway, at } = report;
  const status = gateway?.status ?? presentStatus(unit);
  return [
    ...(unit === null ? [] : unitRows(unit, at, timeZone)),
    ...processRow(report),
    ...(gateway === null ? [] : [['Supervised', gateway.supervision.replace(/^supervised /, '')] as const]),
    ...(gateway?.supervisionWarnings.map((text) => ['', text, 'yellow'] as const) ?? []),
    ...(status === null ? [] : [['Status', status] as const]),
    ...connectionsRow(report),
    ...heldAgentRows(report),
    ...channelRows(report),
    ...(gateway?.trouble == null ? [] : [['Trouble', gateway.trouble, 'red'] as const]),
    ...(gateway?.reloadRefused == null
      ? []
      : [['Reload', `the newest configuration was refused: ${gateway.reloadRefused}`, 'red'] as const]),
    ...(gateway?.restartNeeded === undefined || gateway.restartNeeded.length === 0
      ? []
      : [['Reload', `settings wait for a restart: ${gateway.restartNeeded.join(', ')}`, 'yellow'] as const]),
    ...workRow(report),
    ...waitingHostRows(report),
    ...(gateway === null || gateway.listening.length === 0
      ? []
      : [['Listening', gateway.listening.join(', ')] as const]),
    ...watchdogRow(report),
    ...memoryRow(report),
    ...storeLogRow(report),
    ...(unit === null || unit.restarts === 0
      ? []
      : [['Restarts', `${unit.restarts} by systemd itself since it was last started`, 'yellow'] as const]),
    ...lastStopRow(report.lastStop, at, timeZone),
    ...driftRow(report.drift),
  ];
}

function errorLines(errors: readonly JournalLine[], timeZone: string | undefined): string[] {
  return errors.map(({ at, identifier, message }) => {
    const [first = ''] = message.split('\n');
    return `${formatTime(at, timeZone).slice(4, 23)} ${identifier}: ${first}`;
  });
}

/** The screen. */
export function statusText(report: StatusReport, terminal: Terminal, timeZone?: string): string {
  const { width } = terminal;
  const [word, style] = verdictWords[report.verdict];
  const name =
    report.unit?.name ??
    (report.instance === null ? 'sd-gateway' : `sd-gateway, instance ${report.instance}`);
  const lines = [
    `${terminal.paint(style, '●')} ${terminal.paint('bold', name)}: ${terminal.paint(style, word)}`,
  ];
  for (const [label, text, rowStyle] of rowsOf(report, timeZone)) {
    wrap(printable(text), width - labelColumns).forEach((line, index) => {
      const head = (index === 0 ? label : '').padStart(labelColumns - 2);
      const painted = rowStyle === undefined ? line : terminal.paint(rowStyle, line);
      lines.push(`${terminal.paint('dim', head)}${label === '' || index > 0 ? ' ' : ':'} ${painted}`);
    });
  }
  if (report.errors.length > 0) {
    lines.push('', 'Errors in the journal since it was started:');
    for (const line of errorLines(report.errors, timeZone)) {
      wrap(printable(line), width - 4).forEach((part, index) => {
        lines.push(`${index === 0 ? '  ' : '    '}${terminal.paint('red', part)}`);
      });
    }
  }
  if (report.notes.length > 0) {
    lines.push('');
    for (const note of report.notes) lines.push(...wrap(printable(note), width));
  }
  return `${lines.join('\n')}\n`;
}
