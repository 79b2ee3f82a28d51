/** Counts the mails of each person, so that two machines can't answer each other for ever. */

const hourMs = 3_600_000;

export class TurnLimit {
  readonly #perHour: number;
  readonly #now: () => number;
  /** The times of each person's mails within the last hour. */
  readonly #times = new Map<string, number[]>();

  constructor(perHour: number, now: () => number) {
    this.#perHour = perHour;
    this.#now = now;
  }

  /** True if the person may have another answer now, which is counted then. */
  take(person: string): boolean {
    const now = this.#now();
    this.#forget(now);
    const times = this.#times.get(person) ?? [];
    if (times.length >= this.#perHour) return false;
    this.#times.set(person, [...times, now]);
    return true;
  }

  #forget(now: number): void {
    for (const [person, times] of this.#times) {
      const recent = times.filter((time) => now - time < hourMs);
      if (recent.length === 0) this.#times.delete(person);
      else if (recent.length < times.length) this.#times.set(person, recent);
    }
  }
}
