import { isTooLate, type PartProgress, watchdogDecision, watchdogInterval } from '../lifecycle/watchdog.js';
import { identifier, type Log, priorities } from '../log/log.js';
import { messageIds } from '../log/message-ids.js';
import type { Store } from '../store/store.js';
import { type StallWatch, startStallWatch } from '../systemd/stall-watch.js';
import type { Announcer } from './announcer.js';

/** Measures whether the store answers: one round trip at a time, begun at each tick. */
export class StoreProbe {
  readonly #store: Store;
  #pendingSince: number | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Begins a round trip unless one is under way. A store that answers with an error has answered. */
  begin(): void {
    if (this.#pendingSince !== null) return;
    this.#pendingSince = performance.now();
    const answered = () => {
      this.#pendingSince = null;
    };
    this.#store.probe().then(answered, answered);
  }

  progress(): PartProgress {
    return { name: 'store', pendingSince: this.#pendingSince };
  }
}

export interface WatchdogFeederOptions {
  /** `WATCHDOG_USEC`, in µs. */
  readonly microseconds: bigint;
  readonly announcer: Announcer;
  readonly log: Log;
  /** Called at each tick, before the parts are asked. */
  begin(): void;
  parts(): readonly PartProgress[];
  /** What hangs is another than at the last tick. */
  changed(): void;
}

/**
 * Sends `WATCHDOG=1` from the main event loop, so that a blocked loop sends none, and only while every part makes
 * progress. What hangs is logged once and shown in the status line.
 */
export class WatchdogFeeder {
  readonly #options: WatchdogFeederOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #stallWatch: StallWatch;
  #lastTick = performance.now();
  #lastPing: number | null = null;
  #stalled: readonly string[] = [];

  constructor(options: WatchdogFeederOptions) {
    this.#options = options;
    this.#stallWatch = watchLoop(options.microseconds);
    this.#timer = setInterval(() => this.#tick(), watchdogInterval(options.microseconds));
    this.#timer.unref();
    this.#tick();
  }

  get stalled(): readonly string[] {
    return this.#stalled;
  }

  progress(): readonly PartProgress[] {
    return this.#options.parts();
  }

  /** Since the last `WATCHDOG=1`, in milliseconds; null: none was sent yet. */
  get sinceLastPing(): number | null {
    return this.#lastPing === null ? null : performance.now() - this.#lastPing;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stallWatch.close();
  }

  #tick(): void {
    const { microseconds, announcer, log, begin, parts } = this.#options;
    const now = performance.now();
    this.#stallWatch.alive();
    this.#noteLateness(now);
    const decision = watchdogDecision(parts(), now, microseconds);
    begin();
    if (decision.feed) {
      announcer.send({ watchdog: 'ping' });
      this.#lastPing = now;
    } else if (this.#stalled.length === 0) {
      log.err(
        `No progress in: ${decision.stalled.join(', ')}. The watchdog is not fed any more; systemd will end and restart the gateway ${Number(microseconds) / 1_000_000} s after the last sign of life.`,
        { MESSAGE_ID: messageIds.watchdogStall },
      );
    }
    const changed = decision.stalled.join() !== this.#stalled.join();
    this.#stalled = decision.stalled;
    if (changed) this.#options.changed();
  }

  /** That the loop is blocked was said by the stall watch; that it has got away with it is said here. */
  #noteLateness(now: number): void {
    const { microseconds, announcer, log } = this.#options;
    const late = now - this.#lastTick - watchdogInterval(microseconds);
    this.#lastTick = now;
    if (!isTooLate(late, microseconds)) return;
    log.err(
      `The event loop was blocked for ${Math.round(late)} ms and goes on. Had it lasted longer, systemd would have ended the gateway.`,
      { MESSAGE_ID: messageIds.watchdogStall },
    );
    // The stall watch had put its own in the place of it.
    announcer.repeatStatus();
  }
}

/** Half the watchdog's time after a tick should have come, and before systemd acts. */
function watchLoop(microseconds: bigint): StallWatch {
  const limit = watchdogInterval(microseconds) + Number(microseconds) / 2_000;
  const blocked = `the event loop has been blocked for ${Math.round(limit / 100) / 10} s`;
  return startStallWatch({
    limitMilliseconds: limit,
    status: `Not getting on: ${blocked}`,
    journalEntry: [
      [
        'MESSAGE',
        `No progress: ${blocked}. systemd will end and restart the gateway ${Number(microseconds) / 1_000_000} s after the last sign of life.`,
      ],
      ['PRIORITY', String(priorities.err)],
      ['SYSLOG_IDENTIFIER', identifier],
      ['MESSAGE_ID', messageIds.watchdogStall],
    ],
  });
}
