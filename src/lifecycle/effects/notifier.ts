import {
  type NotifyFields,
  type NotifyOutcome,
  notify,
  notifyBarrier,
  notifyQueue,
} from '../../systemd/notify.js';
import {
  reportProgress,
  startTimeoutExtension,
  type TimeoutExtension,
} from '../../systemd/timeout-extension.js';
import { errorMessage } from '../../text/failure-text.js';
import { type SentStatus, statusDueIn } from '../status-line.js';
import type { ReportService } from '../supervise-options.js';
import { startExtension, startStallMs, stopExtension } from '../timeouts.js';

/** Notifies the service manager (sd_notify(3)); the only sender but for the threads that must not wait for this one. */
export class Notifier {
  readonly #report: ReportService;
  #status: SentStatus | null = null;
  #wanted: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failureReported = false;

  constructor(report: ReportService) {
    this.#report = report;
  }

  /** Sends at once. A status among the fields counts as the last one sent. */
  send(fields: NotifyFields): NotifyOutcome {
    if (fields.status !== undefined) {
      this.#status = { text: fields.status, at: performance.now() };
      this.#wanted = null;
    }
    const outcome = notify(fields);
    const late = notifyQueue().lastFailure;
    if ((outcome.outcome === 'failed' || late !== null) && !this.#failureReported) {
      this.#failureReported = true;
      const reason = outcome.outcome === 'failed' ? outcome.message : late?.message;
      this.#report({ type: 'notify-failed', reason });
    }
    return outcome;
  }

  /** Sends the status line: at most one a second, the newest one, and none that says what the last one said. */
  status(text: string): void {
    const waitMs = statusDueIn(this.#status, text, performance.now());
    this.#wanted = waitMs === null ? null : text;
    if (waitMs === null) return;
    if (waitMs === 0) {
      this.send({ status: text });
      return;
    }
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#wanted !== null) this.send({ status: this.#wanted });
    }, waitMs);
    this.#timer.unref();
  }

  /** Sends the last status line again, after another sender has replaced it. */
  repeatStatus(): void {
    if (this.#status !== null) this.send({ status: this.#status.text });
  }

  /** Resolves when the manager has taken in all that was sent before, or after this time (sd_notify_barrier(3)). */
  async barrier(timeoutMs: number): Promise<void> {
    const outcome = await notifyBarrier(timeoutMs);
    if (outcome.outcome === 'timed-out') this.#report({ type: 'barrier-timed-out', timeoutMs });
    else if (outcome.outcome === 'failed') this.#report({ type: 'barrier-failed', reason: outcome.message });
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** Asks the service manager for time (`EXTEND_TIMEOUT_USEC=`), from a thread that no busy event loop holds up. */
export class TimeoutExtender {
  readonly #report: ReportService;
  #extension: TimeoutExtension | null = null;
  #turning: NodeJS.Timeout | undefined;

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

  /**
   * Goes on for as long as the event loop turns, up to `end`: what blocks it, such as an endless loop in a stop handler,
   * is left to the manager's timeout.
   *
   * @param stallMs the longest that it may be blocked
   */
  whileTurning(stallMs: number): void {
    const { interval, extensionMicroseconds } = startExtension;
    const intervalMilliseconds = Math.min(interval, stallMs / 2);
    this.#extend({ intervalMilliseconds, extensionMicroseconds, stallMilliseconds: stallMs });
    this.#turning = setInterval(reportProgress, intervalMilliseconds).unref();
  }

  end(): void {
    clearInterval(this.#turning);
    this.#extension?.close();
    this.#extension = null;
  }

  #extend(options: Parameters<typeof startTimeoutExtension>[0]): void {
    this.end();
    try {
      this.#extension = startTimeoutExtension(options);
    } catch (error) {
      // Without it the manager's own timeouts hold: no reason not to start or not to stop.
      const reason = errorMessage(error);
      this.#report({ type: 'extension-failed', reason });
    }
  }
}
