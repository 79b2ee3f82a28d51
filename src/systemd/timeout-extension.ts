import { SystemCallError } from '../linux/errors.js';
import { failure, native } from '../linux/native.js';

export interface TimeoutExtensionOptions {
  /** Time between two messages, in ms. */
  readonly intervalMilliseconds: number;
  /** Time that the service manager is asked to wait from each message on, in µs; longer than the interval. */
  readonly extensionMicroseconds: bigint;
  /**
   * Goes on for as long as the process has made progress within this many ms: one of its threads called
   * `reportProgress`, or it read or wrote 4 KiB in an interval. An endless loop makes none. Default: progress is not
   * asked for.
   */
  readonly stallMilliseconds?: number;
  /** Goes on for this many ms with or without progress. */
  readonly limitMilliseconds?: number;
}

export interface TimeoutExtension {
  /** Nothing is sent any more once this has returned. Idempotent. */
  close(): void;
}

/**
 * Sends `EXTEND_TIMEOUT_USEC=` (sd_notify(3)) at once and at each interval, from a thread of its own, so also while
 * JavaScript is inside one long call. Does nothing when there is no service manager. Throws `RangeError` for impossible
 * options, `SystemCallError` when the first message can't be sent.
 */
export function startTimeoutExtension(options: TimeoutExtensionOptions): TimeoutExtension {
  const { intervalMilliseconds, extensionMicroseconds } = options;
  const stall = options.stallMilliseconds ?? 0;
  const limit = options.limitMilliseconds ?? 0;
  for (const milliseconds of [intervalMilliseconds, stall, limit]) {
    if (!(milliseconds >= 0 && milliseconds <= Number.MAX_SAFE_INTEGER)) {
      throw new RangeError(`${milliseconds} ms is not a time that a timeout extension can be given`);
    }
  }
  if (stall === 0 && limit === 0) {
    throw new RangeError(
      'A timeout extension needs stallMilliseconds or limitMilliseconds to know when to end',
    );
  }
  if (extensionMicroseconds <= BigInt(Math.ceil(intervalMilliseconds)) * 1_000n) {
    throw new RangeError(
      `An extension of ${extensionMicroseconds} µs ends before the next message after ${intervalMilliseconds} ms`,
    );
  }
  const id = native().timeout_extension_start(
    Math.max(1, Math.round(intervalMilliseconds)),
    Number(extensionMicroseconds),
    Math.ceil(stall),
    Math.ceil(limit),
  );
  if (id < 0) throw new SystemCallError('Could not ask the service manager for more time', failure(id));
  let open = id > 0;
  return {
    close() {
      if (!open) return;
      open = false;
      native().timeout_extension_stop(id);
    },
  };
}

/** Tells the timeout extension that the process gets on. From any thread; costs next to nothing. */
export function reportProgress(): void {
  native().report_progress();
}
