import {
  describeStop,
  describeStopJob,
  exitStatus,
  type StopJob,
  type StopRequest,
} from '../../lifecycle/stop-cause.js';
import type { BlockedLoopEntry, ServiceReport } from '../../lifecycle/supervise-options.js';
import { messageIds } from '../../log/fields.js';
import { identifier, type Log, type LogFields, priorities } from '../../log/log.js';

/** Logs what needs no more than the report itself. */
export function logReport(log: Log, report: ServiceReport): void {
  switch (report.type) {
    case 'reload-refused':
      log.err(`The new configuration is refused, the old one stays in force: ${report.reason}`, {
        MESSAGE_ID: messageIds.reloadRefused,
      });
      break;
    case 'further-stop':
      log.notice(
        `Already stopping; a further stop changes nothing: ${describeStop(report.stop)}`,
        stopFields(report.stop),
      );
      break;
    case 'crashed':
      log.crit(`The gateway crashes: ${stackOf(report.error) ?? report.reason}`, {
        MESSAGE_ID: messageIds.crash,
      });
      break;
    case 'stalled':
      log.err(
        `No progress in: ${report.parts.join(', ')}. The watchdog is not fed any more; ${endBy(report.watchdogMicroseconds)}`,
        { MESSAGE_ID: messageIds.watchdogStall },
      );
      break;
    case 'loop-blocked':
      log.err(
        `The event loop was blocked for ${Math.round(report.lateMs)} ms and goes on. Had it lasted longer, systemd would have ended the gateway.`,
        { MESSAGE_ID: messageIds.watchdogStall },
      );
      break;
    case 'notify-failed':
      log.warning(
        `The service manager can't be notified: ${report.reason}. It won't see when the gateway is ready, stops or hangs; look at NOTIFY_SOCKET. Said once.`,
      );
      break;
    case 'extension-failed':
      log.warning(`The service manager can’t be asked for more time: ${report.reason}. Its timeouts hold.`);
      break;
    case 'barrier-timed-out':
      log.warning(
        `The service manager has not acknowledged the stop within ${report.timeoutMs} ms; the gateway exits all the same.`,
      );
      break;
    case 'barrier-failed':
      log.warning(`The service manager could not be asked to acknowledge the stop: ${report.reason}`);
      break;
  }
}

/** Logs the begin of a stop, with the job of the service manager if it is known by then. */
export function logStopping(log: Log, stop: StopRequest, job: StopJob | null): void {
  const planned = stop.exitStatus === exitStatus.success || stop.exitStatus === exitStatus.restart;
  const fields: LogFields = {
    MESSAGE_ID: stop.cause === 'foreign-kill' ? messageIds.foreignKill : messageIds.stopRequested,
    SD_GATEWAY_JOB: job?.type,
    ...stopFields(stop),
  };
  const text = `Stopping: ${describeStop(stop)}${job === null ? '' : `, ${describeStopJob(job)}`}`;
  if (planned) log.notice(text, fields);
  else log.err(text, fields);
}

/** The record of a blocked event loop, which another thread writes. */
export const blockedLoopEntry: BlockedLoopEntry = (blocked, watchdogMicroseconds) => [
  ['MESSAGE', `No progress: ${blocked}. ${endBy(watchdogMicroseconds)}`],
  ['PRIORITY', String(priorities.err)],
  ['SYSLOG_IDENTIFIER', identifier],
  ['MESSAGE_ID', messageIds.watchdogStall],
];

function endBy(watchdogMicroseconds: bigint): string {
  return `systemd will end and restart the gateway ${Number(watchdogMicroseconds) / 1_000_000} s after the last sign of life.`;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

function stopFields(stop: StopRequest): LogFields {
  return {
    SD_GATEWAY_STOP_CAUSE: stop.cause,
    SD_GATEWAY_SIGNAL: stop.signal,
    SD_GATEWAY_SENDER_PID: stop.sender?.pid,
    SD_GATEWAY_SENDER_UID: stop.sender?.uid,
    SD_GATEWAY_SENDER_COMM: stop.sender?.comm,
  };
}
