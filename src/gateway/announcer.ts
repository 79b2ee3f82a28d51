import type { SentStatus } from '../lifecycle/status-line.js';
import { statusDueIn } from '../lifecycle/status-line.js';
import type { Log } from '../log/log.js';
import {
  type NotifyFields,
  type NotifyOutcome,
  notify,
  notifyBarrier,
  notifyQueue,
} from '../systemd/notify.js';

/** Tells the service manager what it is to know; the only sender of notifications but the watchdog's. */
export class Announcer {
  readonly #log: Log;
  #status: SentStatus | null = null;
  #wanted: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failureLogged = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Sends at once. A status among the fields counts as the last one sent. */
  send(fields: NotifyFields): NotifyOutcome {
    if (fields.status !== undefined) {
      this.#status = { text: fields.status, at: performance.now() };
      this.#wanted = null;
    }
    const outcome = notify(fields);
    const late = notifyQueue().lastFailure;
    if ((outcome.outcome === 'failed' || late !== null) && !this.#failureLogged) {
      this.#failureLogged = true;
      const reason = outcome.outcome === 'failed' ? outcome.message : late?.message;
      this.#log.warning(
        `The service manager can't be notified: ${reason}. It won't see when the gateway is ready, stops or hangs; look at NOTIFY_SOCKET. Said once.`,
      );
    }
    return outcome;
  }

  /** Sends the status line: at most one a second, the newest one, and none that says what the last one said. */
  status(text: string): void {
    const wait = statusDueIn(this.#status, text, performance.now());
    this.#wanted = wait === null ? null : text;
    if (wait === null) return;
    if (wait === 0) {
      this.send({ status: text });
      return;
    }
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#wanted !== null) this.send({ status: this.#wanted });
    }, wait);
    this.#timer.unref();
  }

  /** Sends the last status line again, as another one has taken its place. */
  repeatStatus(): void {
    if (this.#status !== null) this.send({ status: this.#status.text });
  }

  /** Resolves when the manager has taken in all that was sent before, or after the barrier's longest wait. */
  async barrier(timeoutMilliseconds: number): Promise<void> {
    const outcome = await notifyBarrier(timeoutMilliseconds);
    if (outcome.outcome === 'timed-out') {
      this.#log.warning(
        `The service manager has not acknowledged the stop within ${timeoutMilliseconds} ms; the gateway exits all the same.`,
      );
    } else if (outcome.outcome === 'failed') {
      this.#log.warning(`The service manager could not be asked to acknowledge the stop: ${outcome.message}`);
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
