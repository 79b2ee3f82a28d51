import { startTimeoutExtension, type TimeoutExtension } from '../../systemd/timeout-extension.js';
import type { ReportService } from '../supervise-options.js';
import { startExtension, startStallMs, stopExtension } from '../timeout-extension.js';

/** Asks the service manager for time (`EXTEND_TIMEOUT_USEC=`), from a thread that no busy event loop holds up. */
export class TimeoutExtender {
  readonly #report: ReportService;
  #extension: TimeoutExtension | null = null;

  constructor(report: ReportService) {
    this.#report = report;
  }

  /** Goes on for as long as the start makes progress. */
  whileStarting(): void {
    const { interval, extensionMicroseconds } = startExtension;
    this.#extend({ intervalMilliseconds: interval, extensionMicroseconds, stallMilliseconds: startStallMs });
  }

  /** Goes on for the longest that the stop may take, and its barrier. */
  whileStopping(stopTimeoutMs: number): void {
    const { interval, extensionMicroseconds, limit } = stopExtension(stopTimeoutMs);
    this.#extend({ intervalMilliseconds: interval, extensionMicroseconds, limitMilliseconds: limit });
  }

  end(): void {
    this.#extension?.close();
    this.#extension = null;
  }

  #extend(options: Parameters<typeof startTimeoutExtension>[0]): void {
    this.end();
    try {
      this.#extension = startTimeoutExtension(options);
    } catch (error) {
      // Without it the manager's own timeouts hold: no reason not to start or not to stop.
      const reason = error instanceof Error ? error.message : String(error);
      this.#report({ type: 'extension-failed', reason });
    }
  }
}
