import { describeStop } from '../lifecycle/stop-cause.js';
import type { ServiceReport } from '../lifecycle/supervise-options.js';
import { readFields, unreadable } from './read-arguments.js';

/**
 * A report as a line for people, with its priority of syslog(3); null: nobody has to read it.
 *
 * @param report as the option `report` of `supervise` is told it
 * @throws {@link ArgumentError} for anything else
 * @see syslog(3), sd-daemon(3)
 */
export function describeReport(report: ServiceReport): readonly [priority: number, text: string] | null {
  const given = readFields('report', report);
  try {
    return describe(given);
  } catch (error) {
    throw unreadable('report', error);
  }
}

function describe(report: ServiceReport): readonly [priority: number, text: string] | null {
  switch (report.type) {
    case 'ready':
      if (report.first) return [5, `Ready after ${Math.round(report.afterMs)} ms.`];
      // The report before has said so.
      return report.failed === true ? null : [5, 'The reload is done.'];
    case 'reload-refused':
      return [3, `The reload failed, and the old state stays: ${report.reason}`];
    case 'stopping':
      return [report.stop.exitStatus === 0 ? 5 : 3, `Stopping: ${describeStop(report.stop)}.`];
    case 'further-stop':
      return [5, `Already stopping; a further stop changes nothing: ${describeStop(report.stop)}.`];
    case 'crashed': {
      const stack = report.error instanceof Error ? report.error.stack : undefined;
      return [2, `The service crashes: ${stack ?? report.reason}`];
    }
    case 'stalled':
      return [3, `No progress in: ${report.parts.join(', ')}. The watchdog is not fed any more.`];
    case 'loop-blocked':
      return [4, `The event loop was blocked for ${Math.round(report.lateMs)} ms.`];
    case 'notify-failed':
      return [
        4,
        `The service manager can't be notified: ${report.reason}. Look at NOTIFY_SOCKET. Said once.`,
      ];
    case 'extension-failed':
      return [4, `The service manager can't be asked for more time: ${report.reason}. Its timeouts hold.`];
    case 'barrier-timed-out':
      return [4, `The service manager has not acknowledged the stop within ${report.timeoutMs} ms.`];
    case 'barrier-failed':
      return [4, `The service manager could not be asked to acknowledge the stop: ${report.reason}`];
    default:
      return null;
  }
}

/**
 * Writes a report to standard error. In the journal each line has its priority (sd-daemon(3), `SD_ERR` and the others).
 */
export function printReport(report: ServiceReport, isJournal: boolean): void {
  const described = describeReport(report);
  if (described === null) return;
  const [priority, text] = described;
  const prefix = isJournal ? `<${priority}>` : '';
  printError(text.replace(/^/gm, prefix));
}

let isGuarded = false;

/** Writes to standard error. A pipe or a terminal that is gone must not end the service. */
export function printError(text: string): void {
  if (!isGuarded) process.stderr.on('error', () => undefined);
  isGuarded = true;
  process.stderr.write(`${text}\n`);
}
