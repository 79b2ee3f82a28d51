import type { IncomingHttpHeaders } from 'node:http';

/** Keeps to Discord's limits (discord.com/developers/docs/topics/rate-limits). Pure; times in milliseconds. */

/** A kind of request, as Discord counts them: by method, path and channel. */
export interface LimitedRoute {
  /** The method and the path without ids, such as "POST messages". */
  readonly name: string;
  /** The channel that the path names; empty: none. */
  readonly channelId: string;
}

interface LimitSize {
  readonly count: number;
  readonly spanMs: number;
}

/** Until Discord has said what holds for a route. */
const firstGuess: LimitSize = { count: 4, spanMs: 5_000 };
/** 50 in a second for a bot, over all routes. */
const globalLimit: LimitSize = { count: 45, spanMs: 1_000 };

/** Windows that are remembered at once; those that are over are forgotten. */
const mostWindows = 1_000;
const longestHoldMs = 86_400_000;

/** So many requests in a span that begins with the first of them. */
class LimitWindow {
  #left = 0;
  #endsAt = 0;
  #heldUntil = 0;

  constructor(private size: LimitSize) {}

  /** The time at which the next request may go. */
  readyAt(now: number): number {
    const free = this.#left > 0 || now >= this.#endsAt ? now : this.#endsAt;
    return Math.max(free, this.#heldUntil, this.#left > 0 ? this.#endsAt - this.size.spanMs : 0);
  }

  take(at: number): void {
    if (this.#left === 0 || at >= this.#endsAt) {
      this.#left = this.size.count;
      this.#endsAt = at + this.size.spanMs;
    }
    this.#left -= 1;
  }

  /** Discord says what is left of the present window. Places that were given away in later ones stay. */
  learn(size: LimitSize, left: number, endsAt: number): void {
    this.size = size;
    if (this.#endsAt > endsAt + size.spanMs / 2) return;
    this.#left = this.#endsAt === 0 ? left : Math.min(this.#left, left);
    this.#endsAt = endsAt;
  }

  hold(until: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, until);
  }

  get heldUntil(): number {
    return this.#heldUntil;
  }

  isOver(now: number): boolean {
    return now >= this.#endsAt && now >= this.#heldUntil;
  }
}

/** One budget for the bot, and one for each bucket of a channel. */
export class RouteLimits {
  readonly #global = new LimitWindow(globalLimit);
  readonly #windows = new Map<string, LimitWindow>();
  /** Routes that share a limit have one bucket. */
  readonly #buckets = new Map<string, string>();
  readonly #sizes = new Map<string, LimitSize>();

  /** The time at which such a request may go. */
  readyAt(route: LimitedRoute, now: number): number {
    return Math.max(this.#of(route, now).readyAt(now), this.#global.readyAt(now));
  }

  /**
   * Takes a place of the route, and gives the time at which it comes. Later calls get later places, so a channel's order is
   * kept. One of all routes is taken then: a channel that waits must not keep others waiting.
   */
  reserve(route: LimitedRoute, now: number): number {
    const window = this.#of(route, now);
    const at = window.readyAt(now);
    window.take(at);
    return at;
  }

  /** Takes a place among all routes, and gives the time at which it comes. */
  reserveAmongAll(now: number): number {
    const at = this.#global.readyAt(now);
    this.#global.take(at);
    return at;
  }

  /** Takes what an answer says about the route's limit. */
  learn(route: LimitedRoute, headers: IncomingHttpHeaders, now: number): void {
    const number = (name: string) => {
      const text = headers[`x-ratelimit-${name}`];
      return typeof text === 'string' && /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : null;
    };
    const count = number('limit');
    const left = number('remaining');
    const restSeconds = number('reset-after');
    const bucket = headers['x-ratelimit-bucket'];
    if (typeof bucket === 'string' && bucket.length <= 100) this.#buckets.set(route.name, bucket);
    if (count === null || count < 1 || left === null || restSeconds === null) return;
    const restMs = Math.min(restSeconds * 1_000, longestHoldMs);
    const window = this.#of(route, now);
    // The rest of a window that has just begun is all of it.
    const spanMs = left >= count - 1 ? restMs : (this.#sizes.get(route.name)?.spanMs ?? firstGuess.spanMs);
    const size = { count, spanMs: Math.max(spanMs, 1) };
    this.#sizes.set(route.name, size);
    window.learn(size, left, now + restMs);
  }

  /** Discord asks for time: of the route, or of all. */
  hold(route: LimitedRoute, delayMs: number, isGlobal: boolean, now: number): void {
    const window = isGlobal ? this.#global : this.#of(route, now);
    window.hold(now + Math.min(delayMs, longestHoldMs));
  }

  /** The end of the time that Discord has asked for; null: it has not, or that is over. */
  heldUntil(route: LimitedRoute, now: number): number | null {
    const until = Math.max(this.#of(route, now).heldUntil, this.#global.heldUntil);
    return until > now ? until : null;
  }

  #of({ name, channelId }: LimitedRoute, now: number): LimitWindow {
    const key = `${this.#buckets.get(name) ?? name} ${channelId}`;
    const known = this.#windows.get(key);
    if (known !== undefined) return known;
    if (this.#windows.size >= mostWindows) {
      for (const [other, window] of this.#windows) if (window.isOver(now)) this.#windows.delete(other);
    }
    const window = new LimitWindow(this.#sizes.get(name) ?? firstGuess);
    this.#windows.set(key, window);
    return window;
  }
}
