import { messageIds } from '../../../log/fields.js';
import type { Log } from '../../../log/log.js';

/** The connections that may be open at a time. */
export interface ConnectionBounds {
  readonly total: number;
  /** The part of `total` that is for callers without the token: always there for them, and no more once they rest. */
  readonly withoutToken: number;
}

/** The descriptors that the rest of the process needs. */
export interface DescriptorNeeds {
  /** Most descriptors that the process may have; null: not known. */
  readonly limit: number | null;
  /** Descriptors that are open without any connection or work; null if unknown. */
  readonly open: number | null;
  /** Turns that may run at the same time (`dispatch.concurrency`). */
  readonly turns: number;
  /** Connections to receivers of replies that may be open at the same time. */
  readonly deliveries: number;
}

/** Presumed where it can't be seen: what systemd gives a unit by default (systemd-system.conf(5)), and what one has open. */
const presumed = { limit: 1_024, open: 48 };

/** Standard input, output and error of an agent. */
const perTurn = 3;

/**
 * For all the rest: orders at the control socket (16), files of the store, the configuration and the secrets (8), name
 * look-ups of libuv's four threads (12), large records that wait for journald (16), the start of an agent (5), sockets to
 * the manager that are opened again (2) and the watchdog's probe (1).
 */
const rest = 60;

/** Beyond this it is memory and processor time that a connection may lack. */
export const mostConnections = 10_000;
const mostWithoutToken = 512;
const withoutTokenShare = 8;

/** With fewer nobody could be served. */
const least = { total: 4, withoutToken: 2 };

/** The descriptors that are kept from connections. */
export function reserveFor({ turns, deliveries }: Pick<DescriptorNeeds, 'turns' | 'deliveries'>): number {
  return turns * perTurn + deliveries + rest;
}

function freeOf({ limit, open }: DescriptorNeeds): number {
  return (limit ?? presumed.limit) - (open ?? presumed.open);
}

/** True if the descriptors don't suffice for the reserve and as many connections. */
export function lacksReserve(needs: DescriptorNeeds): boolean {
  return freeOf(needs) < 2 * reserveFor(needs);
}

/** The least limit that is enough. */
export function limitFor(needs: DescriptorNeeds): number {
  return (needs.open ?? presumed.open) + 2 * reserveFor(needs);
}

/** Connections get what the reserve leaves, or half of what is free where there is too little for both. */
export function connectionBounds(needs: DescriptorNeeds): ConnectionBounds {
  const free = freeOf(needs);
  const left = Math.max(Math.floor(free / 2), free - reserveFor(needs));
  const total = Math.min(Math.max(left, least.total), mostConnections);
  const share = Math.min(Math.floor(total / withoutTokenShare), mostWithoutToken);
  return { total, withoutToken: Math.max(share, least.withoutToken) };
}

export interface BoundWatchOptions {
  readonly log: Pick<Log, 'warning' | 'notice'>;
  /** The bound was reached, or no longer is. */
  readonly changed: () => void;
  /** Without a connection that was closed or refused for so long, in milliseconds, it is over. */
  readonly calmMs: number;
}

/** Tells that connections have reached their bound, once when it begins and once when it is over. */
export class BoundWatch {
  readonly #options: BoundWatchOptions;
  readonly #isFull: () => boolean;
  #timer: NodeJS.Timeout | null = null;
  /** Since the last look. */
  #met = false;
  #closed = 0;
  #refused = 0;

  /** `isFull`: whether there is still no room for one more. */
  constructor(options: BoundWatchOptions, isFull: () => boolean) {
    this.#options = options;
    this.#isFull = isFull;
  }

  get reached(): boolean {
    return this.#timer !== null;
  }

  /** A connection that rested was closed to make room. */
  noteClosed(bounds: ConnectionBounds): void {
    this.#closed += 1;
    this.#meet(bounds);
  }

  /** There was no room for a new connection, or for one that has shown the token. */
  noteRefused(bounds: ConnectionBounds): void {
    this.#refused += 1;
    this.#meet(bounds);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #meet({ total, withoutToken }: ConnectionBounds): void {
    this.#met = true;
    if (this.#timer !== null) return;
    const { log, changed, calmMs } = this.#options;
    this.#timer = setInterval(() => this.#look(), calmMs).unref();
    log.warning(
      `Connections are at their bound: ${total}, and ${withoutToken} of callers without the token. The ones that rest are closed, those without the token first. Look for who opens so many (ss -tp); the bound follows LimitNOFILE= of the unit, up to ${mostConnections}.`,
      { MESSAGE_ID: messageIds.connectionsBounded },
    );
    changed();
  }

  #look(): void {
    const met = this.#met;
    this.#met = false;
    if (met || this.#isFull()) return;
    this.close();
    const { log, changed } = this.#options;
    log.notice(
      `Connections are below their bound again: ${this.#closed} that rested were closed meanwhile, and ${this.#refused} refused.`,
      { MESSAGE_ID: messageIds.connectionsTaken },
    );
    this.#closed = 0;
    this.#refused = 0;
    changed();
  }
}
