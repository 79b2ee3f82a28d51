import type { Notifier } from '../../lifecycle/effects/notifier.js';
import {
  type StatusFacts,
  statusIntervalMs,
  statusLine,
  type WorkFacts,
} from '../../lifecycle/status-line.js';
import type { StoreCounts } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { SideWork } from './side-work.js';

/** Time between two updates of an idle gateway's status line. */
const idleIntervalMs = 60_000;

/** Longest wait for the store's counts. After it the line goes without new ones. */
const countsTimeoutMs = 1_000;

const noWork: WorkFacts = { sessions: 0, running: 0, waiting: 0, delivered: 0, failed: 0, undelivered: 0 };

/** Keeps `STATUS=` true: it asks the store for its counts when something has changed, at most once a second. */
export class StatusReporter {
  readonly #notifier: Notifier;
  readonly #facts: (work: WorkFacts) => StatusFacts;
  readonly #listener: (text: string) => void;
  readonly #sideWork: SideWork;
  #text = '';
  #store: Pick<Store, 'counts'> | null = null;
  #work: WorkFacts = noWork;
  #asking = false;
  /** Runs while the store is asked. If it is null then, the answer is late, and the line goes without it. */
  #countsTimeout: NodeJS.Timeout | null = null;
  #changed = false;
  #pause: NodeJS.Timeout | null = null;
  #idle: NodeJS.Timeout | null = null;

  /** `listener` hears each line, also those that are too soon for the service manager. */
  constructor(
    notifier: Notifier,
    facts: (work: WorkFacts) => StatusFacts,
    listener: (text: string) => void,
    sideWork: SideWork,
  ) {
    this.#notifier = notifier;
    this.#facts = facts;
    this.#listener = listener;
    this.#sideWork = sideWork;
  }

  /**
   * Makes the store's counts part of the line once it is open; resolves when they are, so that the first line is true.
   * Rejects as `opened` does.
   */
  async follow(store: Pick<Store, 'counts'>, opened: Promise<unknown>): Promise<void> {
    const counts = store.counts();
    // A store that can't be opened tells it there.
    counts.catch(() => undefined);
    await opened;
    this.#store = store;
    this.#idle = setInterval(() => this.changed(), idleIntervalMs);
    this.#idle.unref();
    try {
      this.#take(await counts);
    } catch {
      // As below: whoever needs the store to work reports its trouble.
    }
  }

  /** The line as it is now, or the last one that could be made. `counts`: the store's, if somebody has just asked for them. */
  text(counts: StoreCounts | null = null): string {
    if (counts !== null) this.#take(counts);
    this.#sideWork.run('The status line', () => {
      this.#text = statusLine(this.#facts(this.#work));
    });
    return this.#text;
  }

  /** Something that the line shows may be different. */
  changed(): void {
    this.#changed = true;
    if (this.#store === null) {
      this.#notify();
      return;
    }
    if (this.#asking) {
      if (this.#countsTimeout === null) this.#notify();
      return;
    }
    if (this.#pause !== null) return;
    this.#changed = false;
    this.#asking = true;
    this.#countsTimeout = setTimeout(() => {
      this.#countsTimeout = null;
      this.#notify();
    }, countsTimeoutMs).unref();
    this.#store.counts().then(
      (counts) => {
        this.#take(counts);
        this.#answered();
      },
      // Parts that need the store to work report its trouble. The last counts stay.
      () => this.#answered(),
    );
  }

  close(): void {
    this.#store = null;
    if (this.#pause !== null) clearTimeout(this.#pause);
    if (this.#idle !== null) clearInterval(this.#idle);
    this.#clearTimeout();
    this.#pause = null;
    this.#idle = null;
  }

  #take(counts: StoreCounts): void {
    this.#work = {
      sessions: counts.sessions,
      running: counts.running,
      waiting: counts.queued,
      delivered: counts.replied + counts.delivered,
      failed: counts.dead,
      undelivered: counts.undelivered,
    };
  }

  #answered(): void {
    this.#asking = false;
    this.#clearTimeout();
    if (this.#store === null) return;
    this.#notify();
    this.#pause = setTimeout(() => {
      this.#pause = null;
      if (this.#changed) this.changed();
    }, statusIntervalMs);
    this.#pause.unref();
  }

  #clearTimeout(): void {
    if (this.#countsTimeout !== null) clearTimeout(this.#countsTimeout);
    this.#countsTimeout = null;
  }

  #notify(): void {
    const text = this.text();
    this.#notifier.status(text);
    this.#listener(text);
  }
}
