/** The pace of what goes out: sends, edits and signs of typing together. Pure; times in milliseconds. */

export interface SendRate {
  readonly intervalMs: number;
  /** So many may go at once after a silence. */
  readonly burst: number;
}

/** Limits of a platform. */
export interface SendRates {
  readonly bot: SendRate;
  readonly ofChat: (chat: string) => SendRate;
}

/** Chats that are remembered at once; those that are at rest are forgotten. */
const mostChats = 1_000;

/** Counts by the time at which the next one would be due if they came evenly (GCRA, ITU-T I.371). */
class Bucket {
  #dueAt = 0;
  #heldUntil = 0;

  constructor(private readonly rate: SendRate) {}

  readyAt(now: number): number {
    const { intervalMs, burst } = this.rate;
    return Math.max(now, this.#heldUntil, this.#dueAt - (burst - 1) * intervalMs);
  }

  take(at: number): void {
    this.#dueAt = Math.max(at, this.#dueAt) + this.rate.intervalMs;
  }

  hold(until: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, until);
  }

  get heldUntil(): number {
    return this.#heldUntil;
  }

  isAtRest(now: number): boolean {
    return now >= this.#dueAt && now >= this.#heldUntil;
  }
}

/** One budget for the bot and one for each chat. */
export class SendBudget {
  readonly #rates: SendRates;
  readonly #bot: Bucket;
  readonly #chats = new Map<string, Bucket>();

  constructor(rates: SendRates) {
    this.#rates = rates;
    this.#bot = new Bucket(rates.bot);
  }

  /** Takes a place, and gives the time at which it comes. Later calls get later places, so a chat's order is kept. */
  reserve(chat: string, now: number): number {
    const bucket = this.#of(chat, now);
    const at = Math.max(bucket.readyAt(now), this.#bot.readyAt(now));
    bucket.take(at);
    this.#bot.take(at);
    return at;
  }

  /** Takes a place if there is one now, for what need not be sent. */
  tryReserve(chat: string, now: number): boolean {
    if (Math.max(this.#of(chat, now).readyAt(now), this.#bot.readyAt(now)) > now) return false;
    this.reserve(chat, now);
    return true;
  }

  /** The end of the time that the platform has asked for; null: it has not, or that is over. */
  heldUntil(chat: string, now: number): number | null {
    const until = Math.max(this.#of(chat, now).heldUntil, this.#bot.heldUntil);
    return until > now ? until : null;
  }

  /**
   * The platform asks for time. It does not say if the chat or the bot is meant: if another chat has to wait as well, it is
   * the bot.
   */
  hold(chat: string, until: number, now: number): void {
    const others = [...this.#chats].some(([name, bucket]) => name !== chat && bucket.heldUntil > now);
    this.#of(chat, now).hold(until);
    if (others) this.#bot.hold(until);
  }

  #of(chat: string, now: number): Bucket {
    const known = this.#chats.get(chat);
    if (known !== undefined) return known;
    if (this.#chats.size >= mostChats) {
      for (const [name, bucket] of this.#chats) if (bucket.isAtRest(now)) this.#chats.delete(name);
    }
    const bucket = new Bucket(this.#rates.ofChat(chat));
    this.#chats.set(chat, bucket);
    return bucket;
  }
}
