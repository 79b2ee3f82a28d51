import type { Log } from '../../../log/log.js';
import type { SessionSummary } from '../../../store/messages.js';
import { tableOf } from '../../../store/records.js';
import type { Store } from '../../../store/store.js';
import { errorMessage } from '../../../text/failure-text.js';
import type { SessionOperations } from '../../surroundings.js';

const recordKind = 'openai-throw-away';
const pageSize = 100;
/** A look at what is due, in milliseconds. */
const longestPauseMs = 60_000;

export interface ThrowAwayOptions {
  readonly store: Pick<Store, 'records' | 'putRecord' | 'deleteRecord' | 'session' | 'settledMessages'>;
  readonly sessions: Pick<SessionOperations, 'deleteSession'>;
  /** Time that a session is kept after its last turn, in milliseconds. */
  readonly expireMs: () => number;
  readonly log: Pick<Log, 'warning'>;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/**
 * Deletes sessions that were made for a request alone, a while after their last turn. They are on record, in the order in
 * which they are due, so that a start deletes those of the runs before.
 */
export class ThrowAwaySessions {
  readonly #options: ThrowAwayOptions;
  #timer: NodeJS.Timeout | null = null;
  #sweeping: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: ThrowAwayOptions) {
    this.#options = options;
  }

  /** To be called before its first message is accepted. It is on disk when the promise resolves. */
  async note(session: string): Promise<void> {
    await this.#put(session, this.#options.now() + this.#options.expireMs());
  }

  /** Deletes what is due, now and from now on. */
  start(): void {
    this.#look(0);
  }

  /** Waits for a deletion that is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#sweeping;
  }

  /** Deletes what is due. Rejects as the store does. */
  async sweep(): Promise<void> {
    const { store, now } = this.#options;
    while (!this.#isClosed) {
      const { items, next } = await store.records(recordKind, { limit: pageSize, after: null });
      let isDue = true;
      for (const { key, value } of items) {
        const { session } = tableOf(value);
        isDue = dueAt(key) <= now();
        if (!isDue || this.#isClosed) break;
        if (typeof session === 'string') await this.#end(session);
        await store.deleteRecord(recordKind, key);
      }
      if (!isDue || next === null) return;
    }
  }

  #look(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#sweeping = this.sweep()
        .catch((error: unknown) => {
          this.#options.log.warning(
            `Sessions of the OpenAI-compatible API that are due could not be deleted; tried again in a minute: ${errorMessage(error)}`,
          );
        })
        .finally(() => this.#look(Math.min(longestPauseMs, this.#options.expireMs())));
    }, delayMs).unref();
  }

  /** Deletes it, or notes when it is due again. */
  async #end(name: string): Promise<void> {
    const { store, sessions, expireMs, now } = this.#options;
    const summary = await store.session(name);
    if (summary === null) return;
    const isBusy = summary.running || summary.waiting > 0;
    const due = isBusy ? now() + expireMs() : (await this.#lastEnd(summary)) + expireMs();
    if (due > now()) await this.#put(name, due);
    else if ((await sessions.deleteSession(name)) === 'busy') await this.#put(name, now() + longestPauseMs);
  }

  async #lastEnd({ session, lastSeq, lastAcceptedAt }: SessionSummary): Promise<number> {
    const { items } = await this.#options.store.settledMessages(session, lastSeq - 1, 1);
    return items[0]?.changedAt ?? lastAcceptedAt;
  }

  async #put(session: string, due: number): Promise<void> {
    await this.#options.store.putRecord({
      kind: recordKind,
      key: `${keyOf(due)}/${session}`,
      value: { session },
    });
  }
}

/** In the order of time. */
function keyOf(due: number): string {
  return String(due).padStart(16, '0');
}

function dueAt(key: string): number {
  return Number(key.split('/', 1)[0]);
}
