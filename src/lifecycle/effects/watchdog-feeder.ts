import type { JournalField } from '../../systemd/journal.js';
import { type StallWatch, startStallWatch } from '../../systemd/watchdog.js';
import type { BlockedLoopEntry, ReportService, WatchdogCheck } from '../supervise-options.js';
import { isTooLate, type PartProgress, watchdogDecision, watchdogInterval } from '../timeouts.js';
import type { Notifier } from './notifier.js';

export interface WatchdogFeederOptions extends WatchdogCheck {
  /** `WATCHDOG_USEC`, in µs. */
  readonly microseconds: bigint;
  readonly notifier: Notifier;
  readonly report: ReportService;
  /** By default a message of priority "err". */
  readonly blockedLoopEntry: BlockedLoopEntry | undefined;
}

const defaultBlockedLoopEntry = (blocked: string): readonly JournalField[] => [
  ['MESSAGE', `No progress: ${blocked}.`],
  ['PRIORITY', '3'],
];

/**
 * Sends `WATCHDOG=1` from the main event loop, so that a blocked loop sends none, and only while every part makes
 * progress.
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
    this.#stallWatch = watchLoop(options.microseconds, options.blockedLoopEntry ?? defaultBlockedLoopEntry);
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

  /** Since the last `WATCHDOG=1`, in milliseconds; null before the first. */
  get sinceLastPing(): number | null {
    return this.#lastPing === null ? null : performance.now() - this.#lastPing;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stallWatch.close();
  }

  #tick(): void {
    const { microseconds, notifier, report } = this.#options;
    const now = performance.now();
    this.#stallWatch.alive();
    this.#reportLateness(now);
    const decision = watchdogDecision(this.#options.parts(), now, microseconds);
    this.#options.begin();
    if (decision.feed) {
      notifier.send({ watchdog: 'ping' });
      this.#lastPing = now;
    } else if (this.#stalled.length === 0) {
      report({ type: 'stalled', parts: decision.stalled, watchdogMicroseconds: microseconds });
    }
    const changed = decision.stalled.join() !== this.#stalled.join();
    this.#stalled = decision.stalled;
    if (changed) report({ type: 'stall-changed', parts: decision.stalled });
  }

  /** The stall watch has said that the loop is blocked. This says that it goes on. */
  #reportLateness(now: number): void {
    const { microseconds, notifier, report } = this.#options;
    const lateMs = now - this.#lastTick - watchdogInterval(microseconds);
    this.#lastTick = now;
    if (!isTooLate(lateMs, microseconds)) return;
    report({ type: 'loop-blocked', lateMs });
    // The stall watch has replaced it.
    notifier.repeatStatus();
  }
}

/** Half the watchdog's time after a tick should have come, and before systemd acts. */
function watchLoop(microseconds: bigint, entry: BlockedLoopEntry): StallWatch {
  const limitMs = watchdogInterval(microseconds) + Number(microseconds) / 2_000;
  const blocked = `the event loop has been blocked for ${Math.round(limitMs / 100) / 10} s`;
  return startStallWatch({
    limitMilliseconds: limitMs,
    status: `Not getting on: ${blocked}`,
    journalEntry: entry(blocked, microseconds),
  });
}
