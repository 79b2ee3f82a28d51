/**
 * The pace of what goes out: sends, edits and signs of typing together, as Telegram counts them
 * (core.telegram.org/bots/faq, "My bot is hitting limits"). Pure; times in milliseconds.
 */

interface Rate {
  readonly intervalMs: number;
  /** So many may go at once after a silence. */
  readonly burst: number;
}

/** 30 in a second for the bot, about one a second for a chat, and 20 in a minute for a group. */
const botRate: Rate = { intervalMs: 50, burst: 10 };
const chatRate: Rate = { intervalMs: 1_000, burst: 3 };
const groupRate: Rate = { intervalMs: 3_750, burst: 4 };

/** Chats that are remembered at once; those that are at rest are forgotten. */
const mostChats = 1_000;

/** Counts by the time at which the next one would be due if they came evenly (GCRA, ITU-T I.371). */
class Bucket {
  #dueAt = 0;
  #heldUntil = 0;

  constructor(private readonly rate: Rate) {}

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
  readonly #bot = new Bucket(botRate);
  readonly #chats = new Map<string, Bucket>();

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

  /** The end of the time that Telegram has asked for; null: it has not, or that is over. */
  heldUntil(chat: string, now: number): number | null {
    const until = Math.max(this.#of(chat, now).heldUntil, this.#bot.heldUntil);
    return until > now ? until : null;
  }

  /**
   * Telegram asks for time (`retry_after`). It does not say if the chat or the bot is meant: if another chat has to wait as
   * well, it is the bot.
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
    // Ids of groups and channels are negative; public names are those of groups as well.
    const bucket = new Bucket(/^\d/.test(chat) ? chatRate : groupRate);
    this.#chats.set(chat, bucket);
    return bucket;
  }
}
