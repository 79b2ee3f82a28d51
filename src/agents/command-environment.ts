import type { AgentRequest } from './agent.js';
import { turnVariable } from './turn-processes.js';

/**
 * What systemd.exec(5) and its kin set for the unit's own process: with these a command could report for the unit,
 * take its sockets or credentials for its own, or believe itself to be what systemd started.
 */
const ofTheUnit: ReadonlySet<string> = new Set([
  'NOTIFY_SOCKET',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'FDSTORE',
  'CREDENTIALS_DIRECTORY',
  'INVOCATION_ID',
  'SYSTEMD_EXEC_PID',
  'MAINPID',
  'MANAGERPID',
  'MANAGERPIDFDID',
  'JOURNAL_STREAM',
  'MEMORY_PRESSURE_WATCH',
  'MEMORY_PRESSURE_WRITE',
  'LOG_NAMESPACE',
  // Of the units' Environment=, for the gateway's own threads.
  'MALLOC_ARENA_MAX',
]);

/** How Node tells a forked child about its channel; a command that is a Node program would wait on it in vain. */
const ofNode: ReadonlySet<string> = new Set([
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'NODE_UNIQUE_ID',
]);

/**
 * What a command gets of the gateway's environment: all but the unit's own variables, and none of the gateway's
 * own settings (`SD_GATEWAY_…`), among which are secrets.
 */
export function inheritedEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || name.startsWith('SD_GATEWAY_')) continue;
    if (ofTheUnit.has(name) || ofNode.has(name)) continue;
    inherited[name] = value;
  }
  return inherited;
}

/** What a command is told of its turn besides stdin, for scripts that don't read JSON. */
export function turnEnvironment(request: AgentRequest): Record<string, string> {
  return {
    SD_GATEWAY_SESSION: request.session,
    SD_GATEWAY_MESSAGE: request.messageId,
    [turnVariable]: request.turnId,
    SD_GATEWAY_ATTEMPT: String(request.attempt),
    SD_GATEWAY_PUT_BACKS: String(request.putBacks),
  };
}
