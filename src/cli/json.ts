import { jsonLine } from './terminal.js';

/** The version of the form of all reports; a change that could break a reader raises it. */
const reportVersion = 1;

/** Members that hold a time in milliseconds since the Unix epoch. */
const times: ReadonlySet<string> = new Set([
  'at',
  'lastPing',
  'readyAt',
  'requestedAt',
  'since',
  'startedAt',
  'until',
]);

/** Members whose names don't say their unit inside of the program. */
const names: Readonly<Record<string, string>> = {
  eventLoopDelay: 'event_loop_delay_ms',
  interval: 'interval_ms',
  memory: 'memory_bytes',
  microseconds: 'timeout_microseconds',
  pendingFor: 'pending_for_ms',
  residentMemory: 'resident_memory_bytes',
  restartDelay: 'restart_delay_ms',
  runtimeLimit: 'runtime_limit_ms',
  sinceLastPing: 'since_last_ping_ms',
  startDuration: 'start_duration_ms',
  startTimeout: 'start_timeout_ms',
  timeout: 'timeout_ms',
};

function nameOf(member: string): string {
  return names[member] ?? member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function viewOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(viewOf);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([member, inner]) => [
    nameOf(member),
    times.has(member) && typeof inner === 'number' ? new Date(inner).toISOString() : viewOf(inner),
  ]);
  return Object.fromEntries(members);
}

/** Writes what a command found as a line of JSON: snake_case, times of RFC 3339, units in names. */
export function reportLine(report: object): string {
  return versionedLine(viewOf(report) as object);
}

/** Writes an object that has its public form already as a line of JSON. */
export function versionedLine(value: object | null, indent = 0): string {
  return jsonLine({ version: reportVersion, ...value }, indent);
}

/** Says as a line of JSON why a command failed. */
export function errorLine(message: string, exitStatus: number): string {
  return versionedLine({ error: { message, exit_status: exitStatus } });
}
