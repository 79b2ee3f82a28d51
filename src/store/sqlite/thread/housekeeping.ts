import type { Database } from 'better-sqlite3';
import type { ForgottenMessages } from '../../open-store.js';
import type { ForgetRequest } from '../operations/forget.js';
import type { GroupCommit } from './group-commit.js';

export interface HousekeepingOptions {
  /** Time that a message is kept after its end, in milliseconds; 0: for ever. */
  readonly keep: number;
  /** From one round to the next, in milliseconds. */
  readonly interval: number;
  /** Copies the write-ahead log into the database, if it has so many frames. */
  readonly checkpoint: (minFrames?: number) => void;
  /** Told after each round in which something was forgotten. */
  readonly onForgotten: (forgotten: ForgottenMessages) => void;
  /** Nobody waits for it, so that a failure is told there. */
  readonly onFailure: (error: unknown) => void;
  readonly now?: () => number;
  /** From 0 to 1, as Math.random. */
  readonly random?: () => number;
}

type HousekeepingGroups = Pick<GroupCommit, 'forget' | 'forgetRecords' | 'forgetBlobs' | 'restoreBallast'>;

/** A round in so long looks at all messages, on the average, and so also where the gateway is often restarted; milliseconds. */
const wholeRoundEach = 86_400_000;

/** Small steps, so that a post waits for one at most. */
const messagesInStep = 64;
const recordsInStep = 64;
/** A file may be large. */
const blobsInStep = 4;
const pagesInStep = 128;
/** Time between two steps, in milliseconds, for whoever waits. */
const pauseBetweenSteps = 10;
/** Free pages stay for what comes next, unless they are more than a quarter of the file. */
const freeShare = 4;
const fewPages = 1_024;
/** Behind every message. */
const allForgotten = Number.MAX_SAFE_INTEGER;

/**
 * Forgets, now and then and in small steps, what is older than `store.keep`, records whose time is over and files that
 * nothing has named; and gives the room back to the file system. Keeps the ballast.
 */
export class Housekeeping {
  readonly #database: Database;
  readonly #groups: HousekeepingGroups;
  readonly #options: HousekeepingOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  #timer: NodeJS.Timeout;
  #hasShrunk = false;
  /** In the round under way. */
  #forgotten: ForgottenMessages = { messages: 0, dead: 0 };
  /** Limits of each step of the round under way. */
  #round: Omit<ForgetRequest, 'after'> = { before: 0, limit: messagesInStep, all: false };

  constructor(database: Database, groups: HousekeepingGroups, options: HousekeepingOptions) {
    this.#database = database;
    this.#groups = groups;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    // A start has more to do than this.
    this.#timer = this.#after(Math.min(options.interval, 60_000), 0);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #after(milliseconds: number, message: number): NodeJS.Timeout {
    return setTimeout(() => this.#step(message), milliseconds).unref();
  }

  /** Looks at the messages behind this number. */
  #step(message: number): void {
    const { interval, onFailure, checkpoint } = this.#options;
    try {
      const next = this.#forgetExpired(message) ? message : this.#forget(message);
      if (next !== null) this.#timer = this.#after(pauseBetweenSteps, next);
      else if (this.#shrink()) this.#timer = this.#after(pauseBetweenSteps, allForgotten);
      else {
        this.#timer = this.#after(interval, 0);
        // The file is as long as it was until then.
        if (this.#hasShrunk) checkpoint(1);
        this.#hasShrunk = false;
        this.#groups.restoreBallast();
        this.#tell();
      }
      checkpoint();
    } catch (error) {
      onFailure(error);
      this.#timer = this.#after(interval, 0);
    }
  }

  /** True if there are more records whose time is over, or files that nothing has named. */
  #forgetExpired(after: number): boolean {
    if (after !== 0) return false;
    const now = this.#now();
    const records = this.#groups.forgetRecords(recordsInStep, now);
    const blobs = this.#groups.forgetBlobs(blobsInStep, now);
    return records === recordsInStep || blobs === blobsInStep;
  }

  #forget(after: number): number | null {
    const { keep, interval } = this.#options;
    if (keep === 0 || after === allForgotten) return null;
    if (after === 0) {
      const now = this.#now();
      const all = this.#random() < interval / wholeRoundEach;
      this.#round = { before: now - keep, limit: messagesInStep, all };
    }
    const { count, dead, after: next } = this.#groups.forget({ ...this.#round, after }, this.#now());
    const { messages } = this.#forgotten;
    this.#forgotten = { messages: messages + count, dead: this.#forgotten.dead + dead };
    return next;
  }

  #tell(): void {
    const forgotten = this.#forgotten;
    this.#forgotten = { messages: 0, dead: 0 };
    if (forgotten.messages > 0) this.#options.onForgotten(forgotten);
  }

  /** True if there is more to be given back. */
  #shrink(): boolean {
    const free = Number(this.#database.pragma('freelist_count', { simple: true }));
    const pages = Number(this.#database.pragma('page_count', { simple: true }));
    if (free < fewPages || free * freeShare < pages) return false;
    this.#hasShrunk = true;
    this.#database.pragma(`incremental_vacuum(${pagesInStep})`);
    return true;
  }
}
