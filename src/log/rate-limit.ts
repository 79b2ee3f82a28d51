/** Most records of one kind in an interval, as LogRateLimit*= of systemd.exec(5) has it for a unit's. */
export interface RateLimits {
  /** Milliseconds. */
  readonly interval: number;
  /** 0: no limit. */
  readonly burst: number;
}

/** The records that were left out of one kind. */
export interface LeftOut {
  readonly kind: string;
  readonly count: number;
}

interface Window {
  readonly endsAt: number;
  passed: number;
  leftOut: number;
}

/** Kinds that are told apart at a time; the rest share one window, so that memory stays bounded. */
const mostKinds = 500;
const longestKind = 60;
/** Characters of a message that its kind is read from: ids in it are shown shorter. */
const longestRead = 1_000;

/**
 * Names the kind of a record: the text up to the first colon, without its numbers and ids. So "Attempt 3 to deliver …
 * failed" is one kind, whichever attempt and message it is about.
 */
export function kindOf(message: string): string {
  const [head = ''] = message.slice(0, longestRead).split(/:\s/, 1);
  return head.replace(/[\da-f]{4,}(?:-[\da-f]{4,})+|\d+(?:\.\d+)?/gi, '#').slice(0, longestKind);
}

/** Keeps a flood of records of one kind from drowning all others. Times are milliseconds of one monotonic clock. */
export class RateLimit {
  readonly #windows = new Map<string, Window>();
  #ended: LeftOut[] = [];

  constructor(private limits: RateLimits) {}

  configure(limits: RateLimits): void {
    this.limits = limits;
  }

  /** Returns true if one more record of the kind may be written now. */
  admit(kind: string, now: number): boolean {
    const { interval, burst } = this.limits;
    if (burst === 0) return true;
    const name = this.#windows.has(kind) || this.#windows.size < mostKinds ? kind : 'various';
    let window = this.#windows.get(name);
    if (window === undefined || window.endsAt <= now) {
      if (window !== undefined) this.#end(name, window);
      window = { endsAt: now + interval, passed: 0, leftOut: 0 };
      this.#windows.set(name, window);
    }
    if (window.passed < burst) {
      window.passed += 1;
      return true;
    }
    window.leftOut += 1;
    return false;
  }

  /** Ends the intervals that are over; gives what was left out in all that have ended since the last call. */
  takeEnded(now: number): readonly LeftOut[] {
    for (const [kind, window] of this.#windows) if (window.endsAt <= now) this.#end(kind, window);
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  #end(kind: string, { leftOut }: Window): void {
    this.#windows.delete(kind);
    if (leftOut > 0) this.#ended.push({ kind, count: leftOut });
  }

  /** When the first interval ends in which something was left out; null: none. */
  nextEnd(): number | null {
    let next: number | null = null;
    for (const { endsAt, leftOut } of this.#windows.values()) {
      if (leftOut > 0 && (next === null || endsAt < next)) next = endsAt;
    }
    return next;
  }
}
