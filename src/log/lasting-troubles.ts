/** From one record of a trouble that lasts to the next, in milliseconds; the last one repeats. */
const distancesMs = [60_000, 600_000, 3_600_000, 21_600_000];
/** Kinds that are told apart; the rest are one. */
const mostKinds = 50;

interface Trouble {
  /** The time of the last record. */
  toldAt: number;
  /** The time of the last occurrence. */
  seenAt: number;
  records: number;
  leftOut: number;
}

/**
 * Keeps a trouble that lasts, such as a full disk, from filling the log: it is told when it begins, and then at growing
 * distances. One that has not come for as long as the distance is over, and begins anew. Times are milliseconds of one
 * clock.
 */
export class LastingTroubles {
  readonly #troubles = new Map<string, Trouble>();

  /** Gives the number that were left out since the last record of the kind; null: leave this one out as well. */
  admit(kind: string, now: number): number | null {
    const name = this.#troubles.has(kind) || this.#troubles.size < mostKinds ? kind : 'various';
    const trouble = this.#troubles.get(name);
    if (trouble === undefined || now - trouble.seenAt >= distanceAfter(trouble)) {
      this.#troubles.set(name, { toldAt: now, seenAt: now, records: 1, leftOut: 0 });
      return trouble?.leftOut ?? 0;
    }
    trouble.seenAt = now;
    if (now - trouble.toldAt < distanceAfter(trouble)) {
      trouble.leftOut += 1;
      return null;
    }
    const { leftOut } = trouble;
    trouble.toldAt = now;
    trouble.records += 1;
    trouble.leftOut = 0;
    return leftOut;
  }
}

function distanceAfter({ records }: Trouble): number {
  return distancesMs[Math.min(records, distancesMs.length) - 1] ?? 0;
}

/** The message of a record with the number of those that were left out before it. */
export function withLeftOut(message: string, leftOut: number): string {
  return leftOut === 0 ? message : `${message} (${leftOut} more since the last record)`;
}
