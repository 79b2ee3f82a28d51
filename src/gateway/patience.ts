import { type StopTimes, startExtension, startStall, stopExtension } from '../lifecycle/timeout-extension.js';
import type { Log } from '../log/log.js';
import { startTimeoutExtension, type TimeoutExtension } from '../systemd/timeout-extension.js';

/** Asks the service manager for time (`EXTEND_TIMEOUT_USEC=`), from a thread that no busy event loop holds up. */
export class Patience {
  readonly #log: Log;
  #extension: TimeoutExtension | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  /** For as long as the start makes progress. */
  whileStarting(): void {
    const { interval, extensionMicroseconds } = startExtension;
    this.#ask({ intervalMilliseconds: interval, extensionMicroseconds, stallMilliseconds: startStall });
  }

  /** For the drain and what follows it. */
  whileStopping(times: StopTimes): void {
    const { interval, extensionMicroseconds, limit } = stopExtension(times);
    this.#ask({ intervalMilliseconds: interval, extensionMicroseconds, limitMilliseconds: limit });
  }

  end(): void {
    this.#extension?.close();
    this.#extension = null;
  }

  #ask(options: Parameters<typeof startTimeoutExtension>[0]): void {
    this.end();
    try {
      this.#extension = startTimeoutExtension(options);
    } catch (error) {
      // The manager's own timeouts hold then; they are no reason not to start or not to stop.
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warning(`The service manager can’t be asked for more time: ${reason}. Its timeouts hold.`);
    }
  }
}
