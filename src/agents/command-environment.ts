import type { AgentRequest } from './agent.js';
import { turnVariable } from './turn-processes.js';

/**
 * Variables that systemd.exec(5) and its kin set for the unit's own process. With these a command could report for
 * the unit, or take its sockets or credentials for its own. It could also believe itself to be what systemd started.
 */
const ofTheUnit: ReadonlySet<string> = new Set([
  'NOTIFY_SOCKET',
  'FDSTORE',
  'CREDENTIALS_DIRECTORY',
  'INVOCATION_ID',
  'SYSTEMD_EXEC_PID',
  'MAINPID',
  'MANAGERPID',
  'MANAGERPIDFDID',
  'JOURNAL_STREAM',
  'LOG_NAMESPACE',
  'SERVICE_RESULT',
  'EXIT_CODE',
  'EXIT_STATUS',
  // The gateway's own trace is not that of a turn.
  'TRACEPARENT',
  'TRACESTATE',
]);

/** Beginnings of names: the unit's own too, and the gateway's settings and secrets. */
const ownPrefixes: readonly string[] = [
  'SD_GATEWAY_',
  'LISTEN_',
  'WATCHDOG_',
  'MEMORY_PRESSURE_',
  // Set by the units' Environment=, for the gateway's own threads.
  'MALLOC_',
];

/**
 * For the Node.js that runs the gateway: its options, and how a forked child learns of its channel. A command that is a Node
 * program would obey the former, and wait on the latter in vain.
 */
const ofNode: ReadonlySet<string> = new Set([
  'NODE_OPTIONS',
  'NODE_COMPILE_CACHE',
  'NODE_V8_COVERAGE',
  'UV_THREADPOOL_SIZE',
  'UV_USE_IO_URING',
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'NODE_UNIQUE_ID',
]);

/**
 * Gives what a command gets of the gateway's environment: all but the unit's own variables, those for its Node.js, and the
 * gateway's own settings (`SD_GATEWAY_…`), among which are secrets.
 *
 * @param wanted names of variables that a command gets in any case
 */
export function inheritedEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  wanted: readonly string[],
): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) continue;
    const isOwn =
      ofTheUnit.has(name) || ofNode.has(name) || ownPrefixes.some((prefix) => name.startsWith(prefix));
    if (!isOwn || wanted.includes(name)) inherited[name] = value;
  }
  return inherited;
}

/** Tells a command about its turn besides stdin, for scripts that don't read JSON. */
export function turnEnvironment(request: AgentRequest): Record<string, string> {
  const { traceparent = null } = request;
  return {
    ...(traceparent !== null && { TRACEPARENT: traceparent }),
    SD_GATEWAY_SESSION: request.session,
    SD_GATEWAY_MESSAGE: request.messageId,
    [turnVariable]: request.turnId,
    SD_GATEWAY_ATTEMPT: String(request.attempt),
    SD_GATEWAY_PUT_BACKS: String(request.putBacks),
  };
}
