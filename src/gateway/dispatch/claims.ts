import type { Configuration } from '../../config/schema.js';
import type { Store, Turn } from '../../store/store.js';
import type { Clock } from '../work/clock.js';
import type { StoreCalls } from '../work/store-calls.js';
import { pauseUntilDue, storeDelay } from './policy.js';

export interface ClaimsOptions {
  readonly store: Pick<Store, 'claimTurns' | 'nextDueInMs'>;
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
  /** For so many turns there may be work. */
  #wanted = 0;
  /** Places that the claim under way may fill. */
  #asking = 0;
  #stopped = false;
  #underWay: Promise<void> | null = null;
  #failures = 0;
  /** The wait after a failure of the store, which wakes by itself. */
  #cancelPause: (() => void) | null = null;
  #due: { readonly at: number; readonly cancel: () => void } | null = null;
  #dueKnown = false;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Whether a claim is under way, so that the store may hold more for this owner than is known here. */
  get underWay(): boolean {
    return this.#underWay !== null;
  }

  /** Places that the claim under way may fill. */
  get asking(): number {
    return this.#asking;
  }

  /** Something may be ready. Costs nothing when all places are taken: the end of a turn wakes again. */
  wake(): void {
    this.#want(Number.POSITIVE_INFINITY);
  }

  /** A turn ends, so that its session may have another one ready, for which there is its place. */
  wakeForNext(): void {
    this.#want(this.#wanted + 1);
  }

  /** Something is to be tried again after so many milliseconds. */
  dueIn(delayMs: number): void {
    this.#sleep(pauseUntilDue(delayMs, this.#options.settings().lease));
  }

  /** No claim begins any more; resolves once the one under way has handed out its turns. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wanted = 0;
    this.#cancelPause?.();
    this.#cancelPause = null;
    this.#due?.cancel();
    this.#due = null;
    await this.#underWay;
  }

  #want(turns: number): void {
    if (this.#stopped || this.#cancelPause !== null || this.#options.freePlaces() < 1) return;
    this.#wanted = turns;
    this.#underWay ??= this.#claimWhileWanted();
  }

  async #claimWhileWanted(): Promise<void> {
    const { freePlaces } = this.#options;
    while (this.#wanted > 0) {
      const limit = Math.min(this.#wanted, freePlaces());
      this.#wanted = 0;
      if (limit < 1) break;
      try {
        this.#asking = limit;
        const claimed = await this.#claim(limit);
        this.#failures = 0;
        // There may be more where these came from.
        if (claimed === limit) this.#wanted = Number.POSITIVE_INFINITY;
        if (this.#wanted === 0 && !this.#dueKnown && !this.#stopped) await this.#askWhatIsDue();
      } catch {
        // On record by StoreCalls.
        this.#failures += 1;
        this.#wanted = 0;
        this.#pause(storeDelay(this.#failures));
      } finally {
        this.#asking = 0;
      }
    }
    this.#underWay = null;
  }

  async #claim(limit: number): Promise<number> {
    const { store, calls, owner, settings, onClaimed } = this.#options;
    const turns = await calls.run('hand out turns', () => {
      const { lease: leaseMs, policy, collect_limit: collectLimit } = settings();
      return store.claimTurns({ owner, limit, leaseMs, policy, collectLimit });
    });
    for (const turn of turns) onClaimed(turn);
    return turns.length;
  }

  async #askWhatIsDue(): Promise<void> {
    const { store, calls, owner, settings } = this.#options;
    const due = await calls.run('hand out turns', () => store.nextDueInMs(owner));
    this.#dueKnown = true;
    this.#sleep(pauseUntilDue(due, settings().lease));
  }

  /** Until then at the latest. */
  #sleep(milliseconds: number): void {
    const { clock } = this.#options;
    const at = clock.now() + milliseconds;
    if (this.#stopped || (this.#due !== null && this.#due.at <= at)) return;
    this.#due?.cancel();
    const cancel = clock.after(milliseconds, () => {
      this.#due = null;
      this.#dueKnown = false;
      this.wake();
      // Where all places are taken the end of a turn wakes again.
    });
    this.#due = { at, cancel };
  }

  #pause(milliseconds: number): void {
    if (this.#stopped) return;
    this.#cancelPause = this.#options.clock.after(milliseconds, () => {
      this.#cancelPause = null;
      this.wake();
    });
  }
}
