import type { Configuration } from '../config/schema.js';
import type { Store, Turn } from '../store/store.js';
import type { Clock } from './dispatch-clock.js';
import { pauseUntilDue, storeDelay } from './dispatch-policy.js';
import type { StoreCalls } from './dispatch-store-calls.js';

export interface ClaimsOptions {
  readonly store: Pick<Store, 'claimTurns' | 'nextDueAt'>;
  readonly calls: StoreCalls;
  readonly clock: Clock;
  readonly owner: string;
  readonly settings: () => Pick<Configuration['dispatch'], 'lease' | 'policy' | 'collect_limit'>;
  /** How many turns may begin now. */
  readonly freePlaces: () => number;
  readonly onClaimed: (turn: Turn) => void;
}

/** Claims turns when something may be ready, and else sleeps until something is due: one timer, no polling. */
export class Claims {
  readonly #options: ClaimsOptions;
  #wanted = false;
  #stopped = false;
  #underWay: Promise<void> | null = null;
  #failures = 0;
  #cancelWake: (() => void) | null = null;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Whether a claim is under way, so that the store may hold more for this owner than is known here. */
  get underWay(): boolean {
    return this.#underWay !== null;
  }

  /** Something may be ready. Costs nothing when all places are taken: the end of a turn wakes again. */
  wake(): void {
    // The wait after a failure of the store wakes again.
    const backingOff = this.#failures > 0 && this.#cancelWake !== null;
    if (this.#stopped || backingOff || this.#options.freePlaces() < 1) return;
    this.#wanted = true;
    this.#underWay ??= this.#claimWhileWanted();
  }

  /** No claim begins any more; resolves once the one under way has handed out its turns. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wanted = false;
    this.#sleepNoMore();
    await this.#underWay;
  }

  async #claimWhileWanted(): Promise<void> {
    const { store, calls, clock, owner, settings, freePlaces } = this.#options;
    while (this.#wanted) {
      this.#wanted = false;
      this.#sleepNoMore();
      const limit = freePlaces();
      if (limit < 1) break;
      try {
        const claimed = await this.#claim(limit);
        this.#failures = 0;
        if (this.#wanted || claimed === limit || this.#stopped) continue;
        const due = await calls.run('hand out turns', () => store.nextDueAt(owner));
        this.#sleep(pauseUntilDue(due, clock.now(), settings().lease));
      } catch {
        // On record by StoreCalls.
        this.#failures += 1;
        this.#wanted = false;
        this.#sleep(storeDelay(this.#failures));
      }
    }
    this.#underWay = null;
  }

  async #claim(limit: number): Promise<number> {
    const { store, calls, clock, owner, settings, onClaimed } = this.#options;
    const turns = await calls.run('hand out turns', () => {
      const now = clock.now();
      const { lease, policy, collect_limit: collectLimit } = settings();
      return store.claimTurns({ owner, limit, now, leaseUntil: now + lease, policy, collectLimit });
    });
    for (const turn of turns) onClaimed(turn);
    return turns.length;
  }

  #sleep(milliseconds: number): void {
    this.#sleepNoMore();
    if (this.#stopped) return;
    this.#cancelWake = this.#options.clock.after(milliseconds, () => {
      this.#cancelWake = null;
      this.wake();
    });
  }

  #sleepNoMore(): void {
    this.#cancelWake?.();
    this.#cancelWake = null;
  }
}
